"""The memory that a frozen value keeps alive: a slice keeps its whole base array."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .lots import lots_of, rest_of


class Piece(NamedTuple):
    """An allocation, in bytes. A former allocation at the same address has another `serial`."""

    address: int
    bytes: int
    serial: int = 0


def pieces(frozen: Any, is_mapped: Callable[[int], bool]) -> set[Piece]:
    """The memory that a frozen value keeps alive; values with the same piece share it.

    A piece is a whole allocation, even if the value uses only a part of it. In a mapped file, of
    which the kernel loads and drops single pages, a piece is a buffer. `is_mapped` returns whether
    an address is in such a file. A value that is neither a table nor an array is a single piece.
    """
    if isinstance(frozen, pa.Table):
        return set(_table_pieces(frozen, is_mapped))
    if isinstance(frozen, np.ndarray):
        return {_numpy_piece(frozen)} if frozen.nbytes else set()
    size = len(frozen) if isinstance(frozen, bytes) else int(getattr(frozen, "nbytes", 0))
    return {Piece(id(frozen), size)} if size else set()


def buffer_of(values: npt.NDArray[Any]) -> Any:
    """A contiguous array's memory as a buffer whose parent is the allocation that it keeps alive.

    Arrow shows the parent of a slice, but not the owner of a buffer that came from Python. Nobody
    can write to the buffer, nor to an array that is made of it: its `flags.writeable` stays False.
    From now on the array and its owner are read-only too, for code that still refers to them.
    """
    if not values.nbytes:
        return pa.py_buffer(b"")
    whole = _whole(values)
    if whole is None:
        _number_owner(values)
        return _read_only_bytes(values)
    return whole.slice(values.ctypes.data - whole.address, values.nbytes)


def row_buffers(values: npt.NDArray[Any]) -> Iterator[Any]:
    """A buffer as `buffer_of` for each row of a two-dimensional array.

    A row whose elements are no neighbours is copied.
    """
    count, rows = values.shape
    is_contiguous = rows < 2 or values.strides[1] == values.itemsize
    whole = _whole(values) if values.nbytes and is_contiguous else None
    if whole is None:
        yield from (buffer_of(np.ascontiguousarray(row)) for row in values)
        return
    start, size = values.ctypes.data - whole.address, rows * values.itemsize
    for number in range(count):
        yield whole.slice(start + number * values.strides[0], size)


def in_one_piece(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same two-dimensional array; a copy if the elements of a row are no neighbours."""
    if values.nbytes and values.strides[1] != values.itemsize and values.shape[1] > 1:
        return np.ascontiguousarray(values)
    return values if _whole(values) is not None else np.ascontiguousarray(values)


def view_of(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array in the same memory that nobody can write to."""
    whole = _whole(values)
    if whole is None or not values.nbytes:
        return values
    offset = values.ctypes.data - whole.address
    view: npt.NDArray[Any] = np.ndarray(values.shape, values.dtype, whole, offset, values.strides)
    view.flags.writeable = False
    return view


def root_buffer(values: npt.NDArray[Any]) -> Any:
    """The whole buffer in whose memory an array lies; None if that belongs to NumPy."""
    root = base_array(values)
    return _root_buffer(root.base) if isinstance(root.base, pa.Buffer) else None


def _whole(values: npt.NDArray[Any]) -> Any:
    """The buffer of the allocation that an array keeps alive, read-only; None if it has gaps."""
    root = base_array(values)
    if isinstance(root.base, pa.Buffer):
        return root.base
    if not (root.flags.c_contiguous or root.flags.f_contiguous):
        return None
    _number_owner(root)
    return _read_only_bytes(root)


def _read_only_bytes(array: npt.NDArray[Any]) -> Any:
    array.flags.writeable = False
    return pa.py_buffer(array.ravel(order="K").view(np.uint8))


def _table_pieces(table: Any, is_mapped: Callable[[int], bool]) -> Iterator[Piece]:
    for lot in lots_of(table):
        root, start = root_buffer(lot.values), lot.values.ctypes.data
        if is_mapped(start):  # each column counts by itself
            distance, (count, rows) = lot.values.strides[0], lot.values.shape
            size = rows * lot.values.itemsize
            addresses = (start + number * distance for number in range(count))
            yield from (Piece(address, size, _serial(address)) for address in addresses)
        else:
            yield Piece(root.address, root.size, _serial(root.address))
    for chunk in (chunk for column in rest_of(table) for chunk in column.chunks):
        yield from _arrow_pieces(chunk, is_mapped)


def _arrow_pieces(array: Any, is_mapped: Callable[[int], bool]) -> Iterator[Piece]:
    for buffer in array.buffers():
        if buffer is not None and buffer.size:
            root = buffer if is_mapped(buffer.address) else _root_buffer(buffer)
            yield Piece(root.address, root.size, _serial(root.address))
    if isinstance(array, pa.DictionaryArray):
        yield from _arrow_pieces(array.dictionary, is_mapped)


def _numpy_piece(array: npt.NDArray[Any]) -> Piece:
    root = base_array(array)
    if isinstance(root.base, pa.Buffer):
        buffer = _root_buffer(root.base)
        return Piece(buffer.address, buffer.size, _serial(buffer.address))
    _number_owner(root)
    return Piece(root.ctypes.data, root.nbytes, _serial(root.ctypes.data))


_serials = count(1)
_owners: dict[int, tuple[weakref.ref[npt.NDArray[Any]], int]] = {}


def _number_owner(owner: npt.NDArray[Any]) -> None:
    """Give the memory of an array a serial number, which is valid until the array is freed.

    A value that a step frees and a value that it makes afterwards may have the same address. Arrow
    does not report when it frees memory of its own; such allocations differ only in their size.
    """
    if not _serial(owner.ctypes.data):
        _owners[owner.ctypes.data] = weakref.ref(owner), next(_serials)


def _serial(address: int) -> int:
    owner, serial = _owners.get(address, (None, 0))
    return serial if owner is not None and owner() is not None else 0


def _root_buffer(buffer: Any) -> Any:
    while buffer.parent is not None:
        buffer = buffer.parent
    return buffer


def base_array(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array whose memory an array shows a part of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
