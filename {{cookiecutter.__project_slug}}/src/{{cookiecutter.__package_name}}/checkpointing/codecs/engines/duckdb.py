"""Relations of DuckDB: a step receives one over a mapped table, and returns one that has not run.

The rows that a step returns are computed while they are written, a batch at a time. Relations are
those of DuckDB's default connection, so that `duckdb.sql("SELECT … FROM flights")` finds a
parameter `flights`. Each step gets a new connection, with the memory that it may take, and a folder
for what does not fit.

Rows keep their order through filters and projections (`preserve_insertion_order`); joins and
aggregates have none of their own, so order them where it matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ...base.errors import InexactValue, StorageError
from ...base.units import size
from ..room import Room
from ..table import arrow, parquet, parquets
from . import duckdb_types as types

_VECTOR = 2048  # rows that DuckDB works on at once
_BATCH_VECTORS = 16  # of a batch, at most: what it converts to Arrow is above its limit
_BATCH_COLUMNS = 128  # of one vector each in a batch
_LEAST = 40 * 10**6  # of a limit with which DuckDB sorts, joins and groups what lies on disk
_OVER = (60 * 10**6, 150 * 10**6)  # for what it takes above its limit: 50 to 80 MB were measured
_OVER_SHARE = 0.4  # of the room, between these two
_THREAD_BYTES = 125 * 10**6  # DuckDB's guide to performance asks for that much for each
_GLOB = re.compile(r"[*?\[]")  # in a path
_ITS_FOLDER = "current_setting('temp_directory')"


def prepare(room: Room) -> None:
    """Open the default connection anew, with a limit for its memory, its disk and its threads.

    Raises duckdb.OutOfMemoryException if DuckDB could not do much with the memory that there is.
    """
    limit = room.memory - min(max(int(room.memory * _OVER_SHARE), _OVER[0]), _OVER[1])
    if limit < _LEAST:
        raise duckdb.OutOfMemoryException(
            f"DuckDB needs {size(_LEAST + _OVER[0])} on top of what is held when a step begins, "
            f"and the budget leaves {size(room.memory)}"
        )
    release()
    settings: dict[str, Any] = {
        "memory_limit": f"{limit // 10**6}MB",
        "temp_directory": str(room.spill),
        "max_temp_directory_size": f"{max(1, room.disk // 10**6)}MB",
        "threads": str(max(1, min(room.threads, limit // _THREAD_BYTES))),
        "preserve_insertion_order": "true",
        "autoinstall_known_extensions": "false",  # a step loads what it needs, by name
        "autoload_known_extensions": "false",
        "arrow_large_buffer_size": "true",  # what pandas and polars have in memory
    }
    connection = duckdb.connect(config=settings)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    duckdb.set_default_connection(connection)


def release() -> None:
    """Close the default connection: all that it holds goes, and whoever asks gets a new one."""
    duckdb.default_connection().close()


def thaw(frozen: Any) -> duckdb.DuckDBPyRelation:
    """A relation over the table, which is read where it lies. Raises InexactValue.

    A table of pandas has nulls for NaN and NaT, and its index as the last columns.
    """
    table = arrow.thaw(frozen)
    types.require_read(table)
    relation = duckdb.default_connection().from_arrow(table)
    if not any(pa.types.is_dictionary(field.type) for field in table.schema):
        return relation
    return relation.project(", ".join(map(types.as_read, table.column_names, table.columns)))


def open_relation(path: Path, columns: tuple[str, ...] | None) -> duckdb.DuckDBPyRelation:
    """A relation over a table on disk as Parquet, or over the named columns of it.

    DuckDB reads a folder of files itself, the columns and rows that a query needs, in order.
    Raises InexactValue.
    """
    if not path.is_dir():
        return thaw(parquet.read(path, columns))
    table = parquets.opened(path)
    empty = table.empty if columns is None else arrow.select(table.empty, columns)
    types.require_read(empty)
    files = [_GLOB.sub(r"[\g<0>]", str(file)) for file in table.files]
    relation = duckdb.default_connection().read_parquet(files, hive_partitioning=False)
    return relation.project(", ".join(map(types.delimited, empty.column_names)))


def batches(value: Any) -> Iterator[Any]:
    """Run a relation, and give its rows in batches, in order.

    Raises:
        InexactValue: the value is no relation, or none of the default connection, or a column is of
            a type that is not kept.
        duckdb.OutOfMemoryException: the memory that it may take did not suffice.
        StorageError: what did not fit into memory did not fit on disk, either.
        duckdb.Error: the query failed while it ran.
    """
    if not isinstance(value, duckdb.DuckDBPyRelation):
        raise InexactValue(_no_relation(value))
    types.require_kept(value.columns, value.types)
    _require_default(value)
    try:
        vectors = min(_BATCH_VECTORS, _BATCH_COLUMNS // len(value.columns))
        reader = value.to_arrow_reader(_VECTOR * max(1, vectors))
        rows = 0
        for batch in reader:
            rows += batch.num_rows
            yield batch
        if not rows:
            yield types.no_rows(reader.schema, value.types)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _meant(error) from None


def freeze(batch: Any) -> Any:
    """A batch of rows as a frozen table. Raises InexactValue, naming the column."""
    return arrow.freeze(types.with_usual_names(pa.Table.from_batches([batch])))


def _require_default(relation: duckdb.DuckDBPyRelation) -> None:
    """Refuse a relation of another connection: nothing limits the memory that it takes."""
    # The folder is the step's own. An aggregate of no rows has one row, and reads nothing.
    asked = relation.limit(0).aggregate(f"coalesce(max(NULL), {_ITS_FOLDER}) AS folder")
    default = duckdb.default_connection().sql(f"SELECT {_ITS_FOLDER} AS folder")
    if asked.fetchall() != default.fetchall():
        raise InexactValue(
            "the relation is of a connection that the step opened itself, so neither the memory "
            "nor the disk that it takes would have a limit; use duckdb.sql(...), after "
            "duckdb.sql(\"ATTACH 'FILE' AS name (READ_ONLY)\") for the tables of a file"
        )


def _no_relation(value: Any) -> str:
    kind = type(value)
    if kind.__name__ == "DuckDBPyConnection":
        remedy = "return connection.sql(...) of the default connection: duckdb.sql(...)"
    elif kind.__module__.partition(".")[0] in ("pandas", "pyarrow", "polars"):
        remedy = "return duckdb.sql('FROM name') of it, or annotate what the step returns"
    else:
        remedy = "return the relation itself, or annotate what the step returns"
    return (
        f"the step promised a duckdb.DuckDBPyRelation and returned {kind.__module__}."
        f"{kind.__qualname__}; {remedy}"
    )


def _meant(error: Exception) -> Exception:
    """An error while rows are read as what it is: Arrow hands on no more than its text."""
    text = " ".join(str(error).split())
    if "max_temp_directory_size" in text:
        return StorageError(
            f"DuckDB could not put more on disk: {text.partition('. This limit')[0]}. Free some "
            f"room, or raise max_disk in memory_budget.toml."
        )
    if isinstance(error, duckdb.Error):
        return error
    if "Out of Memory Error" in text:
        return duckdb.OutOfMemoryException(text)
    return duckdb.Error(text)
