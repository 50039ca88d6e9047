"""Q12, the shipping modes and the priority of orders that arrived late."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step


@step
def q12(
    orders: Annotated[pd.DataFrame, Columns("o_orderkey", "o_orderpriority")],
    lineitem: Annotated[
        pd.DataFrame,
        Columns("l_orderkey", "l_shipmode", "l_shipdate", "l_commitdate", "l_receiptdate"),
    ],
) -> pd.DataFrame:
    late = lineitem[
        lineitem["l_shipmode"].isin(["MAIL", "SHIP"])
        & (lineitem["l_commitdate"] < lineitem["l_receiptdate"])
        & (lineitem["l_shipdate"] < lineitem["l_commitdate"])
        & (lineitem["l_receiptdate"] >= pd.Timestamp("1994-01-01"))
        & (lineitem["l_receiptdate"] < pd.Timestamp("1995-01-01"))
    ]
    joined = late.merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    is_high = joined["o_orderpriority"].isin(["1-URGENT", "2-HIGH"])
    return (
        joined.assign(high_line_count=is_high.astype(int), low_line_count=(~is_high).astype(int))
        .groupby("l_shipmode", as_index=False)[["high_line_count", "low_line_count"]]
        .sum()
    )
