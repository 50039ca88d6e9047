"""Frozen tables: `pyarrow.Table`, and Arrow IPC files, whose bytes are those in memory.

The schema's metadata of a table that was a DataFrame or Series contain the recipes to restore it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from ...base.errors import InexactValue
from .arrow_types import require_kept, within
from .buffers import Recipe, one_chunk, read_only, write_batches
from .indexes import chosen_labels, level_recipes, pack_index, unpack_index
from .lots import lots_bytes, rest_of
from .parts import without_note
from .sentinels import as_nulls

_KEY = b"checkpointing"


def freeze(value: Any) -> Any:
    """A `pyarrow.Table` with its chunks; the chunks of a column get the same dictionary.

    Raises InexactValue, naming the column.
    """
    if type(value) is not pa.Table:
        kind = type(value)
        raise InexactValue(
            f"the step promised a pyarrow.Table and returned {kind.__module__}."
            f"{kind.__qualname__}; annotate what it returns, or convert it"
        )
    if value.num_rows and not value.num_columns:
        raise InexactValue(
            f"the table has {value.num_rows} rows and no columns, and a file gives back no rows "
            "without columns; keep a column, or return the number of rows"
        )
    for field, column in zip(value.schema, value.columns, strict=True):
        require_kept(field.type, f"column {field.name!r}")
        if column.num_chunks > 1 and _is_of_halves(field.type):
            raise InexactValue(
                f"column {field.name!r} is in chunks with dictionaries of float16, of which Arrow "
                "takes the bits for whole numbers when it makes them one; use "
                "column.dictionary_decode()"
            )
    table = _without_notes(value)
    try:
        table = table.unify_dictionaries()
    except pa.ArrowException:
        for name in table.column_names:
            _require_one_dictionary(table, name)
        raise
    return pa.Table.from_arrays(list(map(read_only, table.columns)), schema=table.schema)


def _without_notes(table: Any) -> Any:
    """The table without what codecs have noted of another one, of which a step made it."""
    metadata = {k: v for k, v in (table.schema.metadata or {}).items() if not k.startswith(_KEY)}
    return table.replace_schema_metadata(metadata or None)


def _is_of_halves(arrow_type: Any) -> bool:
    return bool(pa.types.is_dictionary(arrow_type) and pa.types.is_float16(arrow_type.value_type))


def _require_one_dictionary(table: Any, name: str) -> None:
    try:
        table.select([name]).unify_dictionaries()
    except pa.ArrowException as reason:
        raise InexactValue(
            f"column {name!r} is in chunks whose dictionaries cannot be made one ({reason}); "
            "use column.dictionary_decode()"
        ) from None


def thaw(frozen: Any) -> Any:
    """The table; from a DataFrame, with nulls for NaN and NaT and the index as the last columns."""
    recipe = recipe_of(frozen)
    return without_note(frozen) if recipe is None else without_recipe(with_nulls(frozen, recipe))


def freeze_batch(value: Any) -> Any:
    """A `pyarrow.RecordBatch` as a table; raises InexactValue, naming the column."""
    if type(value) is not pa.RecordBatch:
        kind = type(value)
        raise InexactValue(
            f"the step promised a pyarrow.RecordBatch and returned {kind.__module__}."
            f"{kind.__qualname__}; annotate what it returns, or convert it"
        )
    return freeze(pa.Table.from_batches([value]))


def thaw_batch(frozen: Any) -> Any:
    """The whole table as one batch."""
    table = thaw(frozen)
    columns = [one_chunk(column) for column in table.columns]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def batches_of(reader: Any) -> Iterator[Any]:
    """The batches of a `pyarrow.RecordBatchReader`; raises InexactValue for anything else."""
    if not isinstance(reader, pa.RecordBatchReader):
        kind = type(reader)
        raise InexactValue(
            f"the step promised a pyarrow.RecordBatchReader and returned {kind.__module__}."
            f"{kind.__qualname__}; annotate what it returns, or convert it"
        )
    batch = None
    for batch in reader:
        yield batch
    if batch is None:
        yield no_rows_batch(reader.schema)


def thaw_reader(frozen: Any) -> Any:
    """A reader of the table's record batches."""
    return thaw(frozen).to_reader()


