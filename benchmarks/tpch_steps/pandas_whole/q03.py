"""Q3, the shipping priority: the ten unshipped orders of most revenue."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step

from tpch_steps.exact import CENTS


@step
def q03(
    customer: Annotated[pd.DataFrame, Columns("c_custkey", "c_mktsegment")],
    orders: Annotated[
        pd.DataFrame, Columns("o_orderkey", "o_custkey", "o_orderdate", "o_shippriority")
    ],
    lineitem: Annotated[
        pd.DataFrame, Columns("l_orderkey", "l_extendedprice", "l_discount", "l_shipdate")
    ],
) -> pd.DataFrame:
    date = pd.Timestamp("1995-03-15")
    builders = customer[customer["c_mktsegment"] == "BUILDING"]
    joined = (
        builders.merge(
            orders[orders["o_orderdate"] < date], left_on="c_custkey", right_on="o_custkey"
        )
        .merge(lineitem[lineitem["l_shipdate"] > date], left_on="o_orderkey", right_on="l_orderkey")
        .assign(revenue=lambda rows: rows["l_extendedprice"] * (CENTS - rows["l_discount"]))
    )
    return (
        joined.groupby(["l_orderkey", "o_orderdate", "o_shippriority"], as_index=False)[["revenue"]]
        .sum()
        .sort_values(["revenue", "o_orderdate"], ascending=[False, True], ignore_index=True)
        .head(10)
        .assign(revenue=lambda rows: rows["revenue"] / CENTS**2)
    )
