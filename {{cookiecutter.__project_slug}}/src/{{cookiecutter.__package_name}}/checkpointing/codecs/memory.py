"""Which memory a frozen value keeps alive: a slice holds all of what it was taken from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def pieces(frozen: Any, is_mapped: Callable[[int], bool]) -> dict[int, int]:
    """The memory that a frozen value keeps alive, piece by piece: each one's address and bytes.

    A piece is an allocation, even where the value uses a part of it only; in a mapped file, whose
    pages come and go one by one, it is a buffer. `is_mapped` tells by address. Values with a piece
    of one address share it. What is neither table nor array is one piece of its own.
    """
    if isinstance(frozen, pa.Table):
        chunks = (chunk for column in frozen.columns for chunk in column.chunks)
        return dict(piece for chunk in chunks for piece in _of_arrow(chunk, is_mapped))
    if isinstance(frozen, np.ndarray):
        return dict([_of_numpy(frozen)]) if frozen.nbytes else {}
    size = len(frozen) if isinstance(frozen, bytes) else int(getattr(frozen, "nbytes", 0))
    return {id(frozen): size} if size else {}


def buffer_of(values: npt.NDArray[Any]) -> Any:
    """A contiguous array's memory as a buffer whose parent is all that it keeps alive.

    Arrow does not tell what is behind a buffer that came from Python, but it does for a slice.
    """
    root = _root(values)
    if isinstance(root.base, pa.Buffer):
        whole, start = root.base, root.base.address
    elif values.nbytes and (root.flags.c_contiguous or root.flags.f_contiguous):
        whole, start = pa.py_buffer(root.ravel(order="K").view(np.uint8)), root.ctypes.data
    else:
        return pa.py_buffer(values)
    return whole.slice(values.ctypes.data - start, values.nbytes)


def _of_arrow(array: Any, is_mapped: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    for buffer in array.buffers():
        if buffer is not None and buffer.size:
            root = buffer if is_mapped(buffer.address) else _all_behind(buffer)
            yield root.address, root.size
    if isinstance(array, pa.DictionaryArray):
        yield from _of_arrow(array.dictionary, is_mapped)


def _of_numpy(array: npt.NDArray[Any]) -> tuple[int, int]:
    root = _root(array)
    if isinstance(root.base, pa.Buffer):
        buffer = _all_behind(root.base)
        return buffer.address, buffer.size
    return root.ctypes.data, root.nbytes


def _all_behind(buffer: Any) -> Any:
    while buffer.parent is not None:
        buffer = buffer.parent
    return buffer


def _root(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
