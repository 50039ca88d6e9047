"""Q1, the pricing summary: one pass over nearly all of lineitem, four groups."""

from __future__ import annotations

from datetime import date

import polars as pl
from flight_delays.checkpointing import step

from tpch_steps.decimals import price


@step
def q01(lineitem: pl.LazyFrame) -> pl.LazyFrame:
    disc_price = price(6) * (1 - pl.col("l_discount"))
    return (
        lineitem.filter(pl.col("l_shipdate") <= date(1998, 9, 2))
        .group_by("l_returnflag", "l_linestatus")
        .agg(
            sum_qty=pl.col("l_quantity").sum(),
            sum_base_price=pl.col("l_extendedprice").sum(),
            sum_disc_price=disc_price.sum(),
            sum_charge=(disc_price * (1 + pl.col("l_tax"))).sum(),
            avg_qty=pl.col("l_quantity").mean(),
            avg_price=pl.col("l_extendedprice").mean(),
            avg_disc=pl.col("l_discount").mean(),
            count_order=pl.len(),
        )
        .sort("l_returnflag", "l_linestatus")
    )
