"""NumPy arrays as .npy files, mapped read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from ..base.errors import InexactValue
from .table.pieces import buffer_of

# NumPy refuses long headers, of a file that anybody may have made; checksums guard these.
_LONGEST_HEADER = 1 << 24  # bytes; a structure of 200,000 fields takes half of it


def freeze(value: Any) -> npt.NDArray[Any]:
    """A view in C or Fortran order that no step can make writeable; other orders are copied.

    The array that the step returned is read-only from now on. Raises InexactValue for subclasses
    and for dtypes that .npy does not keep.
    """
    if type(value) is not np.ndarray:
        raise InexactValue(
            f"the step promised a numpy.ndarray and returned {_name(type(value))}, which a .npy "
            f"file does not keep; {_remedy(value)}"
        )
    if not _keeps(value.dtype):
        raise InexactValue(
            f"the array has dtype {value.dtype!r}, which a .npy file does not keep; "
            + _remedy_of_dtype(value.dtype)
        )
    if not value.size or not value.itemsize:
        return _without_memory(value)
    contiguous = value.flags.c_contiguous or value.flags.f_contiguous
    array = value if contiguous else np.array(value, order="C")
    array.flags.writeable = False
    order: Literal["C", "F"] = "C" if array.flags.c_contiguous else "F"
    return np.ndarray(array.shape, array.dtype, buffer_of(array), order=order)


def thaw(frozen: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array, read-only: a step that changes it in place needs `array.copy()` first."""
    return frozen.view()


def write(frozen: npt.NDArray[Any], file: BinaryIO) -> None:
    """Write the .npy header and the elements in the array's own order."""
    npy.write_array(file, frozen, allow_pickle=False)


def read(path: Path, columns: tuple[str, ...] | None) -> npt.NDArray[Any]:
    """Map the file; its pages are loaded as they are used and can be dropped by the kernel."""
    if columns is not None:
        raise InexactValue("only tables have columns to choose from; drop Columns(...)")
    mapped = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=_LONGEST_HEADER)
    return np.asarray(mapped)


def _without_memory(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array without elements, or with elements of no bytes, over memory of its own."""
    order: Literal["C", "F"] = "C" if value.flags.c_contiguous else "F"
    frozen: npt.NDArray[Any] = np.ndarray(value.shape, value.dtype, b"", order=order)
    return frozen


def _keeps(dtype: np.dtype[Any]) -> bool:
    if dtype.hasobject or dtype.kind == "T" or _has_metadata(dtype):
        return False
    try:
        restored = npy.descr_to_dtype(npy.dtype_to_descr(dtype))
    except ValueError:  # fields overlap, or their order in memory differs from that of their names
        return False
    # Equality ignores that a structure is aligned, but its repr and its conversions do not.
    is_alike = restored.type is dtype.type and repr(restored) == repr(dtype)
    return bool(restored == dtype and is_alike)


def _has_metadata(dtype: np.dtype[Any]) -> bool:
    fields = [field[0] for field in (dtype.fields or {}).values()]
    return bool(dtype.metadata) or any(map(_has_metadata, fields))


def _name(kind: type) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _remedy_of_dtype(dtype: np.dtype[Any]) -> str:
    if dtype.fields and not dtype.hasobject and dtype.type is np.void and not _has_metadata(dtype):
        return (
            "its fields overlap, are aligned, or lie in another order than their names; use "
            "numpy.lib.recfunctions.repack_fields(array, recurse=True)"
        )
    return (
        "use numbers, bool, dates, fixed-width text or a structure of these, or return a DataFrame"
    )


def _remedy(value: Any) -> str:
    if isinstance(value, np.ma.MaskedArray):
        return "return value.filled(...), or a DataFrame with missing values"
    return "return np.asarray(value)"
