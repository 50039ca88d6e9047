"""DataFrame and Series as a table, and back as copy-on-write views for a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from ...base.errors import InexactValue
from ..plain import from_plain, to_plain
from .arrow import recipe_of, with_recipe
from .blocks import columns_to_arrow, frame_of
from .buffers import Recipe, one_chunk, read_only
from .columns import column_from_arrow, column_to_arrow
from .copy_on_write import share
from .foreign import adopt
from .indexes import index_from_levels, index_to_levels, level_names, pack_index, unpack_index
from .known_objects import know
from .labels import label_from_plain, label_to_plain
from .lots import lots_of, note_lots

ONLY_INDEX = "only_index"
"""The mark in the recipe of an index that is a value of its own."""

_Pandas = TypeVar("_Pandas", pd.DataFrame, "pd.Series[Any]")


def freeze_frame(value: Any) -> Any:
    """The DataFrame as a table that shares its memory; raises InexactValue, naming the column.

    The frame is marked as shared, so that code that still refers to it cannot change the table.
    """
    _expect(value, pd.DataFrame)
    names = _field_names(value.columns)
    pairs, lots, others = columns_to_arrow(value)
    for position, column in others:
        array, column_recipe = column_to_arrow(column, f"column {value.columns[position]!r}")
        pairs[position] = read_only(array), column_recipe
    recipe = {"labels": pack_index(value.columns, "the index of the columns")}
    table = _assemble(value, names, [pairs[n] for n in range(len(names))], recipe)
    note_lots(table, lots)
    return table


def freeze_series(value: Any) -> Any:
    """The Series as a table of one column that shares its memory; raises InexactValue."""
    _expect(value, pd.Series)
    recipe = {
        "labels": pack_index(pd.RangeIndex(1), "the index of the columns"),
        "series": label_to_plain(value.name, "the Series' name"),
    }
    array, column_recipe = column_to_arrow(value.array, f"the Series {value.name!r}")
    name = "values" if value.name is None else str(value.name)
    return _assemble(value, [name], [(read_only(array), column_recipe)], recipe)


def thaw_frame(frozen: Any) -> pd.DataFrame:
    """A DataFrame that shares the table's memory; the first write to a column copies the column.

    A Series becomes its `to_frame()`. A table that was not a frame gets the dtypes that keep it
    exactly, such as a nullable dtype for integers with nulls. Raises InexactValue if a column has
    no such dtype.
    """
    table, recipe = _with_recipe(frozen)
    if "series" in recipe:
        return share(thaw_series(table).to_frame())
    columns, index, labels = _thaw(table, recipe)
    frame, more = frame_of(columns, lots_of(frozen), index, labels)
    note_lots(frozen, [lot for lot in more if lot.is_in(frozen)])
    return _finish(frame, recipe)


def thaw_series(frozen: Any) -> pd.Series[Any]:
    """A Series that shares the table's memory, as in `thaw_frame`.

    Raises InexactValue for a table of several columns.
    """
    frozen, recipe = _with_recipe(frozen)
    columns, index, labels = _thaw(frozen, recipe)
    if len(labels) != 1:
        raise InexactValue(
            f"a Series was asked of a table with {len(labels)} columns; "
            "annotate the parameter pandas.DataFrame, or choose one column with Columns(...)"
        )
    values = columns(0)
    # Without an explicit dtype, pandas would infer another dtype for Python objects.
    dtype = object if values.dtype == object else None
    series = pd.Series(values, index=index, dtype=dtype, copy=False)
    series.name = label_from_plain(recipe["series"]) if "series" in recipe else labels[0]
    return _finish(series, recipe)


def _assemble(value: Any, names: list[str], pairs: list[Any], recipe: Recipe) -> Any:
    levels, index = index_to_levels(value.index, "the index")
    recipe |= {
        "columns": [column for _, column in pairs],
        "index": index,
        "attrs": to_plain(value.attrs, "attrs"),
        "unique_labels": not value.flags.allows_duplicate_labels,
    }
    if levels:
        names = names + level_names(value.index, set(names))
    arrays = [*(array for array, _ in pairs), *map(read_only, levels)]
    share(value)
    return with_recipe(pa.Table.from_arrays(arrays, names=names), recipe)


def _thaw(frozen: Any, recipe: Recipe) -> tuple[Callable[[int], Any], Any, Any]:
    """The function that gives the array of a column by its position, the index and the labels."""
    recipes = recipe["columns"]
    levels = [frozen.column(number) for number in range(len(recipes), frozen.num_columns)]
    index = index_from_levels(levels, recipe["index"])

    def column(position: int) -> Any:
        array, recipe = frozen.column(position), recipes[position]
        if recipe["as"] != "object":
            return column_from_arrow(array, recipe)
        array = one_chunk(array)
        values = column_from_arrow(array, recipe)
        know(values, array, recipe)
        return values

    return column, index, unpack_index(recipe["labels"])


def _finish(value: _Pandas, recipe: Recipe) -> _Pandas:
    value.attrs = from_plain(recipe["attrs"])
    if recipe["unique_labels"]:
        flags: Any = value.flags
        flags.allows_duplicate_labels = False
    return share(value)


def _with_recipe(frozen: Any) -> tuple[Any, Recipe]:
    recipe = recipe_of(frozen)
    if recipe is not None and ONLY_INDEX in recipe:
        raise InexactValue(
            "a table was asked of an Index; annotate the parameter pandas.Index, and use "
            "index.to_frame()"
        )
    return adopt(frozen) if recipe is None else (frozen, recipe)


def _expect(value: Any, expected: type) -> None:
    kind = type(value)
    if kind is not expected:
        remedy = f"return pandas.{expected.__name__}(result)"
        if not issubclass(kind, expected):
            remedy = "return one, or annotate what the step does return"
        raise InexactValue(
            f"the step promised a pandas.{expected.__name__} and returned "
            f"{kind.__module__}.{kind.__qualname__}; {remedy}"
        )


def _field_names(labels: Any) -> list[str]:
    names = list(map(str, labels.tolist()))
    if len(set(names)) == len(names):
        return names
    first: dict[str, Any] = {}
    for name, label in zip(names, labels, strict=True):
        if name in first:
            raise InexactValue(
                f"column {label!r} would share its name in the file with column {first[name]!r}; "
                "give every column a name of its own, with df.rename(columns=...)"
            )
        first[name] = label
    raise AssertionError("two names are equal")
