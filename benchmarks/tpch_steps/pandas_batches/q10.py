"""Q10, the returned items: the twenty customers who cost most revenue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step

from tpch_steps.exact import CENTS

_COLUMNS = ["c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment"]


@step
def q10(
    customer: pd.DataFrame,
    orders: Annotated[Iterator[pd.DataFrame], Columns("o_orderkey", "o_custkey", "o_orderdate")],
    lineitem: Annotated[
        Iterator[pd.DataFrame],
        Columns("l_orderkey", "l_extendedprice", "l_discount", "l_returnflag"),
    ],
    nation: Annotated[pd.DataFrame, Columns("n_nationkey", "n_name")],
) -> pd.DataFrame:
    theirs = pd.concat(map(_in_the_quarter, orders))
    parts = pd.concat(_revenue(batch, theirs) for batch in lineitem)
    return (
        parts.groupby("o_custkey", as_index=False)[["revenue"]]
        .sum()
        .sort_values("revenue", ascending=False, ignore_index=True)
        .head(20)
        .merge(customer, left_on="o_custkey", right_on="c_custkey")
        .merge(nation, left_on="c_nationkey", right_on="n_nationkey")
        .assign(
            revenue=lambda rows: rows["revenue"] / CENTS**2,
            c_acctbal=lambda rows: rows["c_acctbal"] / CENTS,
        )[[*_COLUMNS, "revenue"]]
    )


def _in_the_quarter(orders: pd.DataFrame) -> pd.DataFrame:
    return orders[
        (orders["o_orderdate"] >= pd.Timestamp("1993-10-01"))
        & (orders["o_orderdate"] < pd.Timestamp("1994-01-01"))
    ]


def _revenue(lineitem: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    joined = lineitem[lineitem["l_returnflag"] == "R"].merge(
        orders, left_on="l_orderkey", right_on="o_orderkey"
    )
    revenue = joined["l_extendedprice"] * (CENTS - joined["l_discount"])
    return joined.assign(revenue=revenue).groupby("o_custkey", as_index=False)[["revenue"]].sum()
