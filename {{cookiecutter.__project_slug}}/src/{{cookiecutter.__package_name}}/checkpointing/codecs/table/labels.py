"""Names of columns, index levels and Series: any hashable label that can be written as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...base.errors import InexactValue
from ..plain import from_plain, to_plain
from ..zones import zone_from_plain, zone_to_plain


def label_to_plain(label: Any, where: str) -> Any:
    """The label in JSON's own types; raises InexactValue, with `where` in its message."""
    if type(label) is tuple:
        return {"$tuple": [label_to_plain(part, where) for part in label]}
    if type(label) is pd.Timestamp:
        try:
            return {
                "$Timestamp": [
                    int(label.asm8.astype("i8")),
                    label.unit,
                    zone_to_plain(label.tzinfo),
                ]
            }
        except ValueError:
            pass
    try:
        return to_plain(label)
    except InexactValue:
        raise InexactValue(
            f"{where} {label!r} is of type {type(label).__name__}, which a file does not give "
            "back as a name; rename it to a str"
        ) from None


def label_from_plain(plain: Any) -> Any:
    """The label that `label_to_plain` wrote."""
    if isinstance(plain, dict) and "$tuple" in plain:
        return tuple(label_from_plain(part) for part in plain["$tuple"])
    if isinstance(plain, dict) and "$Timestamp" in plain:
        value, unit, zone = plain["$Timestamp"]
        moment = pd.Timestamp(value, unit=unit).as_unit(unit)
        return (
            moment if zone is None else moment.tz_localize("UTC").tz_convert(zone_from_plain(zone))
        )
    label = from_plain(plain)
    return np.nan if isinstance(label, float) and label != label else label  # for `is np.nan`
