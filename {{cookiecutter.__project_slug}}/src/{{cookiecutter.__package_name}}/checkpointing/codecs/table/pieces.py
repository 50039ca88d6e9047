"""The memory that a frozen value keeps alive: a slice keeps its whole base array."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class Piece(NamedTuple):
    """An allocation, in bytes. `serial` distinguishes it from a former one at the same address."""

    address: int
    bytes: int
    serial: int = 0


def pieces(frozen: Any, is_mapped: Callable[[int], bool]) -> set[Piece]:
    """The memory that a frozen value keeps alive; values with the same piece share it.

    A piece is an allocation, even where the value uses a part of it only; in a mapped file, whose
    pages come and go one by one, it is a buffer. `is_mapped` says whether an address is in such a
    file. A value that is neither table nor array is one piece.
    """
    if isinstance(frozen, pa.Table):
        chunks = (chunk for column in frozen.columns for chunk in column.chunks)
        return {piece for chunk in chunks for piece in _of_arrow(chunk, is_mapped)}
    if isinstance(frozen, np.ndarray):
        return {_of_numpy(frozen)} if frozen.nbytes else set()
    size = len(frozen) if isinstance(frozen, bytes) else int(getattr(frozen, "nbytes", 0))
    return {Piece(id(frozen), size)} if size else set()


def buffer_of(values: npt.NDArray[Any]) -> Any:
    """A contiguous array's memory as a buffer whose parent is all that it keeps alive.

    Arrow does not show the owner of a buffer that came from Python, but it does for a slice.
    """
    root = _root(values)
    if isinstance(root.base, pa.Buffer):
        whole, start = root.base, root.base.address
    elif values.nbytes and (root.flags.c_contiguous or root.flags.f_contiguous):
        whole, start = pa.py_buffer(root.ravel(order="K").view(np.uint8)), root.ctypes.data
        _note(root)
    else:
        _note(values)
        return pa.py_buffer(values)
    return whole.slice(values.ctypes.data - start, values.nbytes)


def _of_arrow(array: Any, is_mapped: Callable[[int], bool]) -> Iterator[Piece]:
    for buffer in array.buffers():
        if buffer is not None and buffer.size:
            root = buffer if is_mapped(buffer.address) else _all_behind(buffer)
            yield Piece(root.address, root.size, _serial(root.address))
    if isinstance(array, pa.DictionaryArray):
        yield from _of_arrow(array.dictionary, is_mapped)


def _of_numpy(array: npt.NDArray[Any]) -> Piece:
    root = _root(array)
    if isinstance(root.base, pa.Buffer):
        buffer = _all_behind(root.base)
        return Piece(buffer.address, buffer.size, _serial(buffer.address))
    _note(root)
    return Piece(root.ctypes.data, root.nbytes, _serial(root.ctypes.data))


_serials = count(1)
_owners: dict[int, tuple[weakref.ref[npt.NDArray[Any]], int]] = {}


def _note(owner: npt.NDArray[Any]) -> None:
    """Give the memory of an array a serial number, which it has for as long as the array lives.

    A value that a step frees and one that it makes afterwards may lie at the same address. Arrow
    does not say when it frees memory of its own; such allocations differ by their size only.
    """
    if not _serial(owner.ctypes.data):
        _owners[owner.ctypes.data] = weakref.ref(owner), next(_serials)


def _serial(address: int) -> int:
    owner, serial = _owners.get(address, (None, 0))
    return serial if owner is not None and owner() is not None else 0


def _all_behind(buffer: Any) -> Any:
    while buffer.parent is not None:
        buffer = buffer.parent
    return buffer


def _root(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
