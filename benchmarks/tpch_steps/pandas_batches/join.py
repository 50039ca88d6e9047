"""All columns of lineitem beside those of its order: the widest table, and no aggregate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step

from tpch_steps.exact import CENTS


@step
def joined(lineitem: Iterator[pd.DataFrame], orders: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for batch in lineitem:
        theirs = orders[orders["o_orderkey"].isin(batch["l_orderkey"])]
        yield batch.merge(theirs, left_on="l_orderkey", right_on="o_orderkey")


@step
def join(
    joined: Annotated[
        Iterator[pd.DataFrame], Columns("l_extendedprice", "o_totalprice", "o_clerk")
    ],
) -> pd.DataFrame:
    rows = price = total_price = 0
    clerks: set[str] = set()
    for batch in joined:
        rows += len(batch)
        price += int(batch["l_extendedprice"].sum())
        total_price += int(batch["o_totalprice"].sum())
        clerks.update(batch["o_clerk"].unique())
    return pd.DataFrame(
        {
            "rows": [rows],
            "price": [price / CENTS],
            "total_price": [total_price / CENTS],
            "clerks": [len(clerks)],
        }
    )
