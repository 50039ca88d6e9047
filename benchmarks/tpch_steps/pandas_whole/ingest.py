"""The tables, each read whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from flight_delays.checkpointing import step

from tpch_steps.exact import exact


@step
def lineitem(lineitem_file: Path) -> pa.Table:
    return exact(pq.read_table(lineitem_file))


@step
def orders(orders_file: Path) -> pa.Table:
    return exact(pq.read_table(orders_file))


@step
def customer(customer_file: Path) -> pa.Table:
    return exact(pq.read_table(customer_file))


@step
def supplier(supplier_file: Path) -> pa.Table:
    return exact(pq.read_table(supplier_file))


@step
def nation(nation_file: Path) -> pa.Table:
    return exact(pq.read_table(nation_file))


@step
def region(region_file: Path) -> pa.Table:
    return exact(pq.read_table(region_file))
