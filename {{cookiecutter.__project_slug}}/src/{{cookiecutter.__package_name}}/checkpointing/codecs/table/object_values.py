"""Python objects of an Arrow array, each type in its quick way.

What nobody can change may be one object for all values that are equal, such as the dates of a
column. Lists and dicts are made anew for each value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .buffers import to_numpy, valid_of

MISSING: dict[str, Any] = {"None": None, "nan": np.nan, "NaT": pd.NaT, "NA": pd.NA}
"""The missing values that a column of objects may have, by their names in recipes."""

_SAMPLE = 1000
_AT_ONCE = 1 << 14
_DAYS_EACH = 4  # a day of the calendar takes as long as the dates of four rows out of it


def objects_from_arrow(array: Any, recipe: dict[str, Any]) -> npt.NDArray[Any]:
    """The Python objects in an array of dtype object, which is new."""
    missing = MISSING[recipe["missing"]]
    if pa.types.is_date32(array.type) and (days := _by_calendar(array, missing)) is not None:
        return days
    if _repeats(array):
        return _by_kinds(array.dictionary_encode(), missing)
    values = plain_objects(array)
    if array.null_count:
        values[array.is_null().to_numpy(zero_copy_only=False)] = missing
    return values


def plain_objects(array: Any) -> npt.NDArray[Any]:
    """An object for each value; that of a null may be any."""
    for is_kind, convert in _CONVERT:
        if is_kind(array.type):
            values: npt.NDArray[Any] = convert(array)
            return values
    return np.fromiter(array.to_pylist(), object, len(array))


def _repeats(array: Any) -> bool:
    """Whether few values come many times, of a type whose objects are slow to make."""
    if pa.types.is_date32(array.type):
        return len(array) > 1
    if not pa.types.is_decimal(array.type):
        return False
    sample = array.slice(0, _SAMPLE)
    return len(sample.unique()) <= len(sample) // 2


def _by_calendar(array: Any, missing: Any) -> npt.NDArray[Any] | None:
    """Dates out of a calendar of all days between the first and the last, if these are few."""
    numbers = array.view(pa.int32())
    first, last = (pc.min_max(numbers)[end].as_py() for end in ("min", "max"))
    if first is None or last - first > len(array) // _DAYS_EACH:
        return None
    calendar = np.arange(first, last + 1).astype("M8[D]").astype(object)
    days = _chosen(calendar, to_numpy(array, "i4"), first)
    if array.null_count:
        days[~valid_of(array)] = missing
    return days


def _by_kinds(encoded: Any, missing: Any) -> npt.NDArray[Any]:
    """The objects of a dictionary array, equal ones made once."""
    kinds = np.full(len(encoded.dictionary) + 1, missing, object)
    kinds[:-1] = plain_objects(encoded.dictionary)
    return _chosen(kinds, encoded.indices.fill_null(len(kinds) - 1).to_numpy())


def _chosen(
    objects: npt.NDArray[Any], numbers: npt.NDArray[Any], first: int = 0
) -> npt.NDArray[Any]:
    """The object of each number, which counts from `first`; of one beyond them, any object.

    Some at a time, which stay in the processor's cache.
    """
    chosen = np.empty(len(numbers), object)
    for start in range(0, len(numbers), _AT_ONCE):
        places = np.subtract(numbers[start : start + _AT_ONCE], first, dtype=np.intp)
        objects.take(places, out=chosen[start : start + _AT_ONCE], mode="clip")
    return chosen


def _by_arrow(array: Any) -> npt.NDArray[Any]:
    return np.array(array.to_numpy(zero_copy_only=False), object)


def _from_bits(dtype: str) -> Callable[[Any], npt.NDArray[Any]]:
    return lambda array: to_numpy(array, dtype).astype(object)


def _dates(array: Any) -> npt.NDArray[Any]:
    return to_numpy(array, "i4").astype("M8[D]").astype(object)


def _floats(array: Any) -> npt.NDArray[Any]:
    bits = to_numpy(array, "f8")
    values = bits.astype(object)
    values[np.isnan(bits)] = np.nan  # people compare with `is np.nan`
    return values


_CONVERT: list[tuple[Callable[[Any], bool], Callable[[Any], npt.NDArray[Any]]]] = [
    (pa.types.is_large_string, _by_arrow),
    (pa.types.is_large_binary, _by_arrow),
    (pa.types.is_decimal, _by_arrow),
    (pa.types.is_time64, _by_arrow),
    (pa.types.is_date32, _dates),
    (pa.types.is_int64, _from_bits("i8")),
    (pa.types.is_float64, _floats),
    (lambda kind: bool(kind == pa.timestamp("us")), _from_bits("M8[us]")),
    (lambda kind: bool(kind == pa.duration("us")), _from_bits("m8[us]")),
]
