"""Sparse matrices and arrays of SciPy: their arrays, in the order in which they are, as .npz."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ..base.errors import InexactValue
from .plain import read as read
from .plain import write as write

_PARTS: dict[str, tuple[str, ...]] = {
    "csr": ("indptr", "indices", "data"),
    "csc": ("indptr", "indices", "data"),
    "bsr": ("indptr", "indices", "data"),
    "dia": ("offsets", "data"),
    "coo": ("coords", "data"),
}


def freeze(value: Any) -> bytes:
    """The bytes of a .npz file without compression; raises InexactValue."""
    import scipy.sparse

    kind = type(value)
    name = kind.__name__
    if getattr(scipy.sparse, name, None) is not kind or value.format not in _PARTS:
        remedy = "return matrix.tocsr()"
        if not scipy.sparse.issparse(value):
            remedy = "annotate what it returns"
        raise InexactValue(
            f"the step promised a sparse matrix and returned {kind.__module__}.{name}, which is "
            f"none of {', '.join(_PARTS)}; {remedy}"
        )
    arrays = {"kind": np.array(name), "shape": np.array(value.shape, np.int64)}
    for part in _PARTS[value.format]:
        content = getattr(value, part)
        if part == "coords":
            arrays |= {f"coords{axis}": array for axis, array in enumerate(content)}
        else:
            arrays[part] = content
    for part, array in arrays.items():
        if array.dtype.hasobject or not array.dtype.isnative:
            raise InexactValue(
                f"the {part} of the sparse matrix have dtype {array.dtype}; use matrix.astype(...)"
            )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for part, array in arrays.items():
            # An entry from a ZipInfo has a fixed time: the same matrix gets the same bytes.
            with archive.open(zipfile.ZipInfo(f"{part}.npy"), "w", force_zip64=True) as entry:
                npy.write_array(entry, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def thaw(frozen: bytes) -> Any:
    """A matrix of its own, of the same class."""
    import scipy.sparse

    with np.load(io.BytesIO(frozen), allow_pickle=False) as arrays:
        parts = dict(arrays)
    kind = getattr(scipy.sparse, str(parts.pop("kind")))
    shape = tuple(int(size) for size in parts.pop("shape"))
    data = parts["data"]
    if "coords0" in parts:
        coords = tuple(parts[f"coords{axis}"] for axis in range(len(shape)))
        made = kind((data, coords), shape=shape)
        made.coords = coords
    elif "offsets" in parts:
        return kind((data, parts["offsets"]), shape=shape)
    else:
        made = kind((data, parts["indices"], parts["indptr"]), shape=shape)
        # The constructor chooses the type of the indices anew.
        made.indices, made.indptr = parts["indices"], parts["indptr"]
    return made
