"""The application of a part in this process, for tests of what a step exchanges with Spark."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from flight_delays.checkpointing.codecs import Room
from flight_delays.checkpointing.codecs.engines import spark, spark_session

from .java import java_variables


@contextmanager
def application() -> Iterator[Path]:
    """An application of two threads; the folder for what a step gives it. It ends at the end."""
    folder = tempfile.TemporaryDirectory(prefix="spark-")
    spill = Path(folder.name) / "spill"
    environment = mock.patch.dict(os.environ, java_variables())
    with folder, environment, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about pandas 3
        spark.prepare(Room(2 * 10**9, spill, 10**9, 2))
        spark_session.session().conf.set("spark.sql.shuffle.partitions", "2")
        try:
            yield spill
        finally:
            spark.close()