def no_rows_batch(schema: Any) -> Any:
    """A batch without rows, of any schema."""
    arrays = [pa.nulls(0, field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def with_nulls(frozen: Any, recipe: Recipe) -> Any:
    """A frozen frame with nulls for NaN and NaT; it shares the data."""
    columns = zip(frozen.columns, column_recipes(recipe), strict=True)
    arrays = [
        column if column_recipe["as"] == "arrow" else _with_nulls(column, column_recipe)
        for column, column_recipe in columns
    ]
    fields = [
        field if column.type == field.type else field.with_type(column.type)  # of a sparse column
        for field, column in zip(frozen.schema, arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, frozen.schema.metadata))


def _with_nulls(column: Any, recipe: Recipe) -> Any:
    if column.num_chunks <= 1:
        return as_nulls(one_chunk(column), recipe)
    return pa.chunked_array([as_nulls(chunk, recipe) for chunk in column.chunks])


def write(frozen: Any, file: BinaryIO) -> None:
    """Write an uncompressed Arrow IPC file, with one record batch if no column is in chunks."""
    options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
    sink = pa.PythonFile(file, mode="w")
    with pa.ipc.new_file(sink, frozen.schema, options=options) as writer:
        write_batches(writer, frozen)


def read(path: Path, columns: tuple[str, ...] | None) -> Any:
    """Map an Arrow IPC file; the kernel loads its pages on first use."""
    with pa.ipc.open_file(pa.memory_map(os.fsencode(path))) as reader:
        table = reader.read_all()
    return table if columns is None else select(table, columns)


def select(frozen: Any, columns: tuple[str, ...]) -> Any:
    """The named columns in this order, and the index.

    Raises InexactValue for unknown columns, and for a name that several columns have.
    """
    recipe = raw_recipe_of(frozen)
    names = _names(frozen, recipe)
    counts = Counter(names)
    unknown = [name for name in columns if name not in counts]
    if unknown:
        raise InexactValue(
            f"there is no column {', '.join(map(repr, unknown))} among "
            f"{', '.join(map(repr, names))}; correct Columns(...), or the step that makes the table"
        )
    if twice := [name for name in columns if counts[name] > 1]:
        raise InexactValue(
            f"there are {counts[twice[0]]} columns {twice[0]!r}, and Columns(...) does not say "
            "which; give each column a name of its own in the step that makes the table"
        )
    if recipe is None:
        return frozen.select(list(columns))
    positions = [names.index(name) for name in columns]
    labels = chosen_labels(unpack_index(recipe["labels"]), positions)
    selected = recipe | {
        "columns": [recipe["columns"][position] for position in positions],
        "labels": pack_index(labels, "the column labels"),
    }
    levels = range(len(names), frozen.num_columns)
    return with_recipe(frozen.select([*positions, *levels]), selected)


def columns_to_keep(frozen: Any, columns: Collection[str]) -> tuple[str, ...]:
    """Those columns of a frozen table in its own order; none if that are all, or it lacks one.

    Who reads the whole table then gets to know which column is lacking.
    """
    names = _names(frozen, raw_recipe_of(frozen))
    known = set(names)
    if len(known) < len(names) or not set(columns) < known:
        return ()
    return tuple(name for name in names if name in columns)


def _names(frozen: Any, recipe: Recipe | None) -> list[str]:
    """The columns of a table, without those of its index."""
    names: list[str] = frozen.column_names
    return names if recipe is None else names[: len(recipe["columns"])]


def slice_rows(frozen: Any, rows: int) -> Any:
    """The first rows of a frozen table, as a frozen table of their own."""
    recipe = raw_recipe_of(frozen)
    first = frozen.slice(0, rows)
    if recipe is None or "range" not in recipe["index"]:
        return first
    start, _, step = recipe["index"]["range"]
    index = recipe["index"] | {"range": [start, start + step * first.num_rows, step]}
    return with_recipe(first, recipe | {"index": index})


def relabelled(part: Any, whole: Any, start: int) -> Any:
    """Rows of a frozen frame, from number `start` on, with their labels in the whole."""
    recipe = recipe_of(whole)
    if recipe is None or "range" not in recipe["index"]:
        return part
    first, _, step = recipe["index"]["range"]
    first += start * step
    index = recipe["index"] | {"range": [first, first + step * part.num_rows, step]}
    return with_recipe(part, recipe | {"index": index})


def own_bytes(table: Any) -> int:
    """The bytes of a table's rows: of a slice, those of the slice only, if Arrow can count them."""
    others = sum(
        column.get_total_buffer_size() if _has_union(column.type) else column.nbytes
        for column in rest_of(table)
    )
    return lots_bytes(table) + int(others)


def whole_bytes(table: Any) -> int:
    """The bytes of all buffers of a table; those that columns share count once."""
    if not (of_lots := lots_bytes(table)):
        return int(table.get_total_buffer_size())
    rest = rest_of(table)
    names = list(map(str, range(len(rest))))
    return of_lots + int(pa.Table.from_arrays(rest, names).get_total_buffer_size())


def _has_union(arrow_type: Any) -> bool:
    # Counting the bytes of some unions, such as those of a slice, would end the process.
    return any(pa.types.is_union(component) for component in within(arrow_type))


def recipe_of(frozen: Any) -> Recipe | None:
    """The recipe to restore a DataFrame or Series from the table; None for any other table."""
    recipe = raw_recipe_of(frozen)
    if recipe is not None and "rows" in recipe["index"]:
        start, step = recipe["index"]["rows"]
        span = [start, start + step * frozen.num_rows, step]
        recipe["index"] = {"range": span, "name": recipe["index"]["name"]}
    return recipe


def raw_recipe_of(frozen: Any) -> Recipe | None:
    """The recipe as it is written.

    A table that came in batches knows only at its end how many rows it has. So the recipe of its
    index may be `rows`: the first label, and the step from one to the next.
    """
    metadata = frozen.schema.metadata or {}
    return json.loads(metadata[_KEY]) if _KEY in metadata else None


def column_recipes(recipe: Recipe) -> list[Recipe]:
    """A recipe for each column of the table: those of the frame, then those of its index."""
    return [*recipe["columns"], *level_recipes(recipe["index"])]


def with_recipe(table: Any, recipe: Recipe) -> Any:
    """The table with this recipe in its metadata."""
    return table.replace_schema_metadata({_KEY: json.dumps(recipe)})


def without_recipe(table: Any) -> Any:
    """The table without its recipe, which is wrong for a table with other columns."""
    metadata = {key: v for key, v in (table.schema.metadata or {}).items() if key != _KEY}
    return table.replace_schema_metadata(metadata or None)
