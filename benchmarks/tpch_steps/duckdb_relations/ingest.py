"""The tables, each a relation over its file."""

from __future__ import annotations

from pathlib import Path

import duckdb
from flight_delays.checkpointing import step


@step
def lineitem(lineitem_file: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(lineitem_file))


@step
def orders(orders_file: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(orders_file))


@step
def customer(customer_file: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(customer_file))


@step
def supplier(supplier_file: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(supplier_file))


@step
def nation(nation_file: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(nation_file))


@step
def region(region_file: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(region_file))
