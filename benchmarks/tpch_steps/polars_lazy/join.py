"""All columns of lineitem beside those of its order: the widest table, and no aggregate."""

from __future__ import annotations

import polars as pl
from flight_delays.checkpointing import step


@step
def joined(lineitem: pl.LazyFrame, orders: pl.LazyFrame) -> pl.LazyFrame:
    return lineitem.join(orders, left_on="l_orderkey", right_on="o_orderkey")


@step
def join(joined: pl.LazyFrame) -> pl.LazyFrame:
    return joined.select(
        rows=pl.len(),
        price=pl.col("l_extendedprice").sum(),
        total_price=pl.col("o_totalprice").sum(),
        clerks=pl.col("o_clerk").n_unique(),
    )
