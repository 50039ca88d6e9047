"""Datetimes, timedeltas and periods, stored as integers, NaT included."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from ...base.errors import InexactValue
from ..zones import arrow_zone, zone_from_plain, zone_to_plain
from .buffers import Recipe, from_numpy, to_numpy


def datetimes_to_arrow(values: Any, where: str) -> tuple[Any, Recipe]:
    """Datetimes, in shared memory; raises InexactValue for a zone without a name or an offset."""
    try:
        zone = zone_to_plain(values.tz)
    except ValueError as error:
        raise InexactValue(
            f"{where}: {error}; use column.dt.tz_convert with a zone's name or zoneinfo.ZoneInfo"
        ) from None
    array = from_numpy(values.asi8, pa.timestamp(values.unit, arrow_zone(values.tz)))
    return array, {"as": "datetime", "zone": zone}


def datetimes_from_arrow(array: Any, recipe: Recipe) -> Any:
    """A datetime64 array, or a DatetimeArray in its zone."""
    unit, zone = array.type.unit, zone_from_plain(recipe["zone"])
    moments = to_numpy(array, f"M8[{unit}]")
    if zone is None:
        return moments
    naive = from_numpy(moments, pa.timestamp(unit))
    return pd.DatetimeTZDtype(unit, zone).__from_arrow__(naive)


def timedeltas_to_arrow(values: Any, where: str) -> tuple[Any, Recipe]:
    """Timedeltas, in shared memory."""
    return from_numpy(values.asi8, pa.duration(values.unit)), {"as": "timedelta"}


def timedeltas_from_arrow(array: Any, recipe: Recipe) -> Any:
    """A timedelta64 array."""
    return to_numpy(array, f"m8[{array.type.unit}]")


def periods_to_arrow(values: Any, where: str) -> tuple[Any, Recipe]:
    """Periods as their ordinals, in shared memory."""
    return from_numpy(values.asi8, pa.int64()), {"as": "period", "dtype": values.dtype.name}


def periods_from_arrow(array: Any, recipe: Recipe) -> Any:
    """A PeriodArray that shares the memory of the ordinals."""
    return pd.arrays.PeriodArray(to_numpy(array, "i8"), dtype=recipe["dtype"])
