"""The tables as frames, with the columns that anything reads."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from flight_delays.checkpointing import step

from tpch_steps.exact import exact

_UNREAD = ("l_comment", "l_shipinstruct", "l_partkey", "o_comment", "o_clerk", "s_comment")


def _frame(file: Path) -> pd.DataFrame:
    columns = [name for name in pq.read_schema(file).names if name not in _UNREAD]
    return pd.DataFrame(exact(pq.read_table(file, columns=columns)).to_pandas())


@step
def lineitem(lineitem_file: Path) -> pd.DataFrame:
    return _frame(lineitem_file)


@step
def orders(orders_file: Path) -> pd.DataFrame:
    return _frame(orders_file)


@step
def customer(customer_file: Path) -> pd.DataFrame:
    return _frame(customer_file)


@step
def supplier(supplier_file: Path) -> pd.DataFrame:
    return _frame(supplier_file)


@step
def nation(nation_file: Path) -> pd.DataFrame:
    return _frame(nation_file)


@step
def region(region_file: Path) -> pd.DataFrame:
    return _frame(region_file)
