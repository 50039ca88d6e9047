"""The tables, each a scan of its file."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from flight_delays.checkpointing import step


@step
def lineitem(lineitem_file: Path) -> pl.LazyFrame:
    return pl.scan_parquet(lineitem_file)


@step
def orders(orders_file: Path) -> pl.LazyFrame:
    return pl.scan_parquet(orders_file)


@step
def customer(customer_file: Path) -> pl.LazyFrame:
    return pl.scan_parquet(customer_file)


@step
def supplier(supplier_file: Path) -> pl.LazyFrame:
    return pl.scan_parquet(supplier_file)


@step
def nation(nation_file: Path) -> pl.LazyFrame:
    return pl.scan_parquet(nation_file)


@step
def region(region_file: Path) -> pl.LazyFrame:
    return pl.scan_parquet(region_file)
