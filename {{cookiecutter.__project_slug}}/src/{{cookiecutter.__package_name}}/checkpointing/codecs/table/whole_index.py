"""An index of pandas as a value of its own: a frame without columns, marked in its recipe."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...base.errors import InexactValue
from .arrow import recipe_of, with_recipe
from .frames import ONLY_INDEX, freeze_frame, thaw_frame


def freeze(value: Any) -> Any:
    """The index as a table of its levels; raises InexactValue."""
    if not isinstance(value, pd.Index):
        kind = type(value)
        raise InexactValue(
            f"the step promised a pandas.Index and returned {kind.__module__}."
            f"{kind.__qualname__}; annotate what it returns, or return pandas.Index(result)"
        )
    table = freeze_frame(pd.DataFrame(index=value))
    return with_recipe(table, (recipe_of(table) or {}) | {ONLY_INDEX: True})


def thaw(frozen: Any) -> Any:
    """The index; raises InexactValue for any other table."""
    recipe = recipe_of(frozen) or {}
    if not recipe.pop(ONLY_INDEX, False):
        raise InexactValue(
            "an Index was asked of a table; annotate the parameter pandas.DataFrame, and use "
            "frame.index"
        )
    return thaw_frame(with_recipe(frozen, recipe)).index
