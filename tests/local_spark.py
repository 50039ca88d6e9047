"""A session of Spark in this process, for tests that call steps as plain functions."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from pyspark.sql import SparkSession

from .java import java_variables

SETTINGS: dict[str, bool | float | int | str | None] = {
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@contextmanager
def local_spark() -> Iterator[SparkSession]:
    """A session with two threads, ended at the end; its JVM ends with this process."""
    with mock.patch.dict(os.environ, java_variables()), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about pandas 3, which takes no part here
        builder: SparkSession.Builder = SparkSession.builder
        session = builder.master("local[2]").config(map=SETTINGS).getOrCreate()
    try:
        yield session
    finally:
        session.stop()
