"""Single values that JSON lacks, as an object whose one key names the type: `{"$date": "..."}`.

Numbers, moments and identifiers of the standard library, NumPy and pandas. Both libraries are
imported only for values of their own.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

from ..base.errors import InexactValue
from .zones import zone_from_plain, zone_to_plain


def scalar_to_plain(value: Any, path: str) -> dict[str, Any] | None:
    """The tagged object for a value; None for types that this module does not know.

    Raises InexactValue, with `path`, for a value that would not come back exactly.
    """
    kind = type(value)
    if kind in _WRITERS:
        tag, write = _WRITERS[kind]
        return {tag: write(value, path)}
    library = kind.__module__.partition(".")[0]
    if library == "numpy":
        content = _numpy_scalar(value, path)
        return None if content is None else {"$numpy": content}
    return _pandas_scalar(value, path) if library == "pandas" else None


def text_to_plain(text: str, path: str) -> str:
    """The text; raises InexactValue if UTF-8 cannot hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InexactValue(
            f"{path} holds {text!r}, with half a surrogate pair that UTF-8 cannot hold; "
            "decode the text with errors='replace' where it is read"
        ) from None
    return text


def number_to_plain(value: float) -> Any:
    """A float in JSON's own types, or tagged if it is not finite."""
    return value if math.isfinite(value) else {"$float": str(value)}


def _number(plain: Any) -> float:
    return float(plain["$float"] if isinstance(plain, dict) else plain)


def moment_to_plain(value: Any, path: str) -> list[Any]:
    """A pandas.Timestamp: its count of units, the unit, the zone and the fold of a naive one."""
    zone = _zone(value, value.tzinfo, path)
    content = [int(value.asm8.astype("i8")), value.unit, zone]
    if value.fold and value.tzinfo is None:
        content.append(value.fold)
    return content


def moment_from_plain(content: list[Any]) -> Any:
    """The Timestamp that `moment_to_plain` described."""
    import pandas as pd

    value, unit, zone, *fold = content
    moment = pd.Timestamp(value, unit=unit).as_unit(unit)
    if fold:
        return moment.replace(fold=fold[0])
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone_from_plain(zone))


def _zone(value: Any, zone: tzinfo | None, path: str) -> str | int | None:
    try:
        return zone_to_plain(zone)
    except ValueError as error:
        raise InexactValue(f"{path} is {value!r}, and {error}; use zoneinfo.ZoneInfo") from None


def _with_fold(value: datetime | time, path: str) -> list[Any]:
    return [
        value.replace(tzinfo=None).isoformat(),
        value.fold,
        _zone(value, value.tzinfo, path),
    ]


def _read_datetime(content: list[Any]) -> datetime:
    text, fold, zone = content
    return datetime.fromisoformat(text).replace(fold=fold, tzinfo=zone_from_plain(zone))


def _read_time(content: list[Any]) -> time:
    text, fold, zone = content
    return time.fromisoformat(text).replace(fold=fold, tzinfo=zone_from_plain(zone))


def _numpy_scalar(value: Any, path: str) -> list[Any] | None:
    """The dtype's name and the number: an integer for dates, so that the unit is kept."""
    import numpy as np

    if not isinstance(value, np.generic):  # an array without dimensions would become a scalar
        return None
    dtype = value.dtype
    if dtype.kind in "mM":
        return [dtype.str, value.astype("int64").item()]
    if dtype.kind == "U":
        return [dtype.str, text_to_plain(str(value), path)]
    if np.dtype(dtype.name).type is not type(value):
        return None  # such as longlong, a second type of 64 bits
    if dtype.kind in "biu":
        return [dtype.name, value.item()]
    if dtype.kind == "f" and dtype.itemsize <= 8:
        return [dtype.name, number_to_plain(value.item())]
    return None


def _read_numpy_scalar(content: list[Any]) -> Any:
    import numpy as np

    name, number = content
    dtype = np.dtype(name)
    if dtype.kind in "mM":
        return np.array(number, "int64").view(dtype)[()]
    return dtype.type(_number(number) if isinstance(number, dict) else number)


def _pandas_scalar(value: Any, path: str) -> dict[str, Any] | None:
    import pandas as pd

    if value is pd.NaT or value is pd.NA:
        return {"$missing": str(value).strip("<>")}
    if type(value) is pd.Timedelta:
        return {"$Timedelta": [int(value.asm8.astype("i8")), value.unit]}
    if type(value) is not pd.Timestamp:
        return None
    content = moment_to_plain(value, path)
    restored = moment_from_plain(content)
    if (restored.fold, str(restored.tzinfo)) != (value.fold, str(value.tzinfo)):
        raise InexactValue(
            f"{path} is {value!r}, whose fold a file does not give back; use value.to_pydatetime()"
        )
    return {"$Timestamp": content}


def _read_timedelta(content: list[Any]) -> Any:
    import numpy as np
    import pandas as pd

    value, unit = content
    return pd.Timedelta(np.timedelta64(value, unit))


def _read_missing(name: str) -> Any:
    import pandas as pd

    return getattr(pd, name)


_WRITERS: dict[type, tuple[str, Callable[[Any, str], Any]]] = {
    date: ("$date", lambda value, _: value.isoformat()),
    datetime: ("$datetime", _with_fold),
    time: ("$time", _with_fold),
    timedelta: ("$timedelta", lambda value, _: [value.days, value.seconds, value.microseconds]),
    Decimal: ("$decimal", lambda value, _: str(value)),
    UUID: ("$uuid", lambda value, _: value.hex),
    bytes: ("$bytes", lambda value, _: base64.b64encode(value).decode()),
    complex: (
        "$complex",
        lambda value, _: [number_to_plain(value.real), number_to_plain(value.imag)],
    ),
}
TYPES = frozenset(_WRITERS)
"""The types of the standard library that `scalar_to_plain` keeps."""

READERS: dict[str, Callable[[Any], Any]] = {
    "$int": lambda text: int(text, 16),
    "$float": float,
    "$date": date.fromisoformat,
    "$datetime": _read_datetime,
    "$time": _read_time,
    "$timedelta": lambda parts: timedelta(*parts),
    "$decimal": Decimal,
    "$uuid": lambda text: UUID(hex=text),
    "$bytes": base64.b64decode,
    "$complex": lambda parts: complex(*map(_number, parts)),
    "$numpy": _read_numpy_scalar,
    "$Timestamp": moment_from_plain,
    "$Timedelta": _read_timedelta,
    "$missing": _read_missing,
}
"""How the content of each tag becomes the value again."""
