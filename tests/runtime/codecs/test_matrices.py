"""Sparse data: matrices of SciPy, and sparse columns of frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from flight_delays.checkpointing import codecs
from flight_delays.checkpointing.base.errors import InexactValue
from hypothesis import given, settings
from hypothesis import strategies as st

from . import exactness as exact

FRAME, TABLE = codecs.codec_named("DataFrame"), codecs.codec_named("Table")
KINDS = [
    f"{form}_{kind}" for form in ("csr", "csc", "coo", "bsr", "dia") for kind in ("array", "matrix")
]
PARTS = ("data", "indices", "indptr", "offsets", "coords")


def same_matrix(left: Any, right: Any) -> bool:
    """The same class, shape and arrays: stored zeros, duplicates and their order included."""
    if type(left) is not type(right) or left.shape != right.shape:
        return False
    for part in PARTS:
        ours, theirs = getattr(left, part, ()), getattr(right, part, ())
        pairs = [(ours, theirs)] if part != "coords" else zip(ours, theirs, strict=True)
        if not all(exact.same_bits(np.asarray(a), np.asarray(b)) for a, b in pairs):
            return False
    return True


def through_file(value: Any, folder: Path) -> Any:
    codec = codecs.codec_of(type(value))
    assert codec is not None
    form = codecs.working_format(codec.family, "arrow")
    with (folder / "value").open("wb") as file:
        form.write(codec.freeze(value), file)
    return codec.thaw(form.read(folder / "value", None))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "bool", "complex128"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_matrix_comes_back_with_its_arrays(kind: str, dtype: str, tmp_path: Path) -> None:
    dense = np.array([[0, 1, 0], [2, 0, 0], [0, 0, 3], [0, 0, 0]]).astype(dtype)
    for content in (dense, dense[:0], dense[:, :0]):
        if 0 in content.shape and kind.startswith(("dia", "bsr")):
            continue
        matrix = getattr(scipy.sparse, kind)(content)
        assert same_matrix(through_file(matrix, tmp_path), matrix)


def test_what_a_matrix_stores_comes_back_as_it_is_stored(tmp_path: Path) -> None:
    rows, columns = np.array([1, 0, 1], "i8"), np.array([2, 0, 2], "i8")
    twice = scipy.sparse.coo_array((np.array([1.0, -0.0, np.nan]), (rows, columns)), shape=(2, 3))
    assert same_matrix(through_file(twice, tmp_path), twice)
    unsorted = scipy.sparse.csr_matrix(
        (np.array([0.0, 2.0]), np.array([2, 0]), np.array([0, 2, 2])), shape=(2, 3)
    )
    assert same_matrix(through_file(unsorted, tmp_path), unsorted)
    wide = scipy.sparse.csr_array(unsorted)
    wide.indices, wide.indptr = wide.indices.astype("i8"), wide.indptr.astype("i8")
    assert same_matrix(through_file(wide, tmp_path), wide)
    line = scipy.sparse.coo_array(np.array([0, 1, 0]))
    assert same_matrix(through_file(line, tmp_path), line)


def test_a_matrix_gets_the_same_bytes_each_time() -> None:
    codec = codecs.codec_named("sparse")
    matrix = scipy.sparse.csr_array(np.eye(3))
    assert codec.freeze(matrix) == codec.freeze(codec.thaw(codec.freeze(matrix)))


@pytest.mark.parametrize("kind", ["lil_array", "dok_matrix"])
def test_a_matrix_for_building_is_refused_with_a_remedy(kind: str) -> None:
    with pytest.raises(InexactValue, match=r"none of csr.*return matrix.tocsr\(\)"):
        codecs.codec_named("sparse").freeze(getattr(scipy.sparse, kind)((2, 2)))
    with pytest.raises(InexactValue, match=r"returned numpy.ndarray.*annotate what it returns"):
        codecs.codec_named("sparse").freeze(np.eye(2))


numbers = st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf")])
columns = st.one_of(
    st.tuples(st.lists(numbers, max_size=8), st.sampled_from([0.0, float("nan"), 1.5])),
    st.tuples(st.lists(st.integers(-1, 2), max_size=8), st.sampled_from([0, -1])),
    st.tuples(st.lists(st.booleans(), max_size=8), st.booleans()),
)


@settings(max_examples=200, deadline=None, database=None)
@given(column=columns, kind=st.sampled_from(["integer", "block"]), data=st.data())
def test_a_sparse_column_comes_back_with_the_values_that_it_stores(
    column: Any, kind: Any, data: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values, fill = column
    dtype = type(fill) if type(fill) is not int else "int16"
    sparse = pd.arrays.SparseArray(np.array(values, dtype), fill_value=fill, kind=kind)
    start = data.draw(st.integers(0, len(values)))
    frame = pd.DataFrame({"x": sparse, "y": range(len(values))}).iloc[start:]
    path = tmp_path_factory.getbasetemp() / "sparse.arrow"
    form = codecs.format_named("arrow")
    with path.open("wb") as file:
        form.write(FRAME.freeze(frame), file)
    for frozen in (FRAME.freeze(frame), form.read(path, None)):
        assert exact.same_frame(FRAME.thaw(frozen), frame)


def test_a_slice_of_a_frozen_sparse_column_has_its_own_rows() -> None:
    sparse = pd.arrays.SparseArray([3, 0, 0, 4, 5, 0, 0, 6])
    frame = pd.DataFrame({"x": sparse}, index=list("abcdefgh"))
    frozen = FRAME.freeze(frame)
    for start in range(9):
        for stop in range(start, 9):
            thawed = FRAME.thaw(frozen.slice(start, stop - start))
            assert exact.same_frame(thawed, frame.iloc[start:stop])


def test_a_stored_value_that_equals_the_fill_value_stays_stored() -> None:
    kind: Any = pd.arrays.SparseArray
    sparse = kind.from_indices([0.0, 2.0], [1, 2], 3, fill_value=0.0)
    thawed = FRAME.thaw(FRAME.freeze(pd.DataFrame({"x": sparse})))["x"].array
    assert thawed.sp_values.tolist() == [0.0, 2.0]


def test_other_readers_get_a_sparse_column_dense(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "zeros": pd.arrays.SparseArray([0, 0, 3]),
            "gaps": pd.arrays.SparseArray([float("nan"), 2.5, float("nan")]),
        }
    )
    frozen = FRAME.freeze(frame)
    expected = {"zeros": [0, 0, 3], "gaps": [None, 2.5, None]}
    assert TABLE.thaw(frozen).to_pydict() == expected
    path = tmp_path / "x.parquet"
    with path.open("wb") as file:
        codecs.format_named("parquet").write(frozen, file)
    assert pd.read_parquet(path)["zeros"].tolist() == [0, 0, 3]
    assert exact.same_frame(FRAME.thaw(codecs.format_named("parquet").read(path, None)), frame)


def test_a_sparse_column_takes_the_memory_of_what_it_stores() -> None:
    values = np.zeros(1_000_000)
    values[::10_000] = 1.0
    frozen = FRAME.freeze(pd.DataFrame({"x": pd.arrays.SparseArray(values, fill_value=0.0)}))
    assert codecs.frozen_bytes(frozen) < 10_000
