"""The tables: the large ones in batches, from the file to the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from flight_delays.checkpointing import step

from tpch_steps.exact import exact


@step
def lineitem(lineitem_file: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return map(exact, lineitem_file)


@step
def orders(orders_file: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return map(exact, orders_file)


@step
def customer(customer_file: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return map(exact, customer_file)


@step
def supplier(supplier_file: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return map(exact, supplier_file)


@step
def nation(nation_file: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return map(exact, nation_file)


@step
def region(region_file: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return map(exact, region_file)
