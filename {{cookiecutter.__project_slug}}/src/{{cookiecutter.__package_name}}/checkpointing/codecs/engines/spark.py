"""Frames of Spark: read from Parquet by its executors, and written by them as Parquet.

The process of a step never holds the rows. What a step returns is written at once: Spark computes
it then, once, and every later step reads the files. Spark keeps no order of rows: the files have
the order of the partitions that it wrote.

A table of another type lies on disk before Spark reads it: in a checkpoint, or in the step's own
folder for what does not fit. The time zone is UTC, and SQL follows ANSI: an overflow is an error.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql import types as st

from ...base.errors import InexactValue, StorageError
from ...base.files import total_bytes
from ...base.units import size
from ..room import Room
from ..table import arrow, batches, parquet, parquets
from . import spark_session, spark_traces
from . import spark_types as types
from .spark_errors import SparkFailed, meant

_ROW_KEY = b"org.apache.spark.sql.parquet.row.metadata"
_ROWS = 1 << 16
_WRITING = {
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.writeLegacyFormat": "false",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
}
_READING = {
    "__globPaths__": "false",  # a path is a path, whatever it contains
    "datetimeRebaseMode": "CORRECTED",
    "mergeSchema": "false",
    "recursiveFileLookup": "true",  # no column comes from the name of a folder
}


class _Step:
    """What is known of the step that runs: its room, and the settings of the session before it."""

    room: Room | None = None
    settings: dict[str, str] | None = None
    copies = itertools.count()


_step = _Step()


def prepare(room: Room) -> None:
    """See that the application of the part runs, and note what the step may take."""
    spark_session.prepare(room)
    _step.room = room
    _step.settings = dict(spark_session.session().conf.getAll)


def release() -> None:
    """Let the session go on as before the step: without what it has kept, named and set.

    Where a step has stopped it, the next step gets a new one.
    """
    session = spark_session.session()
    if spark_session.is_stopped(session):
        print("the step has stopped Spark: the next step that needs it starts it again")
        spark_session.close()
        return
    try:
        spark_traces.remove(session, _step.settings or {})
    except Exception as error:
        raise meant(error) from None


def is_running() -> bool:
    """Whether this process has a session, of a notebook, say."""
    return SparkSession.getActiveSession() is not None


def close() -> None:
    """End the application of the part."""
    spark_session.close()


def freeze(value: Any) -> Any:
    """The frame itself, which `store` writes. Raises InexactValue, naming the column."""
    kind = type(value)
    if not any(f"{base.__module__}.{base.__qualname__}" in _FRAMES for base in kind.__mro__):
        raise InexactValue(_no_frame(kind))
    types.require_kept(value.schema)
    return value


def store(value: Any, path: Path) -> None:
    """Have Spark compute a frame, and write it to a folder.

    Raises:
        NoRoom: Spark had no memory left.
        StorageError: the disk was full.
        Exception: the query failed while it ran.
    """
    session = value.sparkSession
    if spark_session.is_stopped(session):
        raise SparkFailed(
            "the step has stopped Spark, and its frame is computed only now. Leave out "
            "`spark.stop()`: the application ends with its part"
        )
    spark_session.write_to(path)
    try:
        for name, setting in _WRITING.items():
            session.conf.set(name, setting)
        value.write.parquet(_address(path))
    except Exception as error:
        raise meant(error) from None
    parquets.settle(path)


def open_frame(path: Path, columns: tuple[str, ...] | None) -> Any:
    """A frame over a table on disk, or over the named columns of it. Raises InexactValue."""
    if path.is_dir():
        stored = parquets.opened(path)
        if columns is not None:
            arrow.select(stored.empty, columns)  # raises for unknown columns
        return _read(path, _own_schema(stored.files[0]), columns)
    with parquet.opened(path, columns) as file:
        empty, kinds = file.empty, file.file.schema_arrow
        target = types.target_of(arrow.thaw(empty).schema)
        if all(types.is_read_as(kinds.field(field.name).type, field.type) for field in target):
            return _read(path, types.schema_of(target), None)
        tables = (arrow.thaw(file.restored(part)) for part in file.tables())
        return _copied(tables, target)


def thaw(frozen: Any) -> Any:
    """A frame over a copy of the table, as Parquet in the step's own folder. Raises InexactValue.

    A table of pandas has nulls for NaN and NaT, and its index as the last columns.
    """
    empty = arrow.thaw(frozen.slice(0, 0))
    target = types.target_of(empty.schema)
    return _copied(map(arrow.thaw, batches.parts_of(frozen, _ROWS)), target)


def _copied(tables: Iterator[Any], target: Any) -> Any:
    assert _step.room is not None, "it is prepared first"
    room = _step.room
    room.spill.mkdir(parents=True, exist_ok=True)
    path = room.spill / f"given-{next(_step.copies)}.parquet"
    with pq.ParquetWriter(path, target) as writer:
        for table in tables:
            if table.num_rows:
                writer.write_table(types.cast(table, target))
    running = spark_session.running()
    if running is not None and running.watch is not None:
        if (error := running.watch.too_much()) is not None:
            raise error
    elif (count := total_bytes(room.spill)) > room.disk:
        raise StorageError(
            f"what Spark reads takes {size(count)} on disk, and max_disk in memory_budget.toml "
            f"leaves {size(room.disk)}. Run `clean --old`, or raise max_disk."
        )
    return _read(path, types.schema_of(target), None)


def _read(path: Path, schema: st.StructType, columns: tuple[str, ...] | None) -> Any:
    reader = _session().read.options(**_READING).schema(schema)
    frame = reader.parquet(_address(path))
    return frame if columns is None else frame.select(*map(_quoted, columns))


def _session() -> Any:
    """The session of the part, or in a notebook the one that is active there."""
    active = SparkSession.getActiveSession()
    return spark_session.session() if active is None else active


def _own_schema(file: Path) -> st.StructType:
    """The schema of a frame, as Spark itself has noted it in a file."""
    noted = pq.read_schema(file).metadata[_ROW_KEY]
    return st.StructType.fromJson(json.loads(noted))


def _address(path: Path) -> str:
    posix = path.as_posix()
    return f"file://{posix}" if posix.startswith("/") else f"file:///{posix}"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


_FRAMES = (
    "pyspark.sql.dataframe.DataFrame",
    "pyspark.sql.classic.dataframe.DataFrame",
    "pyspark.sql.connect.dataframe.DataFrame",
)


def _no_frame(kind: type) -> str:
    remedy = "return the frame itself, or annotate what the step returns"
    if kind.__module__.partition(".")[0] == "pandas":
        remedy = "return spark.createDataFrame(result), or annotate the step pandas.DataFrame"
    return (
        f"the step promised a pyspark.sql.DataFrame and returned {kind.__module__}."
        f"{kind.__qualname__}; {remedy}"
    )
