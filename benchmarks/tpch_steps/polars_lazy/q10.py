"""Q10, the returned items: the twenty customers who cost most revenue."""

from __future__ import annotations

from datetime import date

import polars as pl
from flight_delays.checkpointing import step

from tpch_steps.decimals import price

COLUMNS = ("c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment")


@step
def q10(
    customer: pl.LazyFrame, orders: pl.LazyFrame, lineitem: pl.LazyFrame, nation: pl.LazyFrame
) -> pl.LazyFrame:
    revenue = price(4) * (1 - pl.col("l_discount"))
    return (
        orders.filter(pl.col("o_orderdate").is_between(date(1993, 10, 1), date(1993, 12, 31)))
        .join(lineitem, left_on="o_orderkey", right_on="l_orderkey")
        .filter(pl.col("l_returnflag") == "R")
        .join(customer, left_on="o_custkey", right_on="c_custkey")
        .rename({"o_custkey": "c_custkey"})
        .join(nation, left_on="c_nationkey", right_on="n_nationkey")
        .group_by(*COLUMNS)
        .agg(revenue=revenue.sum())
        .sort("revenue", descending=True)
        .head(20)
    )
