"""All columns of lineitem beside those of its order: the widest table, and no aggregate."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from flight_delays.checkpointing import Columns, step

from tpch_steps.exact import CENTS


@step
def joined(lineitem: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    return lineitem.merge(orders, left_on="l_orderkey", right_on="o_orderkey")


@step
def join(
    joined: Annotated[pd.DataFrame, Columns("l_extendedprice", "o_totalprice", "o_clerk")],
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rows": [len(joined)],
            "price": [joined["l_extendedprice"].sum() / CENTS],
            "total_price": [joined["o_totalprice"].sum() / CENTS],
            "clerks": [joined["o_clerk"].nunique()],
        }
    )
