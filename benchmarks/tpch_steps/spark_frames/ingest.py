"""The tables, each a DataFrame over its file."""

from __future__ import annotations

from pathlib import Path

from flight_delays.checkpointing import step
from pyspark.sql import DataFrame, SparkSession


@step
def lineitem(lineitem_file: Path) -> DataFrame:
    return SparkSession.active().read.parquet(str(lineitem_file))


@step
def orders(orders_file: Path) -> DataFrame:
    return SparkSession.active().read.parquet(str(orders_file))


@step
def customer(customer_file: Path) -> DataFrame:
    return SparkSession.active().read.parquet(str(customer_file))


@step
def supplier(supplier_file: Path) -> DataFrame:
    return SparkSession.active().read.parquet(str(supplier_file))


@step
def nation(nation_file: Path) -> DataFrame:
    return SparkSession.active().read.parquet(str(nation_file))


@step
def region(region_file: Path) -> DataFrame:
    return SparkSession.active().read.parquet(str(region_file))
