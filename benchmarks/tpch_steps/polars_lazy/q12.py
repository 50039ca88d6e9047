"""Q12, the shipping modes and the priority of orders that arrived late."""

from __future__ import annotations

from datetime import date

import polars as pl
from flight_delays.checkpointing import step


@step
def q12(orders: pl.LazyFrame, lineitem: pl.LazyFrame) -> pl.LazyFrame:
    is_high = pl.col("o_orderpriority").is_in(["1-URGENT", "2-HIGH"])
    return (
        lineitem.filter(
            pl.col("l_shipmode").is_in(["MAIL", "SHIP"]),
            pl.col("l_commitdate") < pl.col("l_receiptdate"),
            pl.col("l_shipdate") < pl.col("l_commitdate"),
            pl.col("l_receiptdate").is_between(date(1994, 1, 1), date(1994, 12, 31)),
        )
        .join(orders, left_on="l_orderkey", right_on="o_orderkey")
        .group_by("l_shipmode")
        .agg(high_line_count=is_high.sum(), low_line_count=(~is_high).sum())
        .sort("l_shipmode")
    )
