"""Convert NaN and NaT to nulls, and back.

Frozen frames mark missing values as pandas does: with NaN, with NaT and with the code -1. Other
engines expect nulls. The two functions convert without loss, because a recipe shows which columns
cannot contain both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .buffers import Recipe, from_numpy, to_numpy, valid_of
from .sparse import as_dense, from_dense

NAT = np.iinfo(np.int64).min


def as_nulls(array: Any, recipe: Recipe) -> Any:
    """The column for readers other than pandas; it shares the data, only a bitmap is new."""
    if recipe["as"] == "interval":
        return _ends(array, recipe, as_nulls)
    if recipe["as"] == "sparse":
        return as_dense(array, recipe)
    if _marks_by_nan(array, recipe):
        bits = to_numpy(array, array.type.to_pandas_dtype())
        return from_numpy(bits, array.type, ~np.isnan(bits))
    if recipe["as"] in ("datetime", "timedelta", "period"):
        bits = to_numpy(array, "i8")
        return from_numpy(bits, array.type, bits != NAT)
    return array


def as_sentinels(array: Any, recipe: Recipe) -> Any:
    """The column as `column_from_arrow` needs it; copied only if it has nulls."""
    if recipe["as"] == "interval":
        return _ends(array, recipe, as_sentinels)
    if recipe["as"] == "sparse":
        return from_dense(array, recipe)
    if array.null_count == 0:
        return array
    if _marks_by_nan(array, recipe):
        return pc.fill_null(array, pa.scalar(float("nan")).cast(array.type))
    if recipe["as"] in ("datetime", "timedelta", "period"):
        return array.view(pa.int64()).fill_null(NAT).view(array.type)
    if recipe["as"] == "category":
        indices = array.indices
        codes = to_numpy(indices.fill_null(-1), indices.type.to_pandas_dtype())
        marked = from_numpy(codes, indices.type, valid_of(indices))
        return pa.DictionaryArray.from_arrays(
            marked, array.dictionary, ordered=array.type.ordered, safe=False
        )
    return array


def _marks_by_nan(array: Any, recipe: Recipe) -> bool:
    return recipe["as"] == "numpy" and bool(pa.types.is_floating(array.type))


def _ends(array: Any, recipe: Recipe, convert: Any) -> Any:
    ends = [convert(array.field(end), recipe["ends"]) for end in ("left", "right")]
    return pa.StructArray.from_arrays(ends, names=["left", "right"])
