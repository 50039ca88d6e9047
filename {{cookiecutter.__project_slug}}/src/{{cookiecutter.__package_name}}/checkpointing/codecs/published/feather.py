"""Feather and plain Arrow files, for other programs: nulls where pandas has NaN and NaT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from ..on_disk import OnDisk
from ..table.arrow import recipe_of, slice_rows, with_nulls
from ..table.batches import empty_of, parts_of
from ..table.buffers import Recipe, write_batches
from ..table.parquet import pandas_metadata

_ROWS = 1 << 16  # of a table on disk that are a record batch


def write_feather(frozen: Any, file: BinaryIO) -> None:
    """A Feather file, compressed, that `pandas.read_feather` turns into the frame again."""
    _write(frozen, file, "lz4")


def write_arrow(frozen: Any, file: BinaryIO) -> None:
    """The same, not compressed, so that its reader can map it."""
    _write(frozen, file, None)


def _write(frozen: Any, file: BinaryIO, compression: str | None) -> None:
    known = empty_of(frozen) if isinstance(frozen, OnDisk) else frozen
    recipe, schema = recipe_of(known), known.schema
    if recipe is not None:
        schema = with_nulls(slice_rows(frozen, 0), recipe).schema.remove_metadata()
        schema = schema.with_metadata(pandas_metadata(frozen, recipe, schema) or None)
    options = pa.ipc.IpcWriteOptions(unify_dictionaries=True, compression=compression)
    sink = pa.PythonFile(file, mode="w")
    with pa.ipc.new_file(sink, schema, options=options) as writer:
        for part in _parts(frozen, recipe):
            write_batches(writer, part.replace_schema_metadata(schema.metadata))


def _parts(frozen: Any, recipe: Recipe | None) -> Iterator[Any]:
    """The table with nulls: a frame in chunks one chunk at a time."""
    if isinstance(frozen, OnDisk):
        yield from parts_of(frozen, _ROWS)
    elif recipe is None:
        yield frozen
    elif max((column.num_chunks for column in frozen.columns), default=0) <= 1:
        yield with_nulls(frozen, recipe)
    else:
        for batch in frozen.to_batches():
            yield with_nulls(pa.Table.from_batches([batch]), recipe)
