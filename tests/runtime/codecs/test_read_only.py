"""Nobody can write to the memory of a value, fresh or from a file, by any way that NumPy offers."""

# ruff: noqa: PD011 - these tests look at the memory of columns

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.codecs import codec_named, format_named
from flight_delays.checkpointing.codecs.table.pieces import pieces

from . import exactness as exact
from . import kinds

ARRAY, FRAME, TABLE = (codec_named(name) for name in ("ndarray", "DataFrame", "Table"))
SOURCES = ["fresh", "arrow", "parquet"]


def frame() -> pd.DataFrame:
    moments = pd.to_datetime(["2013-01-31", "NaT", "2013-02-01"])
    return pd.DataFrame(
        {
            "x": [1.5, np.nan, 3.5],
            "y": [1.0, 2.0, 3.0],
            "t": moments,
            "zoned": moments.tz_localize("Europe/Madrid"),
            "text": pd.Series(["a", None, "c"], dtype="str"),
            "python": pd.Series(["a", None, "c"], dtype=pd.StringDtype("python")),
            "kind": pd.Categorical(["a", None, "b"]),
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "flag": [True, False, True],
            "bin": pd.arrays.IntervalArray.from_breaks([0, 1, 2, 3]),
            "arrow": pd.array([1, None, 3], dtype="int64[pyarrow]"),
        },
        index=pd.Index([10, 20, 30], name="key"),
    )


def table() -> pa.Table:
    return pa.table(
        {
            "own": pa.array(np.arange(3.0)),
            "whole": [1, None, 3],
            "text": ["a", "b", None],
            "views": pa.array(["a" * 20, "b", None], pa.string_view()),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
            "list": [[1], [2, 3], None],
            "inner": pa.array([["a"], ["b"], None], pa.list_(pa.dictionary(pa.int8(), "str"))),
            "map": pa.array([[("k", 1)]] * 3, pa.map_(pa.string(), pa.int8())),
        }
    )


def frozen_from(source: str, frozen: Any, family: str, folder: Path) -> Any:
    """A frozen value as later steps of the same part have it, or of another part."""
    if source == "fresh":
        return frozen
    form = format_named(source if family == "table" else "npy")
    path = folder / f"value{form.suffix}"
    with path.open("wb") as file:
        form.write(frozen, file)
    return form.read(path, None)


def attack(array: Any) -> None:
    """Make an array writeable whose memory belongs to the value, if NumPy allows it."""
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        array.flags.writeable = True


NUMBERED = {name: array for name, array in kinds.ARRAYS.items() if array.size and array.itemsize}


@pytest.mark.parametrize("source", SOURCES[:2])
@pytest.mark.parametrize("name", NUMBERED)
def test_an_array_between_steps_cannot_be_made_writeable(
    name: str, source: str, tmp_path: Path
) -> None:
    returned = NUMBERED[name].copy(order="K")
    frozen = frozen_from(source, ARRAY.freeze(returned), "array", tmp_path)
    received = ARRAY.thaw(frozen)
    for view in (received, received.view(), received.T, received[...], received.ravel(order="K")):
        attack(view)
    assert exact.same_ndarray(ARRAY.thaw(frozen), NUMBERED[name].copy(order="K"))


def test_the_step_that_kept_the_array_it_returned_cannot_write_to_it() -> None:
    work = np.arange(12.0)
    kept = work[2:8].reshape(2, 3)
    frozen = ARRAY.freeze(kept)
    for alias in (kept, work, work.reshape(3, 4)):
        with pytest.raises(ValueError, match="read-only"):
            alias[0] = 9
    assert ARRAY.thaw(frozen).tolist() == [[2, 3, 4], [5, 6, 7]]


def test_an_array_still_counts_as_the_memory_that_it_keeps_alive() -> None:
    work = np.arange(1000.0)
    first, second = ARRAY.freeze(work[:10]), ARRAY.freeze(work[500:])
    [piece] = pieces(first, lambda address: False)
    assert (piece.address, piece.bytes) == (work.ctypes.data, work.nbytes)
    assert pieces(second, lambda address: False) == {piece}


RAW: dict[str, Callable[[pd.DataFrame], list[Any]]] = {
    "to_numpy": lambda df: [df[name].to_numpy() for name in ("x", "y", "t")],
    "values": lambda df: [df["x"].values, df[["y"]].values, df.index.values],
    "the array of the column": lambda df: [
        *(df["x"].array._ndarray, df["t"].array._ndarray, df["zoned"].array._ndarray),
        *(df["whole"].array._data, df["kind"].array._ndarray, df["bin"].array.left.values),
    ],
    "pandas' blocks": lambda df: [block.values for block in df[["x", "y"]]._mgr.blocks],
    "Arrow's buffers": lambda df: [
        np.frombuffer(buffer, "u1")
        for name in ("text", "arrow")
        for buffer in df[name].array._pa_array.chunk(0).buffers()
        if buffer is not None and buffer.size
    ],
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("way", RAW)
def test_the_memory_of_a_frame_between_steps_cannot_be_made_writeable(
    way: str, source: str, tmp_path: Path
) -> None:
    frozen = frozen_from(source, FRAME.freeze(frame()), "table", tmp_path)
    for raw in RAW[way](FRAME.thaw(frozen)):
        attack(raw)
    assert exact.same_frame(FRAME.thaw(frozen), frame())


def buffers(array: Any) -> list[Any]:
    """All buffers of an Arrow array, also those of its dictionary."""
    own = [buffer for buffer in array.buffers() if buffer is not None and buffer.size]
    return own + (buffers(array.dictionary) if pa.types.is_dictionary(array.type) else [])


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("made", ["table", "frame"])
def test_the_buffers_of_a_table_between_steps_are_read_only(
    made: str, source: str, tmp_path: Path
) -> None:
    value: Any = table() if made == "table" else frame()
    if source == "parquet" and made == "table":
        value = value.drop_columns("inner")
    codec = TABLE if made == "table" else FRAME
    frozen = frozen_from(source, codec.freeze(value), "table", tmp_path)
    chunks = [chunk for column in TABLE.thaw(frozen).columns for chunk in column.chunks]
    assert [buffer for chunk in chunks for buffer in buffers(chunk) if buffer.is_mutable] == []
    for chunk in chunks:
        for buffer in buffers(chunk):
            attack(np.frombuffer(buffer, "u1"))


def test_a_frame_is_frozen_without_a_copy_and_counts_as_its_allocations() -> None:
    block = np.arange(2000.0).reshape(2, 1000)
    value = pd.DataFrame(block.T, columns=["a", "b"], copy=False)
    frozen = FRAME.freeze(value.iloc[10:20])
    assert {piece.address for piece in pieces(frozen, lambda address: False)} == {block.ctypes.data}
    assert np.shares_memory(FRAME.thaw(frozen)["a"].to_numpy(), block)


def test_a_table_is_frozen_without_a_copy() -> None:
    value = table()
    frozen = TABLE.freeze(value)
    for before, after in zip(value.columns, frozen.columns, strict=True):
        addresses = [[b.address for b in buffers(c.chunk(0))] for c in (before, after)]
        assert addresses[0] == addresses[1]


def test_who_keeps_the_memory_of_a_frame_cannot_write_to_it() -> None:
    memory = np.arange(3.0)
    frozen = FRAME.freeze(pd.DataFrame({"x": memory}, copy=False))
    with pytest.raises(ValueError, match="read-only"):
        memory[0] = 9
    assert FRAME.thaw(frozen)["x"].tolist() == [0, 1, 2]
