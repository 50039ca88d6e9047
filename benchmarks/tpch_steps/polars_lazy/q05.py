"""Q5, the volume of local suppliers: a join of all six tables."""

from __future__ import annotations

from datetime import date

import polars as pl
from flight_delays.checkpointing import step

from tpch_steps.decimals import price


@step
def q05(
    customer: pl.LazyFrame,
    orders: pl.LazyFrame,
    lineitem: pl.LazyFrame,
    supplier: pl.LazyFrame,
    nation: pl.LazyFrame,
    region: pl.LazyFrame,
) -> pl.LazyFrame:
    revenue = price(4) * (1 - pl.col("l_discount"))
    return (
        region.filter(pl.col("r_name") == "ASIA")
        .join(nation, left_on="r_regionkey", right_on="n_regionkey")
        .join(customer, left_on="n_nationkey", right_on="c_nationkey")
        .join(orders, left_on="c_custkey", right_on="o_custkey")
        .filter(pl.col("o_orderdate").is_between(date(1994, 1, 1), date(1994, 12, 31)))
        .join(lineitem, left_on="o_orderkey", right_on="l_orderkey")
        .join(
            supplier,
            left_on=["l_suppkey", "n_nationkey"],
            right_on=["s_suppkey", "s_nationkey"],
        )
        .group_by("n_name")
        .agg(revenue=revenue.sum())
        .sort("revenue", descending=True)
    )
