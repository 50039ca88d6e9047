"""Q5, the volume of local suppliers: a join of all six tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step

from tpch_steps.exact import CENTS


@step
def q05(
    customer: Annotated[pd.DataFrame, Columns("c_custkey", "c_nationkey")],
    orders: Annotated[Iterator[pd.DataFrame], Columns("o_orderkey", "o_custkey", "o_orderdate")],
    lineitem: Annotated[
        Iterator[pd.DataFrame],
        Columns("l_orderkey", "l_suppkey", "l_extendedprice", "l_discount"),
    ],
    supplier: Annotated[pd.DataFrame, Columns("s_suppkey", "s_nationkey")],
    nation: Annotated[pd.DataFrame, Columns("n_nationkey", "n_name", "n_regionkey")],
    region: Annotated[pd.DataFrame, Columns("r_regionkey", "r_name")],
) -> pd.DataFrame:
    customers = (
        region[region["r_name"] == "ASIA"]
        .merge(nation, left_on="r_regionkey", right_on="n_regionkey")
        .merge(customer, left_on="n_nationkey", right_on="c_nationkey")
    )[["c_custkey", "c_nationkey", "n_name"]]
    theirs = pd.concat(_in_1994(batch, customers) for batch in orders)
    parts = pd.concat(_revenue(batch, theirs, supplier) for batch in lineitem)
    return (
        parts.groupby("n_name", as_index=False)[["revenue"]]
        .sum()
        .sort_values("revenue", ascending=False, ignore_index=True)
        .assign(revenue=lambda rows: rows["revenue"] / CENTS**2)
    )


def _in_1994(orders: pd.DataFrame, customers: pd.DataFrame) -> pd.DataFrame:
    is_in_1994 = (orders["o_orderdate"] >= pd.Timestamp("1994-01-01")) & (
        orders["o_orderdate"] < pd.Timestamp("1995-01-01")
    )
    joined = orders[is_in_1994].merge(customers, left_on="o_custkey", right_on="c_custkey")
    return joined[["o_orderkey", "c_nationkey", "n_name"]]


def _revenue(lineitem: pd.DataFrame, orders: pd.DataFrame, supplier: pd.DataFrame) -> pd.DataFrame:
    joined = lineitem.merge(orders, left_on="l_orderkey", right_on="o_orderkey").merge(
        supplier, left_on=["l_suppkey", "c_nationkey"], right_on=["s_suppkey", "s_nationkey"]
    )
    revenue = joined["l_extendedprice"] * (CENTS - joined["l_discount"])
    return joined.assign(revenue=revenue).groupby("n_name", as_index=False)[["revenue"]].sum()
