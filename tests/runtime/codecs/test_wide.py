"""Frames of many columns: as exact as others, and few blocks for pandas, without a copy."""

# ruff: noqa: PD011 - these tests look at the memory of columns

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.codecs import (
    codec_named,
    file_bytes,
    format_named,
    frozen_bytes,
    select,
)
from flight_delays.checkpointing.codecs.table.blocks import FEW
from flight_delays.checkpointing.codecs.table.indexes import chosen_labels
from flight_delays.checkpointing.codecs.table.pieces import pieces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import exactness as exact

FRAME = codec_named("DataFrame")
SOURCES = ["fresh", "arrow", "parquet"]
thorough = settings(
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

WAYS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "a block a column": lambda df: df,
    "few blocks": lambda df: df.copy(),
    "every second row": lambda df: df.iloc[::2],
    "rows from the second on": lambda df: df.copy().iloc[1:],
    "columns in the other order": lambda df: df.iloc[:, ::-1],
    "every second column": lambda df: pd.concat([df, df], axis=1).iloc[:, ::2],
    "rows in the other order": lambda df: df.copy().iloc[::-1],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def from_source(frozen: Any, source: str, folder: Path) -> Any:
    """A frozen frame as later steps of its part have it, or those of another part."""
    if source == "fresh":
        return frozen
    path = folder / f"value.{source}"
    path.unlink(missing_ok=True)  # earlier values may still be mapped
    with path.open("wb") as file:
        format_named(source).write(frozen, file)
    return format_named(source).read(path, None)


def blocks(frame: pd.DataFrame) -> list[Any]:
    return [block.values for block in frame._mgr.blocks]


def accounts(table: Any) -> tuple[Any, ...]:
    """The memory that a frozen table keeps alive, its size, and that of its file."""
    own, mapped = pieces(table, lambda _: False), pieces(table, lambda _: True)
    return own, mapped, frozen_bytes(table), file_bytes(table)


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    frame.columns = pd.RangeIndex(frame.shape[1])
    return frame


def numbers(width: int, rows: int = 5) -> pd.DataFrame:
    values = np.arange(float(width * rows)).reshape(width, rows)
    return pd.DataFrame({f"c{n}": values[n] for n in range(width)}, copy=False)


@st.composite
def wide_frames(draw: Any) -> pd.DataFrame:
    """More columns than are few, of up to five kinds, in any order and in any blocks."""
    size = draw(st.integers(0, 4))
    kinds = [draw(exact.arrays(size)) for _ in range(draw(st.integers(1, 5)))]
    order = draw(st.randoms(use_true_random=False))
    width = draw(st.integers(FEW + 1, 2 * FEW + 50))
    chosen = order.choices(kinds, k=width)
    if draw(st.booleans()):
        chosen.sort(key=lambda values: str(values.dtype))
    columns = {n: pd.Series(values, dtype=values.dtype) for n, values in enumerate(chosen)}
    frame = numbered(WAYS[draw(st.sampled_from(sorted(WAYS)))](pd.DataFrame(columns)))
    frame.index = draw(exact.indexes(len(frame)))
    return frame


@pytest.mark.parametrize("source", SOURCES)
@thorough
@given(frame=wide_frames())
def test_a_wide_frame_comes_back_exactly(frame: pd.DataFrame, source: str, folder: Path) -> None:
    frozen = from_source(FRAME.freeze(frame), source, folder)
    thawed = FRAME.thaw(frozen)
    assert exact.same_frame(thawed, frame)
    assert exact.same_frame(FRAME.thaw(frozen), frame)
    again = FRAME.freeze(thawed)
    assert again.schema.equals(frozen.schema, check_metadata=True)
    assert exact.same_frame(FRAME.thaw(again), frame)
    # What is known of its lots says of its memory what its columns say.
    for table in (frozen, again):
        assert accounts(table) == accounts(table.slice(0))


@st.composite
def wide_tables(draw: Any) -> Any:
    """More columns than are few, some with nulls, in up to three record batches."""
    kinds = st.sampled_from(["int64", "float64", "bool", "timestamp[us]", "int16"])
    types = draw(st.lists(kinds, min_size=1, max_size=4))
    rows = draw(st.integers(0, 4))
    values = [draw(exact.lists_of(st.none() | st.sampled_from([0, 1]), rows)) for _ in types]
    columns = [pa.array(v, "int16").cast("int64") for v in values]
    columns = [c.cast(t) for c, t in zip(columns, types, strict=True)]
    table = pa.table({f"c{n}": columns[n % len(columns)] for n in range(FEW + 9)})
    return pa.concat_tables([table] * draw(st.integers(1, 3)))


@thorough
@given(table=wide_tables())
def test_a_wide_table_of_another_library_is_thawed_as_before_and_keeps_no_copy(table: Any) -> None:
    before = accounts(table)
    thawed = FRAME.thaw(table)
    assert accounts(table) == before
    few = [FRAME.thaw(table.select([n])) for n in range(table.num_columns)]
    assert exact.same_frame(thawed, pd.concat(few, axis=1))
    assert exact.same_frame(FRAME.thaw(table), thawed)


@thorough
@given(frame=wide_frames(), data=st.data())
def test_chosen_columns_of_a_wide_frame_come_back_exactly(frame: pd.DataFrame, data: Any) -> None:
    first = data.draw(st.integers(0, 20))
    names = [*map(str, frame.columns[first:])]
    chosen = select(FRAME.freeze(frame), tuple(names))
    expected = frame.iloc[:, first:]
    expected.columns = chosen_labels(frame.columns, range(first, frame.shape[1]))
    assert exact.same_frame(FRAME.thaw(chosen), expected)


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("source", SOURCES[:2])
def test_columns_of_a_dtype_are_one_block_that_copies_nothing(
    source: str, way: str, folder: Path
) -> None:
    floats, moments = numbers(FEW + 30), numbers(FEW + 40).astype("M8[us]")
    frame = numbered(WAYS[way](pd.concat([floats, moments], axis=1)))
    frozen = from_source(FRAME.freeze(frame), source, folder)
    thawed = FRAME.thaw(frozen)
    # Those that came in many blocks were copied into few when they were frozen.
    # The file has the floats of `every second column` in two places.
    assert len(blocks(thawed)) <= 4
    for position in (0, FEW, 2 * FEW + 69):
        column = thawed.iloc[:, position].to_numpy()
        assert column.ctypes.data == frozen.column(position).chunk(0).buffers()[1].address
    assert exact.same_frame(thawed, frame)


def test_columns_that_lie_across_their_rows_become_one_block_once() -> None:
    values = np.arange(5.0 * 2 * FEW).reshape(5, 2 * FEW)
    frozen = FRAME.freeze(pd.DataFrame(values, copy=False))
    thawed = FRAME.thaw(frozen)
    assert [block.shape for block in blocks(thawed)] == [(2 * FEW, 5)]
    assert thawed[150].to_numpy().ctypes.data == frozen.column(150).chunk(0).buffers()[1].address
    assert exact.same_frame(thawed, pd.DataFrame(values.copy()))


def test_the_memory_of_bitmaps_beside_the_columns_counts_too() -> None:
    rows, bits = 1000, pa.py_buffer(bytes([255] * 125))
    whole = pa.py_buffer(np.arange(2.0 * FEW * rows))
    columns = [
        pa.Array.from_buffers(pa.float64(), rows, [bits, whole.slice(8 * rows * n, 8 * rows)])
        for n in range(2 * FEW)
    ]
    table = pa.Table.from_arrays(columns, names=list(map(str, range(2 * FEW))))
    before = accounts(table)
    assert len(blocks(FRAME.thaw(table))) == 1
    assert accounts(table) == before


@pytest.mark.parametrize("source", SOURCES)
def test_columns_without_order_in_memory_are_copied_into_one_block(
    source: str, folder: Path
) -> None:
    order = np.random.default_rng(0).permutation(6 * FEW)
    parts = [numbers(2 * FEW), numbers(2 * FEW).astype("int16"), numbers(2 * FEW) > 7]
    frame = numbered(pd.concat(parts, axis=1).iloc[:, order])
    thawed = FRAME.thaw(from_source(FRAME.freeze(frame), source, folder))
    assert all(
        sum(values.dtype == dtype for values in blocks(thawed)) <= FEW
        for dtype in ("f8", "i2", "bool")
    )
    assert exact.same_frame(thawed, frame)


@pytest.mark.parametrize("source", SOURCES[:2])
def test_of_a_narrow_frame_columns_are_chosen_without_a_copy(source: str, folder: Path) -> None:
    frozen = from_source(FRAME.freeze(numbers(FEW)), source, folder)
    chosen = FRAME.thaw(frozen)[["c7", "c2", "c90"]]
    addresses = [chosen[name].to_numpy().ctypes.data for name in chosen]
    assert addresses == [frozen.column(n).chunk(0).buffers()[1].address for n in (7, 2, 90)]


@pytest.mark.parametrize("source", SOURCES[:2])
def test_a_write_to_a_wide_frame_copies_its_column_and_stays_private(
    source: str, folder: Path
) -> None:
    frozen = from_source(FRAME.freeze(numbers(2 * FEW)), source, folder)
    frame = FRAME.thaw(frozen)
    before = [frame[name].to_numpy().ctypes.data for name in frame]
    frame.loc[1, "c50"] = -1.0
    frame["c60"] = 0.0
    frame.iloc[2, 70] = -2.0
    after = [frame[name].to_numpy().ctypes.data for name in frame]
    assert np.flatnonzero(np.array(before) != np.array(after)).tolist() == [50, 60, 70]
    expected = numbers(2 * FEW)
    expected.loc[1, "c50"], expected["c60"], expected.iloc[2, 70] = -1.0, 0.0, -2.0
    assert exact.same_frame(FRAME.thaw(FRAME.freeze(frame)), expected)
    assert exact.same_frame(FRAME.thaw(frozen), numbers(2 * FEW))


@pytest.mark.parametrize("source", SOURCES)
def test_nobody_can_write_to_the_blocks_of_a_wide_frame(source: str, folder: Path) -> None:
    made = numbers(2 * FEW).copy()
    frozen = from_source(FRAME.freeze(made), source, folder)
    for values in (*blocks(FRAME.thaw(frozen)), *blocks(made)):
        with pytest.raises(ValueError, match="read-only"):
            values[0, 0] = 9.0
    if source == "parquet":  # whose columns are copied into one block, for this step alone
        return
    for values in blocks(FRAME.thaw(frozen)):
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            values.flags.writeable = True


def test_a_column_more_keeps_the_memory_of_the_others() -> None:
    frozen = FRAME.freeze(numbers(3 * FEW, rows=1000).copy())
    longer = FRAME.freeze(FRAME.thaw(frozen).assign(new=1.0))
    [new] = pieces(longer, lambda _: False) - pieces(frozen, lambda _: False)
    assert new.bytes == 8000
    assert frozen_bytes(longer) - frozen_bytes(frozen) == 8000


@pytest.mark.filterwarnings("ignore:DataFrame is highly fragmented")
def test_a_frame_that_grew_column_by_column_is_copied_when_it_is_frozen() -> None:
    frame = numbers(FEW).copy()
    for number in range(2 * FEW):
        frame.insert(number, f"new{number}", float(number))
    thawed = FRAME.thaw(FRAME.freeze(frame))
    assert len(blocks(thawed)) <= FEW
    assert exact.same_frame(thawed, frame)
