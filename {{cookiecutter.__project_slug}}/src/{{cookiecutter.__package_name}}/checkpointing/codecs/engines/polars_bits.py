"""Arrays that polars gives, with bits that depend on the data alone.

polars leaves what lies beyond the end of an array as it is, in the last byte of a bitmap and around
a slice of lists. The same data would get another file, and so another checksum, each time that it
was computed in another way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa


def settled(array: Any, *, by_appearance: bool) -> Any:
    """The array with bits of its own; numbers without nulls stay in the memory of polars.

    Categories get codes with a sign, as pandas has them.

    Args:
        by_appearance: leave out categories that no row has, and number the others in the order of
            their first appearance: polars numbers them as a process has come to know them.
    """
    if not pa.types.is_dictionary(array.type):
        return _settled(array)
    codes, words = array.indices, array.dictionary
    if by_appearance:
        encoded = codes.dictionary_encode()
        codes, words = encoded.indices, words.take(encoded.dictionary)
    else:
        size = 8 if len(words) <= 2**7 else 16 if len(words) <= 2**15 else 32
        codes = codes.cast(pa.from_numpy_dtype(f"int{size}"))
    ordered = array.type.ordered
    return pa.DictionaryArray.from_arrays(_settled(codes), words, ordered=ordered)


def _settled(array: Any) -> Any:
    if array.type.num_fields or array.offset:
        return pa.concat_arrays([array, array.slice(0, 0)])  # of one array alone it makes no copy
    valid, *rest = array.buffers()
    if valid is not None:
        valid = _bits(valid, len(array)) if array.null_count else None
    elif not pa.types.is_boolean(array.type):
        return array
    if pa.types.is_boolean(array.type):
        rest = [_bits(rest[0], len(array))]
    return pa.Array.from_buffers(array.type, len(array), [valid, *rest], array.null_count)


def _bits(bitmap: Any, count: int) -> Any:
    """The first bits of a bitmap, with zeros after them."""
    if bitmap is None or not count:
        return bitmap
    octets = np.frombuffer(bitmap, np.uint8, (count + 7) // 8).copy()
    if count % 8:
        octets[-1] &= (1 << count % 8) - 1
    return pa.py_buffer(octets)
