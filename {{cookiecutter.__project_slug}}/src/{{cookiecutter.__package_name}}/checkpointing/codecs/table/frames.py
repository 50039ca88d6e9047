"""DataFrame and Series as a table, and back as copy-on-write views for a step."""

from __future__ import annotations

from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from ...base.errors import InexactValue
from ..plain import from_plain, to_plain
from .arrow import recipe_of, with_recipe
from .buffers import Recipe, read_only
from .columns import column_from_arrow, column_to_arrow
from .copy_on_write import share
from .foreign import adopt
from .indexes import index_from_levels, index_to_levels, level_names, pack_index, unpack_index
from .labels import label_from_plain, label_to_plain

ONLY_INDEX = "only_index"
"""The mark in the recipe of an index that is a value of its own."""

_Pandas = TypeVar("_Pandas", pd.DataFrame, "pd.Series[Any]")


def freeze_frame(value: Any) -> Any:
    """The DataFrame as a table that shares its memory; raises InexactValue, naming the column.

    The frame is marked as shared, so that code that still refers to it cannot change the table.
    """
    _expect(value, pd.DataFrame)
    names = _field_names(value.columns)
    pairs = [
        column_to_arrow(value.iloc[:, position].array, f"column {label!r}")
        for position, label in enumerate(value.columns)
    ]
    recipe = {"labels": pack_index(value.columns, "the index of the columns")}
    return _assemble(value, names, pairs, recipe)


def freeze_series(value: Any) -> Any:
    """The Series as a table of one column that shares its memory; raises InexactValue."""
    _expect(value, pd.Series)
    recipe = {
        "labels": pack_index(pd.RangeIndex(1), "the index of the columns"),
        "series": label_to_plain(value.name, "the Series' name"),
    }
    pair = column_to_arrow(value.array, f"the Series {value.name!r}")
    name = "values" if value.name is None else str(value.name)
    return _assemble(value, [name], [pair], recipe)


def thaw_frame(frozen: Any) -> pd.DataFrame:
    """A DataFrame that shares the table's memory; the first write to a column copies the column.

    A Series becomes its `to_frame()`. A table that was not a frame gets the dtypes that keep it
    exactly, such as a nullable dtype for integers with nulls. Raises InexactValue if a column has
    no such dtype.
    """
    frozen, recipe = _with_recipe(frozen)
    if "series" in recipe:
        return share(thaw_series(frozen).to_frame())
    index, columns = _thaw(frozen, recipe)
    frame = pd.DataFrame(dict(enumerate(columns)), index=index, copy=False)
    frame.columns = unpack_index(recipe["labels"])
    return _finish(frame, recipe)


def thaw_series(frozen: Any) -> pd.Series[Any]:
    """A Series that shares the table's memory, as in `thaw_frame`.

    Raises InexactValue for a table of several columns.
    """
    frozen, recipe = _with_recipe(frozen)
    index, columns = _thaw(frozen, recipe)
    if len(columns) != 1:
        raise InexactValue(
            f"a Series was asked of a table with {len(columns)} columns; "
            "annotate the parameter pandas.DataFrame, or choose one column with Columns(...)"
        )
    labels = unpack_index(recipe["labels"])
    series = pd.Series(columns[0], index=index, copy=False)
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
    arrays = list(map(read_only, [array for array, _ in pairs] + levels))
    share(value)
    return with_recipe(pa.Table.from_arrays(arrays, names=names), recipe)


def _thaw(frozen: Any, recipe: Recipe) -> tuple[Any, list[Any]]:
    count = len(recipe["columns"])
    index = index_from_levels(frozen.columns[count:], recipe["index"])
    pairs = zip(frozen.columns[:count], recipe["columns"], strict=True)
    columns = [column_from_arrow(array, column) for array, column in pairs]
    # Without an explicit dtype, pandas would infer another dtype for Python objects.
    return index, [
        pd.Series(values, index=index, dtype=object, copy=False) if _is_object(values) else values
        for values in columns
    ]


def _finish(value: _Pandas, recipe: Recipe) -> _Pandas:
    value.attrs = from_plain(recipe["attrs"])
    if recipe["unique_labels"]:
        flags: Any = value.flags
        flags.allows_duplicate_labels = False
    return share(value)


def _is_object(values: Any) -> bool:
    return bool(values.dtype == object)


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
    names: dict[str, Any] = {}
    for label in labels:
        name = str(label)
        if name in names:
            raise InexactValue(
                f"column {label!r} would share its name in the file with column {names[name]!r}; "
                "give every column a name of its own, with df.rename(columns=...)"
            )
        names[name] = label
    return list(names)
