"""The columns of a DataFrame as arrays, and back: in a wide frame, many of one dtype are one block.

pandas works block by block, so a frame of 2,000 one-column blocks is slow in every operation. A
frame of at most `FEW` columns gets a block for each: then choosing columns copies nothing. In a
wider one, columns of one dtype at equal distances in one piece of memory become one block. It is a
view of them, mapped or not, so this copies nothing, either. In a file, neighbours of one dtype are
at equal distances. Where this leaves more than `FEW` blocks of a dtype, those of few columns are
copied into one. That copy is held memory, of the step that takes or makes the frame.

This module and `copy_on_write` alone use pandas' internals (`_mgr`, `blocks`, `mgr_locs`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api.internals import (  # type: ignore[import-not-found] # the stubs lack it
    create_dataframe_from_blocks,
)

from .buffers import Recipe
from .lots import Lot
from .pieces import in_one_piece, root_buffer, row_buffers, view_of

FEW = 100
"""The most blocks of a dtype, as in pandas, which warns that a frame of more is fragmented."""


def columns_to_arrow(
    frame: pd.DataFrame,
) -> tuple[dict[int, tuple[Any, Recipe]], list[Lot], list[tuple[int, Any]]]:
    """Numbers and moments without a zone as Arrow arrays and recipes, by the column's position.

    Memory is shared, if the elements of a column are neighbours in it. Also returns the lots of a
    wide frame, and the `.array` of each other column, in their order.
    """
    numbers: dict[Any, list[Lot]] = defaultdict(list)
    others: list[tuple[int, Any]] = []
    internals: Any = frame
    rows, is_wide = len(frame), len(frame.columns) > FEW
    for block in internals._mgr.blocks:
        values, places = block.values, block.mgr_locs.as_array  # noqa: PD011
        if (bits := _bits(values)) is None:
            others += zip(places.tolist(), _arrays(values), strict=True)
        else:
            numbers[bits.dtype].append(Lot(bits, places))
    pairs: dict[int, tuple[Any, Recipe]] = {}
    lots: list[Lot] = []
    for dtype, blocks in numbers.items():
        arrow_type = pa.from_numpy_dtype(dtype)
        recipe = _recipe(dtype)
        for values, places in _few(blocks):
            if is_wide:
                values = in_one_piece(values)
                lots.append(Lot(view_of(values), places))
            for place, buffer in zip(places.tolist(), row_buffers(values), strict=True):
                array = pa.Array.from_buffers(arrow_type, rows, [None, buffer], 0)
                pairs[place] = array, recipe
    return pairs, lots, sorted(others, key=itemgetter(0))


def _bits(values: Any) -> npt.NDArray[Any] | None:
    """A block of numbers or of moments without a zone as an array of NumPy; None for any other."""
    if type(values) in (pd.arrays.DatetimeArray, pd.arrays.TimedeltaArray):
        has_zone = values.dtype.kind == "M" and values.tz is not None
        return None if has_zone else values.asi8.view(f"{values.dtype.kind}8[{values.unit}]")
    is_plain = isinstance(values, np.ndarray) and values.dtype.kind in "iuf"
    return values if is_plain and values.dtype.isnative and values.itemsize <= 8 else None


def _recipe(dtype: np.dtype[Any]) -> Recipe:
    if dtype.kind == "M":
        return {"as": "datetime", "zone": None}
    return {"as": "timedelta"} if dtype.kind == "m" else {"as": "numpy", "dtype": dtype.name}


def _arrays(values: Any) -> Iterable[Any]:
    """The `.array` of each column of a block."""
    if isinstance(values, np.ndarray):
        return map(pd.arrays.NumpyExtensionArray, values)
    return [values] if values.ndim == 1 else values


def _few(blocks: list[Lot]) -> list[Lot]:
    """The same columns, all of one dtype, in few blocks: of more, the small ones are copied."""
    if len(blocks) <= FEW:
        return blocks
    small = [block for block in blocks if len(block.places) <= FEW]
    copied = np.concatenate([values for values, _ in small])
    copied.flags.writeable = False  # as all others are
    places = np.concatenate([places for _, places in small])
    return [*(block for block in blocks if len(block.places) > FEW), Lot(copied, places)]


def frame_of(
    columns: Callable[[int], Any],
    known: list[Lot],
    index: pd.Index[Any],
    labels: pd.Index[Any],
) -> tuple[pd.DataFrame, list[Lot]]:
    """A frame of arrays of NumPy and pandas, which shares their memory; but see above.

    Also returns further lots of a wide frame, to be known the next time.

    Args:
        columns: gives the array of a column, by its position.
        known: the lots that are known already.
    """
    is_wide = len(labels) > FEW
    blocks: list[Any] = list(known)
    lots, arrays = list[Lot](), defaultdict(list)
    for place in sorted({*range(len(labels))}.difference(*(lot.places.tolist() for lot in known))):
        values = columns(place)
        if isinstance(values, np.ndarray) and is_wide:
            arrays[values.dtype].append((values, place))
        else:
            is_plain = isinstance(values, np.ndarray)
            blocks.append((values.reshape(1, -1) if is_plain else values, np.array([place])))
    for pairs in arrays.values():
        made = list(_lots([values for values, _ in pairs], np.array([place for _, place in pairs])))
        blocks += (few := _few(made))
        lots += [lot for lot in few if root_buffer(lot.values) is not None]
    return create_dataframe_from_blocks(blocks, index, labels), lots


def _lots(arrays: list[npt.NDArray[Any]], places: npt.NDArray[np.intp]) -> Iterator[Lot]:
    """Arrays of one dtype and length, those at equal distances in one piece of memory as one."""
    addresses = [array.__array_interface__["data"][0] for array in arrays]
    start = 0
    while start < len(arrays):
        first = arrays[start]
        stop, root = start + 1, root_buffer(first)
        if root is not None and stop < len(arrays):
            distance = addresses[stop] - addresses[start]
            last = root.address + root.size - first.nbytes
            if distance >= first.nbytes > 0 and not distance % first.itemsize:
                while stop < len(arrays) and addresses[stop] <= last:
                    if addresses[stop] - addresses[stop - 1] != distance:
                        break
                    stop += 1
        if stop - start == 1:
            yield Lot(first.reshape(1, -1), places[start:stop])
        else:
            shape, strides = (stop - start, len(first)), (distance, first.itemsize)
            offset = addresses[start] - root.address
            view = np.ndarray(shape, first.dtype, root, offset, strides)
            view.flags.writeable = False
            yield Lot(view, places[start:stop])
        start = stop
