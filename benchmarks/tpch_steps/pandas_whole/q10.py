"""Q10, the returned items: the twenty customers who cost most revenue."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step

from tpch_steps.exact import CENTS

COLUMNS = ["c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment"]


@step
def q10(
    customer: pd.DataFrame,
    orders: Annotated[pd.DataFrame, Columns("o_orderkey", "o_custkey", "o_orderdate")],
    lineitem: Annotated[
        pd.DataFrame, Columns("l_orderkey", "l_extendedprice", "l_discount", "l_returnflag")
    ],
    nation: Annotated[pd.DataFrame, Columns("n_nationkey", "n_name")],
) -> pd.DataFrame:
    in_the_quarter = orders[
        (orders["o_orderdate"] >= pd.Timestamp("1993-10-01"))
        & (orders["o_orderdate"] < pd.Timestamp("1994-01-01"))
    ]
    joined = (
        in_the_quarter.merge(
            lineitem[lineitem["l_returnflag"] == "R"], left_on="o_orderkey", right_on="l_orderkey"
        )
        .merge(customer, left_on="o_custkey", right_on="c_custkey")
        .merge(nation, left_on="c_nationkey", right_on="n_nationkey")
        .assign(revenue=lambda rows: rows["l_extendedprice"] * (CENTS - rows["l_discount"]))
    )
    return (
        joined.groupby(COLUMNS, as_index=False)[["revenue"]]
        .sum()
        .sort_values("revenue", ascending=False, ignore_index=True)
        .head(20)
        .assign(
            revenue=lambda rows: rows["revenue"] / CENTS**2,
            c_acctbal=lambda rows: rows["c_acctbal"] / CENTS,
        )
    )
