"""A DataFrame from a table that did not come from pandas: each column gets an exact dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ...base.errors import InexactValue
from ..zones import zone_to_plain
from .buffers import Recipe, one_chunk
from .indexes import pack_index
from .parts import note_of, refuse_nan_beside_nulls
from .sentinels import NAT, as_sentinels

_TEXT: Any = pd.StringDtype("pyarrow", na_value=np.nan)  # "str" would depend on pandas' options


def adopt(table: Any) -> tuple[Any, Recipe]:
    """The table as a frozen frame, and its recipe; raises InexactValue, naming the column.

    Integers and bool with nulls get nullable dtypes. Types that pandas does not have (decimals,
    dates, lists, structs) get an `ArrowDtype`. The index numbers the rows. Of a part of a table,
    the whole decides which columns have nulls, and where the numbers begin.
    """
    names = table.column_names
    nulls, start = [bool(column.null_count) for column in table.columns], 0
    if (note := note_of(table)) is not None:
        nulls, start = note["nulls"], note["start"]
        if note["is_null_nan"]:
            table = _with_nan(table)
    pairs = [
        _adopt_column(column, f"column {name!r}", has_nulls)
        for name, column, has_nulls in zip(names, table.columns, nulls, strict=True)
    ]
    recipe = {
        "labels": pack_index(pd.Index(names, dtype=_TEXT), "the index of the columns"),
        "columns": [column for _, column in pairs],
        "index": {"range": [start, start + table.num_rows, 1], "name": None},
        "attrs": {},
        "unique_labels": False,
    }
    return pa.Table.from_arrays([array for array, _ in pairs], names=names), recipe


def _with_nan(table: Any) -> Any:
    """The table with NaN in place of the nulls of floats."""
    columns = [
        pc.fill_null(column, pa.scalar(float("nan")).cast(column.type))
        if pa.types.is_floating(column.type)
        else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _adopt_column(column: Any, where: str, has_nulls: bool) -> tuple[Any, Recipe]:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind):
        return _adopt_numbers(one_chunk(column), where, has_nulls)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        text = one_chunk(column.cast(pa.large_string()))
        return text, {"as": "text", "storage": "pyarrow", "na": False}
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return _adopt_moments(one_chunk(column), where)
    if pa.types.is_dictionary(kind):
        return _adopt_dictionary(one_chunk(column), where, has_nulls)
    return column, {"as": "arrow"}


def _adopt_numbers(array: Any, where: str, has_nulls: bool) -> tuple[Any, Recipe]:
    dtype = str(array.type.to_pandas_dtype()().dtype)
    if has_nulls and not pa.types.is_floating(array.type):
        nullable = "boolean" if dtype == "bool" else dtype.replace("i", "I").replace("u", "U")
        return array, {"as": "nullable", "dtype": nullable}
    if array.null_count:
        refuse_nan_beside_nulls(array, where)
    recipe = {"as": "numpy", "dtype": dtype}
    return as_sentinels(array, recipe), recipe


def _adopt_moments(array: Any, where: str) -> tuple[Any, Recipe]:
    recipe: Recipe = {"as": "timedelta"}
    if pa.types.is_timestamp(array.type):
        try:
            zone = array.type.tz and pd.DatetimeTZDtype(array.type.unit, array.type.tz).tz
            # Of UTC pandas makes another class of zone than Arrow does, where people read files.
            plain = "UTC" if array.type.tz == "UTC" else zone_to_plain(zone)
            recipe = {"as": "datetime", "zone": plain}
        except (ValueError, KeyError):
            raise InexactValue(
                f"{where} is in the time zone {array.type.tz!r}, which pandas does not know; "
                "cast it to another, or annotate the parameter pyarrow.Table"
            ) from None
    if pc.any(pc.equal(array.view(pa.int64()), NAT)).as_py():
        raise InexactValue(
            f"{where} holds the earliest moment there is, which is NaT in a DataFrame; "
            "make it null, or annotate the parameter pyarrow.Table"
        )
    return as_sentinels(array, recipe), recipe


def _adopt_dictionary(array: Any, where: str, has_nulls: bool) -> tuple[Any, Recipe]:
    values = array.dictionary
    is_float = pa.types.is_floating(values.type)
    if (
        values.null_count
        or len(values.unique()) < len(values)
        or (is_float and pc.any(pc.is_nan(values)).as_py())  # no category of pandas is missing
    ):
        return _adopt_column(array.dictionary_decode(), where, has_nulls or bool(values.null_count))
    codes = array.indices
    if pa.types.is_unsigned_integer(codes.type):  # pandas marks missing ones by the code -1
        codes = codes.cast(pa.int64())
    dictionary, categories = _adopt_column(values, where, False)
    ordered = array.type.ordered
    recipe = {"as": "category", "ordered": ordered, "categories": categories | {"name": None}}
    array = pa.DictionaryArray.from_arrays(codes, dictionary, ordered=ordered)
    return as_sentinels(array, recipe), recipe
