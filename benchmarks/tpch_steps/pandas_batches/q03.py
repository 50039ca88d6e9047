"""Q3, the shipping priority: the ten unshipped orders of most revenue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step

from tpch_steps.exact import CENTS

_DATE = pd.Timestamp("1995-03-15")
_KEYS = ["l_orderkey", "o_orderdate", "o_shippriority"]


@step
def q03(
    customer: Annotated[pd.DataFrame, Columns("c_custkey", "c_mktsegment")],
    orders: Annotated[
        Iterator[pd.DataFrame],
        Columns("o_orderkey", "o_custkey", "o_orderdate", "o_shippriority"),
    ],
    lineitem: Annotated[
        Iterator[pd.DataFrame],
        Columns("l_orderkey", "l_extendedprice", "l_discount", "l_shipdate"),
    ],
) -> pd.DataFrame:
    builders = customer.loc[customer["c_mktsegment"] == "BUILDING", "c_custkey"]
    theirs = pd.concat(
        batch[(batch["o_orderdate"] < _DATE) & batch["o_custkey"].isin(builders)]
        for batch in orders
    )
    parts = pd.concat(_revenue(batch, theirs) for batch in lineitem)
    return (
        parts.groupby(_KEYS, as_index=False)[["revenue"]]
        .sum()
        .sort_values(["revenue", "o_orderdate"], ascending=[False, True], ignore_index=True)
        .head(10)
        .assign(revenue=lambda rows: rows["revenue"] / CENTS**2)
    )


def _revenue(lineitem: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    joined = lineitem[lineitem["l_shipdate"] > _DATE].merge(
        orders, left_on="l_orderkey", right_on="o_orderkey"
    )
    revenue = joined["l_extendedprice"] * (CENTS - joined["l_discount"])
    return joined.assign(revenue=revenue).groupby(_KEYS, as_index=False)[["revenue"]].sum()
