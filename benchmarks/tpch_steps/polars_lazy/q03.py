"""Q3, the shipping priority: the ten unshipped orders of most revenue."""

from __future__ import annotations

from datetime import date

import polars as pl
from flight_delays.checkpointing import step

from tpch_steps.decimals import price


@step
def q03(customer: pl.LazyFrame, orders: pl.LazyFrame, lineitem: pl.LazyFrame) -> pl.LazyFrame:
    revenue = price(4) * (1 - pl.col("l_discount"))
    return (
        customer.filter(pl.col("c_mktsegment") == "BUILDING")
        .join(orders, left_on="c_custkey", right_on="o_custkey")
        .filter(pl.col("o_orderdate") < date(1995, 3, 15))
        .join(lineitem, left_on="o_orderkey", right_on="l_orderkey")
        .filter(pl.col("l_shipdate") > date(1995, 3, 15))
        .group_by(pl.col("o_orderkey").alias("l_orderkey"), "o_orderdate", "o_shippriority")
        .agg(revenue=revenue.sum())
        .sort("revenue", "o_orderdate", descending=[True, False])
        .head(10)
    )
