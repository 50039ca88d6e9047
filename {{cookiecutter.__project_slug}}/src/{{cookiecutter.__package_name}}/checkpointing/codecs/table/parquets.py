"""A folder of Parquet files that another library has written: one table, in the order of the names.

Every file has the same columns. Nothing is noted about them but what Parquet itself says, so the
table is what Arrow reads, with the names that Arrow itself gives to elements of lists and maps.
Files are read one after the other, and of each no more than what is asked for.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import xxhash

from ...base.errors import StorageError
from .arrow import select
from .buffers import no_rows, read_only, with_type
from .parts import as_part, refuse_nan_beside_nulls, with_note

BATCH_ROWS = 1 << 13
"""Rows of a file that are decoded at a time."""

BY_PAGES: dict[str, Any] = {"pre_buffer": False, "buffer_size": 1 << 20}
"""Options to read pages when they are decoded; by default Arrow holds the bytes of all of them."""

_NUMBER = re.compile(r"part-(\d+)(?:.*-c(\d+)\b)?")
"""The task of Spark that has written a file, and which of its files that is."""

_SUFFIX = ".parquet"


def files_of(folder: Path) -> list[Path]:
    """The files of the table, in the order of its rows."""
    return sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)


def settle(folder: Path) -> None:
    """Leave in a folder that was just written the Parquet files alone, with names in their order.

    Raises StorageError if there is none.
    """
    parts = []
    for path in sorted(folder.iterdir()):
        match = _NUMBER.match(path.name)
        if match and path.suffix == _SUFFIX:
            parts.append((int(match[1]), int(match[2] or 0), path.name, path))
        elif path.is_file():
            path.unlink()
    if not parts:
        raise StorageError(
            f"nothing was written to {folder}. If the steps run on other machines, these must see "
            "the folder of the checkpoints under the same path."
        )
    width = max(5, len(str(len(parts))))
    for number, (*_, path) in enumerate(sorted(parts)):
        path.rename(folder / f"part-{number:0{width}}{_SUFFIX}")


@dataclass(frozen=True)
class Table:
    """A folder whose files are known, but not open.

    Attributes:
        files: in the order of the rows.
        empty: the table without rows, with all columns.
        rows: how many all files have.
        encoded: bytes of all rows, as they were encoded.
        nulls: the columns that have nulls.
        unknown: the columns of which the files do not say whether they have.
    """

    files: tuple[Path, ...]
    empty: Any
    rows: int
    encoded: int
    nulls: frozenset[str]
    unknown: frozenset[str]

    def parts(self, columns: tuple[str, ...] | None) -> Iterator[Any]:
        """The rows, some at a time; the first table has none. Raises InexactValue."""
        empty = self.empty if columns is None else select(self.empty, columns)
        yield empty
        for path in self.files:
            with _opened(path) as file:
                names = empty.column_names
                for batch in file.iter_batches(BATCH_ROWS, columns=names, use_threads=False):
                    yield _usual(pa.Table.from_batches([batch]).select(names), empty.schema)

    def whole(self, columns: tuple[str, ...] | None) -> Any:
        """All rows of the named columns, or of all. Raises InexactValue for unknown columns."""
        empty = self.empty if columns is None else select(self.empty, columns)
        tables = [empty]
        for path in self.files:
            with _opened(path) as file:
                table = file.read(columns=empty.column_names).select(empty.column_names)
                tables.append(_usual(table, empty.schema))
        return pa.concat_tables(tables)

    def first(self, count: int) -> Any:
        """The first rows."""
        parts, rows = [self.empty], 0
        for part in self.parts(None):
            parts.append(part.slice(0, count - rows))
            rows += parts[-1].num_rows
            if rows >= count:
                break
        return pa.concat_tables(parts)

    def as_whole(self, columns: tuple[str, ...] | None) -> Any:
        """The table without rows, with a note of which columns have nulls in any row.

        Raises InexactValue if a column holds both NaN and nulls.
        """
        empty = self.empty if columns is None else select(self.empty, columns)
        nulls = {name: name in self.nulls or self._has_nulls(name) for name in empty.column_names}
        for field in empty.schema:
            if nulls[field.name] and pa.types.is_floating(field.type):
                for part in self.parts((field.name,)):
                    if pc.any(pc.is_nan(part.column(0))).as_py():
                        joined = pa.chunked_array([pa.array([float("nan")])])
                        refuse_nan_beside_nulls(joined, f"column {field.name!r}")
        return with_note(empty, [nulls[name] for name in empty.column_names], 0)

    def _has_nulls(self, name: str) -> bool:
        if name not in self.unknown:
            return False
        return any(part.column(0).null_count for part in self.parts((name,)))


def opened(folder: Path) -> Table:
    """What the files of a folder say of their table. Raises StorageError if they differ."""
    files = tuple(files_of(folder))
    schema: Any = None
    rows = encoded = 0
    nulls, unknown = set[str](), set[str]()
    for path in files:
        with _opened(path) as file:
            own = pa.schema([(field.name, _usual_type(field.type)) for field in file.schema_arrow])
            if schema is not None and not own.equals(schema):
                raise StorageError(f"{path} has other columns than {files[0].name}")
            schema, about = own, file.metadata
            rows += about.num_rows
            for number in range(about.num_row_groups):
                group = about.row_group(number)
                encoded += group.total_byte_size
                _note_nulls(group, own, nulls, unknown)
    if schema is None:
        raise StorageError(f"there is no Parquet file in {folder}")
    return Table(files, no_rows(schema), rows, encoded, frozenset(nulls), frozenset(unknown))


def read(folder: Path, columns: tuple[str, ...] | None) -> Any:
    """The table, or the named columns of it. Raises InexactValue for unknown columns."""
    return opened(folder).whole(columns)


def dataset(folder: Path) -> Any:
    """The files as one `pyarrow.dataset.Dataset`, in the order of the names; no row is read yet."""
    return ds.dataset([str(file) for file in files_of(folder)], format="parquet")


def have_same_rows(left: Path, right: Path) -> bool:
    """Whether two folders have tables of the same columns and rows, in any order."""
    first, second = opened(left), opened(right)
    is_alike = first.rows == second.rows and first.empty.schema.equals(second.empty.schema)
    return is_alike and _digests(first) == _digests(second)


def _digests(table: Table) -> list[int]:
    """A digest of each row, sorted."""
    digests: list[int] = []
    for part in table.parts(None):
        rows = zip(*(column.to_pylist() for column in part.columns), strict=True)
        digests.extend(xxhash.xxh3_64_intdigest(repr(row).encode()) for row in rows)
    return sorted(digests)


def describe(folder: Path) -> dict[str, Any]:
    """The description of the table in a manifest; its first rows are decoded, to see that they can.

    Raises StorageError, and what Arrow raises for files that it cannot read.
    """
    table = opened(folder)
    table.first(1).validate(full=True)
    schema = {field.name: str(field.type) for field in table.empty.schema}
    return {"rows": table.rows, "schema": schema, "files": len(table.files)}


def noted(part: Any, whole: Any, start: int) -> Any:
    """Rows with the note of the whole, from a row's number on."""
    return as_part(part.replace_schema_metadata(whole.schema.metadata), start)


