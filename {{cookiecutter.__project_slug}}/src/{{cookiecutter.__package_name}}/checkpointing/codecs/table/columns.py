"""A column of pandas, or a level of an index, as an Arrow array with a recipe to restore it.

A recipe is a small JSON object: `as` names the kind of column, the other keys contain the
properties that the Arrow type does not express. The Arrow form keeps pandas' own bits, so that the
restored column is a view: missing floats and dates are the values NaN and NaT, and the null of a
missing category has the code -1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.tseries.frequencies import to_offset

from ...base.errors import InexactValue
from .arrow_types import require_kept
from .buffers import Recipe, from_numpy, one_chunk, to_numpy, valid_of
from .known_objects import known_array
from .labels import label_from_plain, label_to_plain
from .moments import (
    datetimes_from_arrow,
    datetimes_to_arrow,
    periods_from_arrow,
    periods_to_arrow,
    timedeltas_from_arrow,
    timedeltas_to_arrow,
)
from .object_values import objects_from_arrow
from .objects import objects_to_arrow
from .packing import pack_table, unpack_table
from .sparse import sparse_from_arrow, sparse_to_arrow


def column_to_arrow(values: Any, where: str) -> tuple[Any, Recipe]:
    """The `.array` of a Series or Index as Arrow, and its recipe; raises InexactValue.

    `where` names the column in messages. Memory is shared, except for bool and Python objects.
    """
    for array_types, convert in _TO_ARROW:
        if type(values) in array_types:
            return convert(values, where)
    raise InexactValue(
        f"{where} has dtype {values.dtype}, which no checkpoint file keeps; "
        "convert it with astype(...) to a dtype of pandas"
    )


def column_from_arrow(array: Any, recipe: Recipe) -> Any:
    """The ndarray or ExtensionArray that a (chunked) Arrow array and its recipe describe.

    Numbers, dates and text are read-only views of the array's memory.
    """
    if recipe["as"] == "arrow":
        return pd.arrays.ArrowExtensionArray(array)
    return _FROM_ARROW[recipe["as"]](one_chunk(array), recipe)


def index_to_arrow(index: Any, where: str) -> tuple[Any, Recipe]:
    """A flat index, or the categories of a column, as an array and recipe; raises InexactValue."""
    array, recipe = column_to_arrow(index.array, where)
    recipe["name"] = label_to_plain(index.name, f"the name of {where}")
    if isinstance(index, pd.RangeIndex):
        recipe["range"] = [index.start, index.stop, index.step]
    elif type(index) in (pd.DatetimeIndex, pd.TimedeltaIndex) and index.freq is not None:
        recipe["freq"] = _frequency(index.freq, where)
    return array, recipe


def index_from_arrow(array: Any, recipe: Recipe) -> Any:
    """The flat index that `index_to_arrow` described."""
    name = label_from_plain(recipe.get("name"))
    if "packed" in recipe:
        [array] = unpack_table(recipe["packed"]).columns
    if "range" in recipe:
        start, stop, step = recipe["range"]
        return pd.RangeIndex(start, stop, step, name=name)
    values = column_from_arrow(array, recipe)
    if "freq" in recipe:
        index_type = pd.TimedeltaIndex if recipe["as"] == "timedelta" else pd.DatetimeIndex
        return index_type(values, freq=recipe["freq"], name=name, copy=False)
    dtype = object if recipe["as"] == "object" else None
    return pd.Index(values, dtype=dtype, name=name, copy=False, tupleize_cols=False)


def _frequency(freq: Any, where: str) -> str:
    text = str(freq.freqstr)
    try:
        is_exact = to_offset(text) == freq
    except ValueError:
        is_exact = False
    if not is_exact:
        raise InexactValue(
            f"{where} has the frequency {freq!r}, which its name {text!r} does not say in full; "
            "set its freq to None"
        )
    return text


def _from_numpy_column(column: Any, where: str) -> tuple[Any, Recipe]:
    values = column.to_numpy()
    dtype = values.dtype
    if dtype.kind == "O":
        return known_array(values) or objects_to_arrow(values, where)
    if not dtype.isnative:
        raise InexactValue(
            f"{where} has bytes in foreign order ({dtype.str}); "
            "use column.astype(column.dtype.newbyteorder('='))"
        )
    if dtype.kind == "b":
        return pa.array(values), {"as": "numpy", "dtype": "bool"}
    if dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize <= 8):
        array = from_numpy(values, pa.from_numpy_dtype(dtype))
        return array, {"as": "numpy", "dtype": dtype.name}
    raise InexactValue(
        f"{where} holds {dtype} numbers, which no checkpoint file keeps; "
        + ("split it into .real and .imag" if dtype.kind == "c" else "use astype('float64')")
    )


def _to_numpy_column(array: Any, recipe: Recipe) -> Any:
    if recipe["dtype"] == "bool":
        return array.to_numpy(zero_copy_only=False)
    return to_numpy(array, recipe["dtype"])


def _from_text(values: Any, where: str) -> tuple[Any, Recipe]:
    dtype = values.dtype
    recipe = {"as": "text", "storage": dtype.storage, "na": dtype.na_value is pd.NA}
    try:
        array = one_chunk(values.__arrow_array__(type=pa.large_string())).cast(pa.large_string())
    except (pa.ArrowException, UnicodeEncodeError):
        raise InexactValue(
            f"{where} holds text that is no valid Unicode; "
            "decode it with errors='replace' where it is read"
        ) from None
    return array, recipe


def _to_text(array: Any, recipe: Recipe) -> Any:
    dtype: Any = pd.StringDtype(recipe["storage"], na_value=pd.NA if recipe["na"] else np.nan)
    return dtype.__from_arrow__(array)


def _from_nullable(values: Any, where: str) -> tuple[Any, Recipe]:
    return values.__arrow_array__(), {"as": "nullable", "dtype": values.dtype.name}


def _to_nullable(array: Any, recipe: Recipe) -> Any:
    dtype: Any = pd.api.types.pandas_dtype(recipe["dtype"])
    if recipe["dtype"] == "boolean":
        return dtype.__from_arrow__(array)
    # Not with __from_arrow__, which takes a NaN for a missing value.
    data = to_numpy(array, dtype.numpy_dtype)
    return dtype.construct_array_type()(data, ~valid_of(array))


def codes_to_arrow(codes: Any, categories: Any, ordered: bool, where: str) -> tuple[Any, Recipe]:
    """Codes (-1: missing) and the index of their categories, as a dictionary array and a recipe.

    Raises InexactValue.
    """
    dictionary, recipe = index_to_arrow(categories, where)
    if pa.types.is_dictionary(dictionary.type):
        # A level of a MultiIndex may have categories itself, and Arrow's files do not give back a
        # dictionary within a dictionary. The file gets the plain values, the recipe the dictionary.
        recipe["packed"] = pack_table(pa.table({"kinds": dictionary}))
        dictionary = dictionary.dictionary_decode()
    indices = from_numpy(codes, pa.from_numpy_dtype(codes.dtype), codes >= 0)
    array = pa.DictionaryArray.from_arrays(indices, dictionary, ordered=ordered, safe=False)
    return array, {"as": "category", "ordered": ordered, "categories": recipe}


def codes_from_arrow(array: Any, recipe: Recipe) -> tuple[Any, Any]:
    """The codes and the index of categories that `codes_to_arrow` converted."""
    codes = to_numpy(array.indices, array.indices.type.to_pandas_dtype())
    return codes, index_from_arrow(array.dictionary, recipe["categories"])


def _from_categories(values: Any, where: str) -> tuple[Any, Recipe]:
    ordered = bool(values.ordered)
    return codes_to_arrow(values.codes, values.categories, ordered, f"{where}, its categories,")


def _to_categories(array: Any, recipe: Recipe) -> Any:
    codes, categories = codes_from_arrow(array, recipe)
    dtype = pd.CategoricalDtype(categories, ordered=recipe["ordered"])
    return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)


def _from_intervals(values: Any, where: str) -> tuple[Any, Recipe]:
    left, left_recipe = column_to_arrow(values.left.array, where)
    right, _ = column_to_arrow(values.right.array, where)
    array = pa.StructArray.from_arrays([left, right], names=["left", "right"])
    return array, {"as": "interval", "closed": values.closed, "ends": left_recipe}


def _to_intervals(array: Any, recipe: Recipe) -> Any:
    left, right = (
        pd.Index(column_from_arrow(array.field(end), recipe["ends"]), copy=False)
        for end in ("left", "right")
    )
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=recipe["closed"])


def _from_arrow_column(values: Any, where: str) -> tuple[Any, Recipe]:
    column = values.__arrow_array__()
    require_kept(column.type, where)
    try:
        return one_chunk(column), {"as": "arrow"}
    except pa.ArrowInvalid:
        # More than 2 GiB of text with 32-bit offsets has to stay in chunks.
        return column, {"as": "arrow"}
    except pa.ArrowNotImplementedError as reason:
        raise InexactValue(
            f"{where} is in chunks that Arrow cannot make one ({reason}); use "
            "column.astype(...) with the type of its plain values"
        ) from None


_TO_ARROW: list[tuple[tuple[type, ...], Callable[[Any, str], tuple[Any, Recipe]]]] = [
    ((pd.arrays.NumpyExtensionArray,), _from_numpy_column),
    ((pd.arrays.DatetimeArray,), datetimes_to_arrow),
    ((pd.arrays.TimedeltaArray,), timedeltas_to_arrow),
    ((pd.arrays.PeriodArray,), periods_to_arrow),
    ((pd.arrays.ArrowStringArray, pd.arrays.StringArray), _from_text),
    ((pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray), _from_nullable),
    ((pd.Categorical,), _from_categories),
    ((pd.arrays.IntervalArray,), _from_intervals),
    ((pd.arrays.ArrowExtensionArray,), _from_arrow_column),
    ((pd.arrays.SparseArray,), sparse_to_arrow),
]
_FROM_ARROW: dict[str, Callable[[Any, Recipe], Any]] = {
    "numpy": _to_numpy_column,
    "object": objects_from_arrow,
    "datetime": datetimes_from_arrow,
    "timedelta": timedeltas_from_arrow,
    "period": periods_from_arrow,
    "text": _to_text,
    "nullable": _to_nullable,
    "category": _to_categories,
    "interval": _to_intervals,
    "sparse": sparse_from_arrow,
}
