"""Columns of Python objects that nobody has changed since they were made from an Arrow array.

To make an Arrow array of objects means to look at each of them, but most steps pass on such a
column as it is. So the array of objects is read-only: pandas copies it before it writes, like all
memory of a thawed frame. While it lives, it is known of which Arrow array it was made.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from .buffers import Recipe, to_numpy, valid_of
from .decimals import inferred_type
from .pieces import base_array

_known: dict[int, tuple[weakref.ref[npt.NDArray[Any]], Any, Recipe]] = {}


def know(values: npt.NDArray[Any], array: Any, recipe: Recipe) -> None:
    """Note of which Arrow array objects were made, to which nobody can write from now on."""
    values.flags.writeable = False
    if _is_as_made_of_its_objects(array, recipe):
        address = values.ctypes.data
        _known[address] = weakref.ref(values, lambda _: _known.pop(address, None)), array, recipe


def known_array(values: npt.NDArray[Any]) -> tuple[Any, Recipe] | None:
    """The Arrow array and the recipe of a whole column of objects, if they are known."""
    reference, array, recipe = _known.get(values.ctypes.data, (None, None, {}))
    root = base_array(values)
    is_known = reference is not None and reference() is root and values.shape == root.shape
    # Whoever makes the array writeable may have changed it.
    is_same = is_known and not root.flags.writeable and not values.flags.writeable
    return (array, dict(recipe)) if is_same and values.strides == root.strides else None


def _is_as_made_of_its_objects(array: Any, recipe: Recipe) -> bool:
    """Whether the objects would give the same array, bit for bit, and it is smaller than they are.

    What is a part of a column may be of another type than its objects alone would show, and a file
    may give other bits beneath nulls.
    """
    kind, missing = array.type, array.null_count
    if not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind)) or missing == len(array):
        return False
    if pa.types.is_decimal(kind) and inferred_type(array) != kind:
        return False
    if not missing:
        return bool(recipe["missing"] == "None")
    if pa.types.is_boolean(kind):
        return False
    bits = to_numpy(array, f"V{kind.bit_width // 8}").view("u1").reshape(len(array), -1)
    return not bits[~valid_of(array)].any()