def row_bytes(folder: Path) -> float:
    """The bytes of a row, as it was encoded; 0 if there is none."""
    table = opened(folder)
    return table.encoded / table.rows if table.rows else 0.0


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with pa.OSFile(os.fsencode(path)) as bytes_of, pq.ParquetFile(bytes_of, **BY_PAGES) as file:
        yield file


def _note_nulls(group: Any, schema: Any, nulls: set[str], unknown: set[str]) -> None:
    """Note of a group of rows which plain columns have nulls; nested ones say nothing."""
    columns = [group.column(number) for number in range(group.num_columns)]
    # `a.b` is a column of that name, or the field `b` of `a`: of one of both alone it says which.
    paths = Counter(column.path_in_schema for column in columns)
    for column in columns:
        name = column.path_in_schema
        if name not in schema.names:
            continue
        statistics = column.statistics if paths[name] == 1 else None
        if statistics is None or not statistics.has_null_count:
            unknown.add(name)
        elif statistics.null_count:
            nulls.add(name)


def _usual(table: Any, schema: Any) -> Any:
    """The table with the names of types that the schema has."""
    columns = [
        read_only(
            column
            if str(column.type) == str(field.type)
            else pa.chunked_array([with_type(c, field.type) for c in column.chunks], field.type)
        )
        for field, column in zip(schema, table.columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _usual_type(kind: Any) -> Any:
    """The type with the names that Arrow itself gives to elements, and nulls allowed anywhere."""
    if pa.types.is_list(kind):
        return pa.list_(_usual_type(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(_usual_type(kind.key_type), _usual_type(kind.item_type))
    if pa.types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return pa.struct([(field.name, _usual_type(field.type)) for field in fields])
    return kind
