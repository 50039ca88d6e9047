"""Q12, the shipping modes and the priority of orders that arrived late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step


@step
def q12(
    orders: Annotated[Iterator[pd.DataFrame], Columns("o_orderkey", "o_orderpriority")],
    lineitem: Annotated[
        Iterator[pd.DataFrame],
        Columns("l_orderkey", "l_shipmode", "l_shipdate", "l_commitdate", "l_receiptdate"),
    ],
) -> pd.DataFrame:
    late = pd.concat(map(_late, lineitem))
    parts = pd.concat(_counts(late, batch) for batch in orders)
    return parts.groupby("l_shipmode", as_index=False).sum()


def _late(lineitem: pd.DataFrame) -> pd.DataFrame:
    return lineitem.loc[
        lineitem["l_shipmode"].isin(["MAIL", "SHIP"])
        & (lineitem["l_commitdate"] < lineitem["l_receiptdate"])
        & (lineitem["l_shipdate"] < lineitem["l_commitdate"])
        & (lineitem["l_receiptdate"] >= pd.Timestamp("1994-01-01"))
        & (lineitem["l_receiptdate"] < pd.Timestamp("1995-01-01")),
        ["l_orderkey", "l_shipmode"],
    ]


def _counts(late: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    joined = late.merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    is_high = joined["o_orderpriority"].isin(["1-URGENT", "2-HIGH"])
    counted = joined.assign(
        high_line_count=is_high.astype(int), low_line_count=(~is_high).astype(int)
    )
    return counted.groupby("l_shipmode", as_index=False)[
        ["high_line_count", "low_line_count"]
    ].sum()
