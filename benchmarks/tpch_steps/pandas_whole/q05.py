"""Q5, the volume of local suppliers: a join of all six tables."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step

from tpch_steps.exact import CENTS


@step
def q05(
    customer: Annotated[pd.DataFrame, Columns("c_custkey", "c_nationkey")],
    orders: Annotated[pd.DataFrame, Columns("o_orderkey", "o_custkey", "o_orderdate")],
    lineitem: Annotated[
        pd.DataFrame, Columns("l_orderkey", "l_suppkey", "l_extendedprice", "l_discount")
    ],
    supplier: Annotated[pd.DataFrame, Columns("s_suppkey", "s_nationkey")],
    nation: Annotated[pd.DataFrame, Columns("n_nationkey", "n_name", "n_regionkey")],
    region: Annotated[pd.DataFrame, Columns("r_regionkey", "r_name")],
) -> pd.DataFrame:
    in_1994 = orders[
        (orders["o_orderdate"] >= pd.Timestamp("1994-01-01"))
        & (orders["o_orderdate"] < pd.Timestamp("1995-01-01"))
    ]
    joined = (
        region[region["r_name"] == "ASIA"]
        .merge(nation, left_on="r_regionkey", right_on="n_regionkey")
        .merge(customer, left_on="n_nationkey", right_on="c_nationkey")
        .merge(in_1994, left_on="c_custkey", right_on="o_custkey")
        .merge(lineitem, left_on="o_orderkey", right_on="l_orderkey")
        .merge(
            supplier, left_on=["l_suppkey", "c_nationkey"], right_on=["s_suppkey", "s_nationkey"]
        )
        .assign(revenue=lambda rows: rows["l_extendedprice"] * (CENTS - rows["l_discount"]))
    )
    return (
        joined.groupby("n_name", as_index=False)[["revenue"]]
        .sum()
        .sort_values("revenue", ascending=False, ignore_index=True)
        .assign(revenue=lambda rows: rows["revenue"] / CENTS**2)
    )
