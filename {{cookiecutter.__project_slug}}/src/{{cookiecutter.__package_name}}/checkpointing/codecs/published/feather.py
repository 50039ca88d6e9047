"""Feather and plain Arrow files, for other programs: nulls where pandas has NaN and NaT."""

from __future__ import annotations

from typing import Any, BinaryIO

import pyarrow as pa

from ..table.arrow import recipe_of, with_nulls
from ..table.buffers import write_batches
from ..table.parquet import pandas_metadata


def write_feather(frozen: Any, file: BinaryIO) -> None:
    """A Feather file, compressed, that `pandas.read_feather` turns into the frame again."""
    _write(frozen, file, "lz4")


def write_arrow(frozen: Any, file: BinaryIO) -> None:
    """The same, not compressed, so that its reader can map it."""
    _write(frozen, file, None)


def _write(frozen: Any, file: BinaryIO, compression: str | None) -> None:
    recipe = recipe_of(frozen)
    table = frozen
    if recipe is not None:
        table = with_nulls(frozen, recipe)
        metadata = pandas_metadata(frozen, recipe, table.schema.remove_metadata())
        table = table.replace_schema_metadata(metadata or None)
    options = pa.ipc.IpcWriteOptions(unify_dictionaries=True, compression=compression)
    sink = pa.PythonFile(file, mode="w")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        write_batches(writer, table)
