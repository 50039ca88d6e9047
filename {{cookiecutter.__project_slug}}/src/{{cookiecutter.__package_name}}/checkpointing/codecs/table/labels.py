"""Names of columns, index levels and Series: any hashable label that can be written as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import InexactValue
from ..plain import from_plain, to_plain


def label_to_plain(label: Any, where: str) -> Any:
    """The label in JSON's own types; raises InexactValue, with `where` in its message."""
    if type(label) is tuple:
        return {"$tuple": [label_to_plain(part, where) for part in label]}
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
    label = from_plain(plain)
    return np.nan if isinstance(label, float) and label != label else label  # for `is np.nan`
