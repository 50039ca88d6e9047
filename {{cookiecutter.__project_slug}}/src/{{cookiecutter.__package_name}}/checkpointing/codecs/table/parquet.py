"""Parquet: for outputs, for other engines, and for checkpoints where disk is scarce.

The file contains nulls where pandas has NaN and NaT, and pandas' own metadata, for other readers.
What Parquet would drop or change (the categories of a column, some types) is also in the file's
metadata, so that reading gives back the frozen table that was written.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...base.errors import InexactValue
from ..on_disk import OnDisk
from . import parquets
from .arrow import column_recipes, own_bytes, recipe_of, select, with_nulls, with_recipe
from .arrow_types import has_dictionary, within
from .buffers import Recipe, no_rows, one_chunk, read_only, with_type
from .columns import index_from_arrow
from .frames import ONLY_INDEX, thaw_frame
from .packing import pack_table, unpack_table
from .parquets import BATCH_ROWS, BY_PAGES
from .sentinels import as_sentinels

_KEY = b"checkpointing.parquet"
_GROUP_BYTES = 1 << 24
# With compliant names of list elements, Parquet would give back another Arrow type.
_OPTIONS = {"use_compliant_nested_type": False}
# The dictionaries in the metadata may be larger than readers allow by default.
_LIMITS = {"thrift_string_size_limit": 2**31 - 1}


def write(frozen: Any, file: BinaryIO) -> None:
    """Write a Parquet file, compressed; raises InexactValue, naming a column it cannot keep."""
    parts = _parts(frozen)
    if isinstance(frozen, OnDisk):
        frozen = next(parts)
    names = frozen.column_names
    if len(set(names)) < len(names):
        raise InexactValue(
            "the table has several columns of one name, which Parquet cannot tell apart; "
            "give every column a name of its own with table.rename_columns(...)"
        )
    recipe = recipe_of(frozen)
    sink, writer, metadata = pa.PythonFile(file, mode="w"), None, dict[bytes, Any]()
    for part in parts:
        table, dictionaries = _as_written(part, recipe)
        if writer is None:
            schema = pack_table(no_rows(frozen.schema))
            restoring = json.dumps({"schema": schema, "dictionaries": dictionaries}).encode()
            metadata = {_KEY: restoring, **pandas_metadata(frozen, recipe, table.schema)}
        table = table.replace_schema_metadata(metadata)
        try:
            writer = writer or pq.ParquetWriter(sink, table.schema, **_OPTIONS)
            writer.write_table(table)
        except pa.ArrowException as error:
            raise _refusal_of_column(table, error) from None
    assert writer is not None, "there is a part, if without rows"
    writer.close()


def _parts(frozen: Any) -> Iterator[Any]:
    """The table, or of a large one in chunks a few of them at a time, each for a row group.

    Of a table on disk the first part has no rows.
    """
    if isinstance(frozen, OnDisk):
        yield from _read_parts(frozen)
        return
    chunks = max((column.num_chunks for column in frozen.columns), default=0)
    if chunks <= 1 or own_bytes(frozen) <= _GROUP_BYTES:
        yield frozen
        return
    start = size = rows = 0
    for batch in frozen.to_batches():
        size, rows = size + batch.nbytes, rows + batch.num_rows
        if size >= _GROUP_BYTES:
            yield frozen.slice(start, rows)
            start, size, rows = start + rows, 0, 0
    if rows:
        yield frozen.slice(start, rows)


def _read_parts(frozen: OnDisk) -> Iterator[Any]:
    waiting, size = list[Any](), 0
    for part in parquets.opened(frozen.path).parts(None):
        if not size and not waiting:
            yield part
        waiting, size = [*waiting, part], size + own_bytes(part)
        if size >= _GROUP_BYTES:
            yield pa.concat_tables(waiting)
            waiting, size = [part.slice(0, 0)], 0
    yield pa.concat_tables(waiting)


def _as_written(frozen: Any, recipe: Recipe | None) -> tuple[Any, dict[str, str]]:
    """Rows of a frozen table as Parquet has them, and the dictionaries that it does not keep."""
    table = frozen if recipe is None else with_nulls(frozen, recipe)
    names, columns, dictionaries = frozen.column_names, [], {}
    recipes = _recipes(table, recipe)
    for name, column, column_recipe in zip(names, table.columns, recipes, strict=True):
        if pa.types.is_dictionary(column.type):
            try:
                column, values, written = _encode(one_chunk(column), column_recipe, name)
            except pa.ArrowException as reason:
                raise _refusal(name, reason) from None
            dictionaries[name] = pack_table(pa.table({"kinds": values, "written": written}))
        elif has_dictionary(column.type):
            raise InexactValue(
                f"column {name!r} holds dictionaries within {column.type}, of which Parquet keeps "
                "neither order nor unused values; cast it to a type without dictionaries"
            )
        for component in within(column.type):
            if pa.types.is_fixed_size_list(component) and component.list_size == 0:
                # Writing some of these would end the process.
                raise _refusal(name, f"it holds lists of the fixed size 0 ({component})")
        columns.append(column)
    return pa.Table.from_arrays(columns, names=names), dictionaries


def read(path: Path, columns: tuple[str, ...] | None) -> Any:
    """The frozen table that was written, or the named columns of it and its index."""
    with opened(path, columns) as stored:
        return stored.restored(stored.file.read(columns=stored.empty.column_names))


@dataclass(frozen=True)
class Stored:
    """A Parquet file that is open: its rows, and how they become rows of the frozen table.

    `empty` is the frozen table without rows.
    """

    file: pq.ParquetFile
    empty: Any
    dictionaries: dict[str, str]

    def tables(self) -> Iterator[Any]:
        """The rows as they are in the file, some at a time; the first table has none."""
        names = self.empty.column_names
        schema = pa.schema([self.file.schema_arrow.field(name) for name in names])
        yield no_rows(schema)
        for batch in self.file.iter_batches(BATCH_ROWS, columns=names, use_threads=False):
            yield pa.Table.from_batches([batch]).select(names).replace_schema_metadata(None)

    def restored(self, table: Any) -> Any:
        """Some of these rows as rows of the frozen table."""
        return _restore(table, self.empty, self.dictionaries)


@contextlib.contextmanager
def opened(path: Path, columns: tuple[str, ...] | None) -> Iterator[Stored]:
    """A file, or the named columns of it and its index, to be read some rows at a time."""
    with (
        pa.OSFile(os.fsencode(path)) as bytes_of,
        pq.ParquetFile(bytes_of, **_LIMITS, **BY_PAGES) as file,
    ):
        restoring = json.loads(file.schema_arrow.metadata[_KEY])
        empty = unpack_table(restoring["schema"])
        if columns is not None:
            empty = select(empty, columns)
        yield Stored(file, empty, restoring["dictionaries"])


def read_first(path: Path, count: int) -> tuple[int, Any]:
    """The number of rows in a file, and the first of them as `read` returns them."""
    with pa.memory_map(os.fsencode(path)) as bytes_of, pq.ParquetFile(bytes_of, **_LIMITS) as file:
        restoring = json.loads(file.schema_arrow.metadata[_KEY])
        first = list(itertools.islice(file.iter_batches(count, use_threads=False), 1))
        table = pa.Table.from_batches(first, file.schema_arrow)
        empty = unpack_table(restoring["schema"])
        return file.metadata.num_rows, _restore(table, empty, restoring["dictionaries"])


def _restore(table: Any, empty: Any, dictionaries: dict[str, str]) -> Any:
    """The frozen table of a table from Parquet; `empty` is the same frozen table without rows."""
    recipe = recipe_of(empty)
    arrays = []
    for field, column_recipe in zip(empty.schema, _recipes(empty, recipe), strict=True):
        column = table.column(field.name)
        if field.name in dictionaries:
            values, written = unpack_table(dictionaries[field.name]).columns
            column = _decode(one_chunk(column), field.type, one_chunk(values), one_chunk(written))
        elif column.type != field.type and not pa.types.is_run_end_encoded(field.type):
            column = column.cast(field.type)
        if column_recipe is not None and column_recipe["as"] != "arrow":
            column = as_sentinels(one_chunk(column), column_recipe)
        arrays.append(read_only(_named(column, field.type)))
    return pa.Table.from_arrays(arrays, schema=empty.schema)


def _named(column: Any, arrow_type: Any) -> Any:
    """The column with the names of the type: Parquet gives the items of maps another name."""
    if not isinstance(column, pa.ChunkedArray) or str(column.type) == str(arrow_type):
        return column
    return pa.chunked_array([with_type(chunk, arrow_type) for chunk in column.chunks], arrow_type)


def _recipes(table: Any, recipe: Recipe | None) -> Sequence[Recipe | None]:
    return [None] * table.num_columns if recipe is None else column_recipes(recipe)


def _encode(array: Any, recipe: Recipe | None, name: str) -> tuple[Any, Any, Any]:
    """The array to write for a dictionary column, its dictionary, and the dictionary as written.

    Parquet has dictionaries of text only, and loses their order and their unused values.
    """
    values = array.dictionary
    if pa.types.is_nested(values.type):
        written = _texts(values, recipe, name)
        texts = pa.DictionaryArray.from_arrays(array.indices, written, safe=False)
        return texts, values, written
    if values.null_count or len(values.unique()) < len(values):
        raise InexactValue(
            f"column {name!r} has a dictionary that holds null, or a value twice, which Parquet "
            "cannot tell apart; use column.dictionary_decode()"
        )
    text_types = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
    return array if values.type in text_types else array.dictionary_decode(), values, values


def _decode(array: Any, arrow_type: Any, values: Any, written: Any) -> Any:
    if pa.types.is_dictionary(array.type):
        positions = pc.index_in(array.dictionary.cast(written.type), written, skip_nulls=True)
        codes = positions.take(array.indices)
    else:
        codes = pc.index_in(array.cast(written.type), written, skip_nulls=True)
    codes = codes.cast(arrow_type.index_type)
    return pa.DictionaryArray.from_arrays(codes, values, ordered=arrow_type.ordered)


def _texts(values: Any, recipe: Recipe | None, name: str) -> Any:
    """Categories such as intervals as text, for people and other engines."""
    if recipe is not None and "categories" in recipe:
        texts = pa.array([str(value) for value in index_from_arrow(values, recipe["categories"])])
        if len(texts.unique()) == len(texts):
            return texts.cast(pa.string())
    raise InexactValue(
        f"column {name!r} has categories of type {values.type}, which Parquet cannot keep; "
        "use categories of text"
    )


def pandas_metadata(frozen: Any, recipe: Recipe | None, schema: Any) -> dict[bytes, bytes]:
    """The metadata for `pandas.read_parquet`: which columns are the index, and their dtypes.

    It is empty if pandas could not read a file of this schema with it.
    """
    if recipe is None or "series" in recipe:
        return {}
    index = recipe["index"]
    if "range" in index:
        index = index | {"range": [0, 0, 1]}
    recipe = {key: part for key, part in recipe.items() if key != ONLY_INDEX}
    empty = thaw_frame(with_recipe(frozen.slice(0, 0), recipe | {"index": index}))
    try:
        with warnings.catch_warnings():
            # pandas warns that labels other than str are lost; the recipe restores them.
            warnings.simplefilter("ignore")
            encoded = pa.Schema.from_pandas(empty).metadata[b"pandas"]
            no_rows(schema.with_metadata({b"pandas": encoded})).to_pandas()
    except MemoryError:
        raise
    except Exception:  # pandas raises any type for dtypes and labels that it cannot describe
        return {}
    metadata = json.loads(encoded)
    for entry in metadata["index_columns"]:
        if isinstance(entry, dict) and "range" in recipe["index"]:
            start, stop, step = recipe["index"]["range"]
            entry |= {"start": start, "stop": stop, "step": step}
    return {b"pandas": json.dumps(metadata).encode()}


def _refusal_of_column(table: Any, error: Exception) -> Exception:
    """An error that names the first column that cannot be written alone; else `error` itself."""
    for name in table.column_names:
        try:
            pq.write_table(table.select([name]), io.BytesIO(), **_OPTIONS)
        except pa.ArrowException as reason:
            return _refusal(name, reason)
    return error


def _refusal(name: str, reason: Exception | str) -> InexactValue:
    return InexactValue(
        f"column {name!r} cannot be kept in Parquet: {reason}; "
        "convert it with astype(...), or drop it"
    )
