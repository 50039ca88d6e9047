"""Columns of Python objects: their content, not their dtype, decides whether a file can keep them.

A column passes if all its values have the same type, the Arrow form of this type gives back the
same objects, and all missing values are of the same kind. Lists, dicts, moments and other types
that the conversion may change are first converted back and compared.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import eq
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from ...base.errors import InexactValue
from .arrow_types import require_kept
from .buffers import one_chunk
from .decimals import decimals_to_arrow
from .object_values import MISSING, plain_objects

_TYPES: dict[type, Any] = {
    type(None): pa.null(),
    str: pa.large_string(),
    bytes: pa.large_binary(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    date: pa.date32(),
    time: pa.time64("us"),
    datetime: pa.timestamp("us"),
    timedelta: pa.duration("us"),
}
_INFERRED = {Decimal, list, dict}
_REMEDIES: dict[str, str] = {
    "int": "these integers need more than 64 bits; use str, or pd.ArrowDtype(pa.decimal128(38))",
    "str": "some text is no valid Unicode; decode it with errors='replace' where it is read",
    "Decimal": "round them to one number of decimals, or use pd.ArrowDtype(pa.decimal128(38, s))",
    "datetime": "use pd.to_datetime(column), which makes a datetime64 column",
    "list": "give the lists elements of one type, explode() the column, or keep them as text with "
    "column.map(json.dumps)",
    "dict": "give the dicts the same keys in the same order, use pd.json_normalize, or keep them "
    "as text with column.map(json.dumps)",
    "set": "use sorted lists",
    "ndarray": "use column.map(lambda array: array.tolist())",
    "tuple": "use lists, or one column for each position",
    "Timestamp": "use pd.to_datetime(column), which makes a datetime64 column",
    "Timedelta": "use pd.to_timedelta(column), which makes a timedelta64 column",
}


def objects_to_arrow(values: npt.NDArray[Any], where: str) -> tuple[Any, dict[str, Any]]:
    """An object column as Arrow, and the recipe to restore it; raises InexactValue."""
    kinds = set(map(type, values))
    missing = _kind_of_missing(values, kinds, where)
    missing_type = type(MISSING[missing])
    kinds.discard(missing_type)
    if missing != "None":
        values = np.fromiter((None if type(v) is missing_type else v for v in values), object)
    if len(kinds) > 1:
        names = sorted(kind.__name__ for kind in kinds)
        raise InexactValue(
            f"{where} mixes objects of the types {', '.join(names)}, which no file gives back as "
            f"they are; {_remedy_of_mixture(kinds)}"
        )
    kind = kinds.pop() if kinds else type(None)
    try:
        array = decimals_to_arrow(values) if kind is Decimal else None
        if array is None:
            arrow_type = None if kind in _INFERRED else _TYPES[kind]
            array = one_chunk(pa.array(values, arrow_type, from_pandas=False))
            if not _is_exact(kind, values, array):
                raise _refusal(where, kind)
    except (pa.ArrowException, KeyError, ValueError, TypeError, OverflowError):
        raise _refusal(where, kind) from None
    require_kept(array.type, where)
    return array, {"as": "object", "missing": missing}


def _is_exact(kind: type, values: npt.NDArray[Any], array: Any) -> bool:
    """Whether the array gives back the values, of a type for which that is not certain."""
    if kind in _INFERRED:
        # Arrow converts a list of text and bytes to text, although the bytes may be invalid text.
        return all(map(_same, values, array.to_pylist()))
    if kind not in (time, datetime, timedelta):
        return True
    if array.null_count:
        values = values[array.is_valid().to_numpy(zero_copy_only=False)]
        array = array.drop_null()
    # Zones and folds do not count where Python compares moments.
    is_plain = kind is timedelta or all(v.tzinfo is None and not v.fold for v in values)
    return is_plain and all(map(eq, values, plain_objects(array)))


def _kind_of_missing(values: npt.NDArray[Any], kinds: set[type], where: str) -> str:
    present = [name for name in ("None", "NaT", "NA") if type(MISSING[name]) in kinds]
    # In a column of floats, NaN is an ordinary value.
    others = kinds - {type(missing) for missing in MISSING.values()}
    if others and float in kinds and all(v != v for v in values if type(v) is float):
        present.append("nan")
    if len(present) > 1:
        raise InexactValue(
            f"{where} mixes the missing values {' and '.join(present)}; "
            "make them one, for instance with column.where(column.notna(), None)"
        )
    return present[0] if present else "None"


def _remedy_of_mixture(kinds: set[type]) -> str:
    if kinds & {list, dict}:
        return (
            "keep them as text, with column.map(json.dumps), and read them with json.loads where "
            "they are used; or use them in the step that makes them, and drop the column"
        )
    if kinds & {tuple, set, frozenset, np.ndarray}:
        return (
            "make all of them lists, with column.map(list), or use them in the step that makes them"
        )
    if kinds <= {int, float, bool, Decimal}:
        return 'make them numbers of one type, with astype("float64"), say'
    if kinds <= {date, datetime, pd.Timestamp}:
        return "use pd.to_datetime(column), which makes a datetime64 column"
    if kinds <= {str, bytes}:
        return "decode the bytes where they are read"
    return "convert them to one type, with astype(str), say, or drop the column"


def _same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(map(_same, left.values(), right.values()))
    # repr distinguishes 1.10 from 1.1, -0.0 from 0.0 and fold=1 from fold=0; NaN has one repr.
    return repr(left) == repr(right)


def _refusal(where: str, kind: type) -> InexactValue:
    remedy = _REMEDIES.get(kind.__name__, "use a dtype of pandas' own, or drop the column")
    return InexactValue(
        f"{where} holds objects of type {kind.__name__} that no file gives back as they are; "
        + remedy
    )
