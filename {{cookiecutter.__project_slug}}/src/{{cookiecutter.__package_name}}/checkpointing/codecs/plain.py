"""JSON values: scalars, dicts and lists, stored exactly.

JSON cannot express NaN, dates or NumPy scalars, so these are written as an object with a single
key that starts with `$`, such as `{"$date": "2013-01-31"}`. A user's dict that looks like such an
object is wrapped: `{"$dict": {...}}`.
"""

from __future__ import annotations

import json
import math
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from ..base.errors import InexactValue
from .zones import zone_from_plain, zone_to_plain

# A value that is read deep in a call stack must not fail there: each level takes three frames of
# the 1,000 that Python allows.
_MOST_LEVELS = 250
# int() and json refuse to read decimal integers of more than 4300 digits.
_MOST_BITS_IN_DECIMAL = 14_000


def freeze(value: Any) -> bytes:
    """The value as UTF-8 JSON; raises InexactValue with the path of a part that is not kept."""
    return json.dumps(to_plain(value), ensure_ascii=False, allow_nan=False).encode()


def thaw(frozen: bytes) -> Any:
    """A fresh copy of the value."""
    return from_plain(json.loads(frozen))


def write(frozen: bytes, file: BinaryIO) -> None:
    """Write the bytes unchanged."""
    file.write(frozen)


def read(path: Path, columns: tuple[str, ...] | None) -> bytes:
    """Read the bytes of a file."""
    if columns is not None:
        raise InexactValue("only tables have columns to choose from; drop Columns(...)")
    return path.read_bytes()


def to_plain(value: Any, path: str = "result", level: int = 0) -> Any:
    """The value in JSON's own types, with tagged objects for all other types.

    `path` is the name of the value in messages, `level` its depth within another value. Raises
    InexactValue.
    """
    kind = type(value)
    if level > _MOST_LEVELS:
        raise InexactValue(
            f"the result holds itself, or is nested more than {_MOST_LEVELS} levels deep, which "
            "JSON does not keep; return a flatter value"
        )
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if value.bit_length() < _MOST_BITS_IN_DECIMAL else {"$int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind is str:
        return _text(value, path)
    if kind is list:
        return [to_plain(item, f"{path}[{i}]", level + 1) for i, item in enumerate(value)]
    if kind is dict:
        plain = {
            _key(key, path): to_plain(item, f"{path}[{key!r}]", level + 1)
            for key, item in value.items()
        }
        return {"$dict": plain} if _looks_tagged(plain) else plain
    if kind is date:
        return {"$date": value.isoformat()}
    if kind is datetime:
        return {"$datetime": _datetime(value, path)}
    if kind is timedelta:
        return {"$timedelta": [value.days, value.seconds, value.microseconds]}
    if kind.__module__ == "numpy":
        return {"$numpy": _numpy_scalar(value, path)}
    raise _refusal(value, path)


def from_plain(plain: Any) -> Any:
    """The value that `to_plain` wrote."""
    if isinstance(plain, list):
        return [from_plain(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if not _looks_tagged(plain):
        return {key: from_plain(item) for key, item in plain.items()}
    [(tag, content)] = plain.items()
    return _READERS[tag](content)


def _looks_tagged(plain: dict[str, Any]) -> bool:
    return len(plain) == 1 and next(iter(plain)).startswith("$")


def _key(key: Any, path: str) -> str:
    if type(key) is not str:
        raise InexactValue(
            f"{path} has the key {key!r} of type {type(key).__name__}, and JSON's keys are str; "
            "use str(key), or a list of [key, value] pairs"
        )
    return _text(key, path)


def _text(text: str, path: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InexactValue(
            f"{path} holds {text!r}, with half a surrogate pair that UTF-8 cannot hold; "
            "decode the text with errors='replace' where it is read"
        ) from None
    return text


def _datetime(moment: datetime, path: str) -> list[Any]:
    try:
        zone = zone_to_plain(moment.tzinfo)
    except ValueError as error:
        raise InexactValue(f"{path} is {moment!r}, and {error}; use zoneinfo.ZoneInfo") from None
    return [moment.replace(tzinfo=None).isoformat(), moment.fold, zone]


def _read_datetime(content: list[Any]) -> datetime:
    text, fold, zone = content
    return datetime.fromisoformat(text).replace(fold=fold, tzinfo=zone_from_plain(zone))


def _numpy_scalar(value: Any, path: str) -> list[Any]:
    """The dtype's name and the number: an integer for dates, so that the unit is kept."""
    import numpy as np

    if not isinstance(value, np.generic):  # an array without dimensions would become a scalar
        raise _refusal(value, path)
    dtype = value.dtype
    if dtype.kind in "mM":
        return [dtype.str, value.astype("int64").item()]
    if dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize <= 8):
        return [dtype.name, to_plain(value.item())]
    if dtype.kind == "U":
        return [dtype.str, _text(str(value), path)]
    raise _refusal(value, path)


def _read_numpy_scalar(content: list[Any]) -> Any:
    import numpy as np

    name, number = content
    dtype = np.dtype(name)
    if dtype.kind in "mM":
        return np.array(number, "int64").view(dtype)[()]
    return dtype.type(from_plain(number))


def _refusal(value: Any, path: str) -> InexactValue:
    kind = type(value)
    remedies: dict[type, str] = {
        tuple: "use a list",
        set: "use sorted(value)",
        frozenset: "use sorted(value)",
        bytes: "write them to a file in workdir and return its Path",
    }
    own = [base for base in kind.__mro__[1:] if base in (dict, list, str, int, float)]
    remedy = remedies.get(kind, f"use {own[0].__name__}(value)" if own else None)
    if kind.__module__ == "numpy":
        remedy = "return arrays from a step annotated numpy.ndarray, or use value.tolist()"
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    return InexactValue(
        f"{path} is a {name}, which JSON would not give back as such; "
        + (remedy or "return bool, int, float, str, None, dates, dicts with str keys and lists")
    )


_READERS: dict[str, Any] = {
    "$int": lambda text: int(text, 16),
    "$float": float,
    "$dict": lambda items: {key: from_plain(item) for key, item in items.items()},
    "$date": date.fromisoformat,
    "$datetime": _read_datetime,
    "$timedelta": lambda parts: timedelta(*parts),
    "$numpy": _read_numpy_scalar,
}
