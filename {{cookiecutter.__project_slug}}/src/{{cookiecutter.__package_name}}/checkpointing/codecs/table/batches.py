"""Read a table in batches: slices of a frozen table, in memory, in a mapped file or in Parquet.

A slice is a frozen table, which a codec thaws like a whole one. Its rows keep the labels, and its
columns the dtypes, that they have in the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..on_disk import PARQUETS, OnDisk
from . import arrow, parquet, parquets
from .parts import as_part, with_nulls_noted

Rows = Callable[[], int]
"""How many rows the next slice is to have, at most; it is asked before each slice."""


def row_bytes(frozen: Any) -> float:
    """The bytes of a row of a frozen table, on average; 0 if it has no rows."""
    return arrow.own_bytes(frozen) / frozen.num_rows if frozen.num_rows else 0.0


def stored_row_bytes(path: Path, form: str, columns: tuple[str, ...] | None) -> float:
    """The bytes of a row of a table in a file; of Parquet, as it was encoded."""
    if form == PARQUETS:
        return parquets.row_bytes(path)
    if form != "parquet":
        return row_bytes(arrow.read(path, columns))
    with pq.ParquetFile(path) as file:
        about = file.metadata
        groups = (about.row_group(number) for number in range(about.num_row_groups))
        return float(sum(group.total_byte_size for group in groups) / max(1, about.num_rows))


def slices(frozen: Any, rows: Rows) -> Iterator[Any]:
    """The rows of a frozen table, in order; one slice without rows if it has none."""
    is_foreign = arrow.raw_recipe_of(frozen) is None
    whole = with_nulls_noted(frozen) if is_foreign else frozen
    if not frozen.num_rows:
        yield whole
    start = 0
    while start < frozen.num_rows:
        part = whole.slice(start, max(1, rows()))
        yield as_part(part, start) if is_foreign else arrow.relabelled(part, frozen, start)
        start += part.num_rows


def stored_slices(
    path: Path, form: str, columns: tuple[str, ...] | None, rows: Rows
) -> Iterator[Any]:
    """The rows of a table in a checkpoint's file, or the named columns of them.

    Of a Parquet file no more rows are decoded at a time than a slice has, and a few thousand more.
    Raises InexactValue for unknown columns.
    """
    if form not in ("parquet", PARQUETS):
        yield from slices(arrow.read(path, columns), rows)
        return
    start = 0
    if form == PARQUETS:
        table = parquets.opened(path)
        whole = table.as_whole(columns)
        for part in divided(table.parts(columns), rows):
            yield parquets.noted(part, whole, start)
            start += part.num_rows
        return
    with parquet.opened(path, columns) as stored:
        for part in divided(stored.tables(), rows):
            yield arrow.relabelled(stored.restored(part), stored.empty, start)
            start += part.num_rows


def parts_of(frozen: Any, rows: int) -> Iterator[Any]:
    """A frozen table some rows at a time, without a note of the whole; at least one part."""
    if isinstance(frozen, OnDisk):
        yield from divided(parquets.opened(frozen.path).parts(None), lambda: rows)
        return
    for start in range(0, max(1, frozen.num_rows), rows):
        yield frozen.slice(start, rows)


def rows_of(frozen: Any) -> int:
    """The number of rows of a frozen table."""
    return parquets.opened(frozen.path).rows if isinstance(frozen, OnDisk) else frozen.num_rows


def whole_of(frozen: Any) -> Any:
    """A frozen table in memory."""
    return parquets.read(frozen.path, None) if isinstance(frozen, OnDisk) else frozen


def empty_of(frozen: Any) -> Any:
    """A frozen table without rows, with what it says of its columns."""
    if isinstance(frozen, OnDisk):
        return parquets.opened(frozen.path).empty
    return arrow.slice_rows(frozen, 0)


def read_first(path: Path, form: str, rows: int) -> tuple[int, Any]:
    """The number of rows of a table in a checkpoint's file, and the first of them."""
    if form == PARQUETS:
        stored = parquets.opened(path)
        return stored.rows, stored.first(rows)
    if form == "parquet":
        count, first = parquet.read_first(path, rows)
        return count, arrow.relabelled(first, first, 0)
    table = arrow.read(path, None)
    return table.num_rows, arrow.slice_rows(table, rows)


def divided(tables: Iterable[Any], rows: Rows) -> Iterator[Any]:
    """The rows of tables of one schema, divided anew; one table without rows if there are none."""
    tables = iter(tables)
    waiting = next(tables)
    is_over = is_begun = False
    while not is_over or waiting.num_rows:
        wanted, parts, count = max(1, rows()), [waiting], waiting.num_rows
        while count < wanted and not is_over:
            table = next(tables, None)
            is_over = table is None
            if table is not None:
                parts.append(table)
                count += table.num_rows
        joined = pa.concat_tables(parts) if len(parts) > 1 else waiting
        part, waiting = joined.slice(0, wanted), joined.slice(wanted)
        if part.num_rows or not is_begun:
            yield part
        is_begun = True
