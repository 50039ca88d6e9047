"""Arrow arrays from memory that pandas and NumPy own, and back, without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .arrow_types import has_dictionary
from .pieces import buffer_of
from .slices import own

Recipe = dict[str, Any]


def one_chunk(column: Any) -> Any:
    """A chunked array as one array; copied only if it has several chunks."""
    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 0:
        return pa.nulls(0, column.type)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def read_only(column: Any) -> Any:
    """The same column, in the same memory, to which nobody can write, not even through NumPy.

    A chunk without rows keeps no memory, unless its type has a dictionary or is a union.
    """
    if isinstance(column, pa.ChunkedArray):
        return pa.chunked_array(map(read_only, column.chunks), column.type)
    if not len(column) and not _has_entries(column.type):
        # Arrow exports no buffer of an array without rows, and then refuses a view's offset.
        return pa.nulls(0, column.type)
    if pa.types.is_dictionary(column.type):
        parts = read_only(column.indices), read_only(column.dictionary)
        return pa.DictionaryArray.from_arrays(*parts, ordered=column.type.ordered, safe=False)
    is_flat = not has_dictionary(column.type)
    if is_flat and not any(buffer is not None and buffer.is_mutable for buffer in column.buffers()):
        return column
    return with_type(column, column.type)


def _has_entries(arrow_type: Any) -> bool:
    """Whether an array without rows may have elements: a dictionary, or members of a union."""
    return pa.types.is_union(arrow_type) or has_dictionary(arrow_type)


def with_type(array: Any, arrow_type: Any) -> Any:
    """The same array, in the same memory, as a type that differs only in names within it."""
    return pa.array(_Exported(array, arrow_type))


class _Exported:
    """An array as any library receives it by Arrow's protocol: a reader of its memory."""

    def __init__(self, array: Any, arrow_type: Any) -> None:
        self._array, self._type = array, arrow_type

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, Any]:
        return self._type.__arrow_c_schema__(), self._array.__arrow_c_array__()[1]


def write_batches(writer: Any, table: Any) -> None:
    """Write a table with an Arrow writer, as one record batch if no column is in chunks."""
    if table.num_rows:
        columns = [pa.chunked_array(map(own, c.chunks), c.type) for c in table.columns]
        writer.write_table(pa.Table.from_arrays(columns, schema=table.schema))
    else:
        # write_table would write no batch, and so lose the dictionaries. Of a slice without rows
        # it would write the whole buffers.
        arrays = [_no_rows(one_chunk(column)) for column in table.columns]
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=table.schema))


def no_rows(schema: Any) -> Any:
    """A table without rows, of any schema; `schema.empty_table()` does not support all types."""
    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def _no_rows(array: Any) -> Any:
    if not pa.types.is_dictionary(array.type):
        return pa.nulls(0, array.type)
    indices = pa.nulls(0, array.type.index_type)
    return pa.DictionaryArray.from_arrays(indices, array.dictionary, ordered=array.type.ordered)


def from_numpy(values: npt.NDArray[Any], arrow_type: Any, valid: Any = None) -> Any:
    """An Arrow array of fixed-width elements that shares the array's memory.

    Elements keep their bits, NaN and NaT included. `valid` contains True for each element that is
    not null, or is None if none is null. Elements that are null keep their bits, too.
    """
    data = buffer_of(np.ascontiguousarray(values))
    bitmap = None if valid is None or valid.all() else read_only(pa.array(valid)).buffers()[1]
    return pa.Array.from_buffers(arrow_type, len(values), [bitmap, data])


def to_numpy(array: Any, dtype: Any) -> npt.NDArray[Any]:
    """The bits of all elements, also of nulls, as a read-only array of this dtype."""
    dtype = np.dtype(dtype)
    data = array.buffers()[1]
    if data is None or len(array) == 0:
        values = np.empty(0, dtype)
    else:
        values = np.frombuffer(data, dtype, len(array), array.offset * dtype.itemsize)
    values.flags.writeable = False
    return values


def valid_of(array: Any) -> npt.NDArray[np.bool_]:
    """Which elements are not null."""
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False))
