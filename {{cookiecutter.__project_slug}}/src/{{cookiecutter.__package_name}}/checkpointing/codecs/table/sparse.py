"""Sparse columns: runs of Arrow, where a run of nulls stands for the fill value.

Each stored value is a run of one row, so that a stored value that equals the fill value stays one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from ...base.errors import InexactValue
from ..plain import from_plain, to_plain
from .buffers import Recipe, from_numpy, one_chunk, to_numpy, valid_of


def sparse_to_arrow(values: Any, where: str) -> tuple[Any, Recipe]:
    """A SparseArray as runs, and its recipe; raises InexactValue for all but numbers and bool."""
    dtype = values.dtype
    stored = np.asarray(values.sp_values)
    if stored.dtype.kind not in "biuf" or stored.dtype.itemsize > 8 or not stored.dtype.isnative:
        raise InexactValue(
            f"{where} is sparse and holds {stored.dtype}, of which no file keeps sparse columns; "
            "use column.sparse.to_dense()"
        )
    fill = to_plain(dtype.fill_value, f"the fill value of {where}")
    positions = values.sp_index.to_int_index().indices
    recipe = {"as": "sparse", "dtype": stored.dtype.name, "fill": fill, "kind": values.kind}
    return _runs(positions, stored, len(values)), recipe


def sparse_from_arrow(array: Any, recipe: Recipe) -> Any:
    """The SparseArray that `sparse_to_arrow` converted."""
    positions, stored = _stored(array, recipe)
    dtype: Any = pd.SparseDtype(np.dtype(recipe["dtype"]), from_plain(recipe["fill"]))
    sparse: Any = pd.arrays.SparseArray
    more = {"fill_value": dtype.fill_value, "kind": recipe["kind"]}
    if hasattr(sparse, "from_indices"):  # since pandas 3.1
        return sparse.from_indices(stored, positions, len(array), **more)
    marks = np.zeros(len(array), bool)
    marks[positions] = True
    index = sparse(marks, fill_value=False, kind=recipe["kind"]).sp_index
    return sparse(stored, sparse_index=index, dtype=dtype, **more)


def as_dense(array: Any, recipe: Recipe) -> Any:
    """The column for readers that know no sparse columns, with nulls for NaN."""
    positions, stored = _stored(array, recipe)
    fill = from_plain(recipe["fill"])
    values = np.zeros(len(array), recipe["dtype"])
    if len(positions) < len(array):
        values[:] = fill
    values[positions] = stored
    return _arrow(values, ~np.isnan(values) if values.dtype.kind == "f" else None)


def from_dense(array: Any, recipe: Recipe) -> Any:
    """The runs of a column that `as_dense` made: all values but the fill value are stored."""
    dtype = np.dtype(recipe["dtype"])
    if dtype.kind == "b":
        values = np.asarray(array.to_numpy(zero_copy_only=False))
    else:
        values = to_numpy(array, dtype).copy()
        values[~valid_of(array)] = np.nan if dtype.kind == "f" else 0
    fill = np.array([from_plain(recipe["fill"])], dtype)
    is_fill = np.isnan(values) if fill[0] != fill[0] else values == fill
    positions = np.flatnonzero(~is_fill).astype(np.int32)
    return _runs(positions, values[positions], len(values))


def _runs(positions: npt.NDArray[Any], stored: npt.NDArray[Any], rows: int) -> Any:
    """Run ends and values for stored values at these rows, in ascending order."""
    before = np.concatenate([[0], positions[:-1] + 1])[: len(positions)]
    has_gap = positions > before
    at = np.cumsum(1 + has_gap) - 1  # the run of each stored value
    last = int(positions[-1]) + 1 if len(positions) else 0
    count = (int(at[-1]) + 1 if len(at) else 0) + (last < rows)
    ends = np.full(count, rows, np.int32)
    ends[at] = positions + 1
    ends[at[has_gap] - 1] = positions[has_gap]
    values, valid = np.zeros(count, stored.dtype), np.zeros(count, bool)
    values[at], valid[at] = stored, True
    return pa.RunEndEncodedArray.from_arrays(pa.array(ends), _arrow(values, valid))


def _stored(array: Any, recipe: Recipe) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The rows and values that a column, or a slice of it, stores."""
    array = one_chunk(array)
    ends = np.asarray(array.run_ends).astype(np.int64) - array.offset
    stored = array.values  # noqa: PD011 - of Arrow, not of pandas
    valid = valid_of(stored) & (ends > 0) & (ends <= len(array))
    if recipe["dtype"] == "bool":
        elements = stored.to_numpy(zero_copy_only=False)
    else:
        elements = to_numpy(stored, recipe["dtype"])
    return ends[valid] - 1, np.array(elements[valid], recipe["dtype"])


def _arrow(values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None) -> Any:
    if values.dtype.kind == "b":
        return pa.array(values, mask=None if valid is None else ~valid)
    return from_numpy(values, pa.from_numpy_dtype(values.dtype), valid)
