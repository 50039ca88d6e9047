"""Write only the elements of a slice, not those of its base array.

A slice of an Arrow array shares the buffers of the whole array. Written unchanged, its file would
also contain some bytes beyond its end, of any content: the same value would get another file, and
so another checksum, if it was loaded from disk before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_TEXT = (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())


def own(array: Any) -> Any:
    """The array with buffers that contain only its elements; a whole array is returned unchanged.

    All slices are copied, except for the characters of a slice of text.
    """
    if _is_whole(array):
        return array
    if array.type in _TEXT and array.buffers()[1] is not None:
        return _own_text(array)
    try:
        return pa.concat_arrays([array])
    except pa.ArrowNotImplementedError:  # concat_arrays does not support all types
        return array


def _own_text(array: Any) -> Any:
    offsets = _offsets(array)
    first, last = int(offsets[0]), int(offsets[-1])
    valid = pa.concat_arrays([array.is_valid()]).buffers()[1] if array.null_count else None
    characters = array.buffers()[2]
    if characters is not None:
        characters = characters.slice(first, last - first)
    buffers = [valid, pa.py_buffer(offsets - first), characters]
    return pa.Array.from_buffers(array.type, len(array), buffers, array.null_count)


def _is_whole(array: Any) -> bool:
    """Whether all buffers end at the end of the elements; False also if this is not certain."""
    kind, count = array.type, len(array)
    if array.offset:
        return False
    if pa.types.is_null(kind):
        return True
    if pa.types.is_dictionary(kind):
        return _is_whole(array.indices) and _is_whole(array.dictionary)
    if pa.types.is_struct(kind):
        return all(_is_whole(array.field(number)) for number in range(kind.num_fields))
    if pa.types.is_fixed_size_list(kind):
        return len(array.values) == count * kind.list_size and _is_whole(array.values)
    buffers = array.buffers()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        is_whole = _has_own_offsets(array) and int(_offsets(array)[-1]) == len(array.values)
        return is_whole and _is_whole(array.values)
    if kind in _TEXT:
        return _has_own_offsets(array) and int(_offsets(array)[-1]) == _size(buffers[2])
    try:
        bits = kind.bit_width
    except ValueError:
        return False
    # The size of a buffer of single bits does not show the number of bits.
    return bool(bits >= 8 and _size(buffers[1]) == count * bits // 8)


def _has_own_offsets(array: Any) -> bool:
    return _size(array.buffers()[1]) == (len(array) + 1) * int(_offset_type(array).itemsize)


def _size(buffer: Any) -> int:
    return 0 if buffer is None else int(buffer.size)


def _offsets(array: Any) -> npt.NDArray[Any]:
    """The start of each element, and the end of the last element, in items or bytes."""
    dtype = _offset_type(array)
    start = array.offset * dtype.itemsize
    return np.frombuffer(array.buffers()[1], dtype, len(array) + 1, start)


def _offset_type(array: Any) -> np.dtype[Any]:
    kind = array.type
    is_large = pa.types.is_large_list(kind) or kind in (pa.large_string(), pa.large_binary())
    return np.dtype(np.int64 if is_large else np.int32)
