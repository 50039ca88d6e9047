"""Frozen tables: `pyarrow.Table`, and Arrow IPC files, whose bytes are those in memory.

The schema's metadata of a table that was a DataFrame or Series contain the recipes to restore it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from ...base.errors import InexactValue
from .arrow_types import require_kept, within
from .buffers import Recipe, one_chunk, read_only, write_batches
from .indexes import level_recipes, pack_index, unpack_index
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
    for field in value.schema:
        require_kept(field.type, f"column {field.name!r}")
    table = without_recipe(value)
    try:
        table = table.unify_dictionaries()
    except pa.ArrowException:
        for name in table.column_names:
            _require_one_dictionary(table, name)
        raise
    return pa.Table.from_arrays(list(map(read_only, table.columns)), schema=table.schema)


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
    return frozen if recipe is None else without_recipe(with_nulls(frozen, recipe))


def with_nulls(frozen: Any, recipe: Recipe) -> Any:
    """A frozen frame with nulls for NaN and NaT; it shares the data."""
    columns = zip(frozen.columns, column_recipes(recipe), strict=True)
    arrays = [
        column if column_recipe["as"] == "arrow" else as_nulls(one_chunk(column), column_recipe)
        for column, column_recipe in columns
    ]
    fields = [
        field if column.type == field.type else field.with_type(column.type)  # of a sparse column
        for field, column in zip(frozen.schema, arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, frozen.schema.metadata))


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
    """The named columns in this order, and the index; raises InexactValue for unknown columns."""
    recipe = recipe_of(frozen)
    names = frozen.column_names if recipe is None else frozen.column_names[: len(recipe["columns"])]
    unknown = [name for name in columns if name not in names]
    if unknown:
        raise InexactValue(
            f"there is no column {', '.join(map(repr, unknown))} among "
            f"{', '.join(map(repr, names))}; correct Columns(...), or the step that makes the table"
        )
    if recipe is None:
        return frozen.select(list(columns))
    positions = [names.index(name) for name in columns]
    labels = unpack_index(recipe["labels"]).take(positions)
    selected = recipe | {
        "columns": [recipe["columns"][position] for position in positions],
        "labels": pack_index(labels, "the column labels"),
    }
    levels = range(len(names), frozen.num_columns)
    return with_recipe(frozen.select([*positions, *levels]), selected)


def slice_rows(frozen: Any, rows: int) -> Any:
    """The first rows of a frozen table, as a frozen table of their own."""
    recipe = recipe_of(frozen)
    first = frozen.slice(0, rows)
    if recipe is None or "range" not in recipe["index"]:
        return first
    start, _, step = recipe["index"]["range"]
    index = recipe["index"] | {"range": [start, start + step * first.num_rows, step]}
    return with_recipe(first, recipe | {"index": index})


def own_bytes(table: Any) -> int:
    """The bytes of a table's rows: of a slice, those of the slice only, if Arrow can count them."""
    return sum(
        column.get_total_buffer_size() if _has_union(column.type) else column.nbytes
        for column in table.columns
    )


def _has_union(arrow_type: Any) -> bool:
    # Counting the bytes of some unions, such as those of a slice, would end the process.
    return any(pa.types.is_union(component) for component in within(arrow_type))


def recipe_of(frozen: Any) -> Recipe | None:
    """The recipe to restore a DataFrame or Series from the table; None for any other table."""
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
