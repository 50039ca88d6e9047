"""Indexes: a range is only a recipe, a flat index an array, a MultiIndex an array per level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from ...base.errors import InexactValue
from .buffers import Recipe, one_chunk
from .columns import codes_from_arrow, codes_to_arrow, index_from_arrow, index_to_arrow
from .labels import label_from_plain, label_to_plain
from .packing import pack_table, unpack_table


def index_to_levels(index: Any, where: str) -> tuple[list[Any], Recipe]:
    """The arrays and the recipe of any index, no arrays for a RangeIndex; raises InexactValue."""
    if type(index).__module__.partition(".")[0] != "pandas":
        raise InexactValue(
            f"{where} is a {type(index).__qualname__}, of which a file gives back the labels "
            "alone; use pandas.Index(index)"
        )
    if isinstance(index, pd.RangeIndex):
        name = label_to_plain(index.name, f"the name of {where}")
        return [], {"range": [index.start, index.stop, index.step], "name": name}
    if not isinstance(index, pd.MultiIndex):
        array, recipe = index_to_arrow(index, where)
        return [array], {"flat": recipe}
    levels = zip(index.codes, index.levels, strict=True)
    pairs = [
        codes_to_arrow(codes, level, False, f"{where}, its level {number},")
        for number, (codes, level) in enumerate(levels)
    ]
    multi: Any = index  # the stubs do not declare its sortorder
    recipe = {"levels": [recipe for _, recipe in pairs], "sorted_by": multi.sortorder}
    return [array for array, _ in pairs], recipe


def index_from_levels(arrays: list[Any], recipe: Recipe) -> Any:
    """The index that `index_to_levels` described."""
    if "range" in recipe:
        start, stop, step = recipe["range"]
        return pd.RangeIndex(start, stop, step, name=label_from_plain(recipe["name"]))
    if "flat" in recipe:
        return index_from_arrow(one_chunk(arrays[0]), recipe["flat"])
    pairs = [
        codes_from_arrow(one_chunk(array), level)
        for array, level in zip(arrays, recipe["levels"], strict=True)
    ]
    return pd.MultiIndex(
        levels=[level for _, level in pairs],
        codes=[codes for codes, _ in pairs],
        names=[level.name for _, level in pairs],
        sortorder=recipe.get("sorted_by"),
        verify_integrity=False,
    )


def level_recipes(recipe: Recipe) -> list[Recipe]:
    """The recipe of each array that `index_to_levels` returned."""
    if "flat" in recipe:
        return [recipe["flat"]]
    return list(recipe.get("levels", []))


def level_names(index: Any, used_names: set[str]) -> list[str]:
    """Names for the levels' columns in a table: a level's own name if unused, as in pandas."""
    names = []
    for number, name in enumerate(index.names):
        is_unused = isinstance(name, str) and name not in used_names
        names.append(name if is_unused else f"__index_level_{number}__")
        used_names = used_names | {names[-1]}
    return names


def chosen_labels(labels: Any, positions: Sequence[int]) -> Any:
    """The labels at some positions, the same in whatever number of choices they are chosen.

    They are no range and have no frequency: pandas keeps either where what is chosen happens to
    have one, and cannot find it again in a later choice.
    """
    chosen = labels.take(positions)
    if isinstance(chosen, pd.RangeIndex):
        return pd.Index(chosen.to_numpy(), name=chosen.name)
    if isinstance(chosen, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        kind: Any = type(chosen)  # the stubs do not know that freq may be None
        return kind(chosen, freq=None)
    return chosen


def pack_index(index: Any, where: str) -> Recipe:
    """A whole index as JSON, including its arrays: for column labels, because there are few.

    Labels may be of several types, as in `["carrier", 2013]`; raises InexactValue.
    """
    if type(index) is pd.Index and index.dtype == object:
        name = label_to_plain(index.name, f"the name of {where}")
        return {"objects": [label_to_plain(label, "column") for label in index], "name": name}
    arrays, recipe = index_to_levels(index, where)
    table = pa.Table.from_arrays(arrays, names=[str(number) for number in range(len(arrays))])
    return {"recipe": recipe, "arrays": pack_table(table)}


def unpack_index(packed: Recipe) -> Any:
    """The index that `pack_index` wrote."""
    if "objects" in packed:
        labels = [label_from_plain(label) for label in packed["objects"]]
        name = label_from_plain(packed["name"])
        return pd.Index(labels, dtype=object, name=name, tupleize_cols=False)
    return index_from_levels(unpack_table(packed["arrays"]).columns, packed["recipe"])
