"""Which memory the values of a part hold between them: each piece counts once, while it is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.base.files import HashingFile
from flight_delays.checkpointing.codecs import codec_named, format_named, frozen_bytes, pieces
from flight_delays.checkpointing.codecs.table.pieces import buffer_of
from flight_delays.checkpointing.memory.residency import Residency, Shared
from hypothesis import given, settings
from hypothesis import strategies as st

FRAME, SERIES, ARRAY = (codec_named(name) for name in ("DataFrame", "Series", "ndarray"))
TABLE = codec_named("Table")


def never(address: int) -> bool:
    """No memory here is that of a mapped file."""
    return False


def held(*frozen: Any) -> int:
    """What values hold between them, in bytes."""
    return sum(piece.bytes for piece in set().union(*(pieces(one, never) for one in frozen)))


def numbers(rows: int = 1000, columns: int = 4) -> pd.DataFrame:
    """A frame whose columns lie in one block of memory."""
    return pd.DataFrame(np.zeros((columns, rows)).T, copy=False)


def test_a_view_holds_all_of_what_it_was_taken_from() -> None:
    whole = FRAME.freeze(numbers())
    for taken in (FRAME.thaw(whole).iloc[:10], FRAME.thaw(whole)[[1]]):
        assert held(FRAME.freeze(taken)) == held(whole) == 32_000
    assert held(SERIES.freeze(FRAME.thaw(whole)[2])) == 32_000


def test_values_that_share_memory_hold_it_once() -> None:
    whole = FRAME.freeze(numbers())
    wider = FRAME.freeze(FRAME.thaw(whole).assign(more=1.0))
    assert held(whole, wider) == 32_000 + 8_000
    assert held(wider) == 40_000


def test_rows_far_apart_are_copied_and_hold_only_themselves() -> None:
    whole = FRAME.freeze(numbers())
    assert held(FRAME.freeze(FRAME.thaw(whole).iloc[::5])) == 6_400


def test_a_copy_holds_nothing_of_what_it_was_taken_from() -> None:
    whole = FRAME.freeze(numbers())
    part = FRAME.freeze(FRAME.thaw(whole).iloc[:10].copy())
    assert held(part) == 320
    assert held(whole, part) == 32_320


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        pytest.param(np.array([1.5, np.nan] * 500), 8000, id="floats with NaN"),
        pytest.param(pd.array([1, None] * 500, dtype="Int64"), 8000 + 125, id="nullable integers"),
        pytest.param(np.array([True, False] * 500), 125, id="bools, one bit each"),
        pytest.param(pd.date_range("2013", periods=1000, tz="UTC"), 8000, id="moments"),
        pytest.param(
            pd.Categorical([1.0, 2.0] * 500),
            1000 + 16,
            id="categories",
        ),
    ],
)
def test_every_kind_of_column_counts_in_full(column: Any, expected: int) -> None:
    found = held(FRAME.freeze(pd.DataFrame({"x": column})))
    assert expected <= found <= expected + 3 * 64, "Arrow rounds its own buffers up to 64 bytes"


def test_text_counts_its_letters_and_where_each_begins() -> None:
    frame = FRAME.freeze(pd.DataFrame({"x": ["some text"] * 1000}))
    assert 1000 * (9 + 8) <= held(frame) < 1.2 * 1000 * (9 + 8)
    assert held(FRAME.freeze(FRAME.thaw(frame).iloc[:3])) == held(frame)


def test_chunks_count_one_by_one_and_a_dictionary_once() -> None:
    words = pa.array(["one", "two"] * 500).dictionary_encode()
    table = TABLE.freeze(pa.table({"x": pa.chunked_array([words, words.slice(10)])}))
    assert held(table) == held(TABLE.freeze(pa.table({"x": words})))
    numbers = [pa.array(range(100)), pa.array(range(50))]
    chunked = pa.table({"x": pa.chunked_array(numbers)})
    assert held(TABLE.freeze(chunked)) == sum(one.buffers()[1].size for one in numbers)


@pytest.mark.parametrize(
    "frozen",
    [
        FRAME.freeze(pd.DataFrame()),
        FRAME.freeze(pd.DataFrame({"x": np.empty(0)})),
        ARRAY.freeze(np.empty((0, 3))),
        TABLE.freeze(pa.table({})),
        b"",
        Path("page.txt"),
    ],
    ids=repr,
)
def test_what_is_empty_or_a_file_holds_nothing(frozen: Any) -> None:
    assert pieces(frozen, never) == set()


def test_json_holds_its_text() -> None:
    frozen = codec_named("json").freeze({"x": 1})
    assert held(frozen) == len(frozen)


def test_an_array_holds_what_its_views_were_taken_from() -> None:
    whole = ARRAY.freeze(np.arange(1000.0))
    assert held(ARRAY.freeze(whole[10:20])) == held(whole, ARRAY.freeze(whole[500:])) == 8000
    assert held(ARRAY.freeze(whole.reshape(10, 100)[:, :5])) == 400, "that one had to be copied"


def test_frames_and_arrays_share_memory_too() -> None:
    array = ARRAY.freeze(np.arange(1000.0))
    assert held(array, FRAME.freeze(pd.DataFrame({"x": ARRAY.thaw(array)}, copy=False))) == 8000
    frame = FRAME.freeze(numbers(columns=1))
    assert held(frame, ARRAY.freeze(FRAME.thaw(frame)[0].to_numpy())) == 8000


def test_memory_that_was_freed_and_given_out_again_is_another_piece() -> None:
    memory = bytearray(800)
    first = np.frombuffer(memory)
    [before] = pieces(ARRAY.freeze(first), never)
    assert pieces(FRAME.freeze(pd.DataFrame({"x": first}, copy=False)), never) == {before}
    del first
    [after] = pieces(ARRAY.freeze(np.frombuffer(memory)), never)
    assert (before.address, before.bytes) == (after.address, after.bytes)
    assert before != after


DTYPES = ["f8", "f4", "i2", "u1", "M8[ns]", "m8[s]", "c16", "S3", "U5", [("a", "f8"), ("b", "i2")]]


@st.composite
def some_arrays(draw: st.DrawFn) -> npt.NDArray[Any]:
    """Arrays of many kinds, and slices of such: of any order, read-only or not."""
    shape = draw(st.tuples(st.integers(0, 6), st.integers(1, 5)))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    order = draw(st.sampled_from("CF"))
    size = shape[0] * shape[1] * dtype.itemsize
    array = np.frombuffer(bytes(range(1, 250)) * 10, np.uint8, size).copy().view(dtype)
    array = array.reshape(shape, order=order)  # type: ignore[call-overload]
    steps = st.sampled_from([slice(None), slice(1, None), slice(None, -1), slice(None, None, 2)])
    array = np.asarray(array[draw(steps), draw(steps)])
    array.flags.writeable = draw(st.booleans())
    return array


@given(some_arrays())
@settings(deadline=None)
def test_a_buffer_has_the_array_s_bytes_and_memory_and_knows_all_behind_it(
    array: npt.NDArray[Any],
) -> None:
    values = np.ascontiguousarray(array)
    buffer = buffer_of(values)
    assert buffer.to_pybytes() == array.tobytes()
    if values.nbytes:
        assert buffer.address == values.ctypes.data, "nothing is copied"
        [piece] = pieces(values, never)
        behind = buffer.parent or buffer
        assert (behind.address, behind.size) == (piece.address, piece.bytes)


@given(some_arrays())
@settings(deadline=None)
def test_a_frozen_array_and_the_frame_of_it_keep_their_bytes(array: npt.NDArray[Any]) -> None:
    before = array.tobytes()
    frozen = ARRAY.freeze(array)
    assert frozen.tobytes() == before
    assert held(frozen) >= frozen.nbytes
    if array.dtype.kind in "fiu":
        frame = pd.DataFrame(array, copy=False)
        table = FRAME.freeze(frame)
        back = FRAME.thaw(table).to_numpy(dtype=array.dtype)
        assert back.tobytes() == before
        assert held(table) >= frozen_bytes(table)


def stored(folder: Path, frozen: Any, form: str) -> Any:
    """A value written to a file and mapped."""
    path = folder / f"value.{form}"
    file = HashingFile(path)
    format_named(form).write(frozen, file)  # type: ignore[arg-type]
    file.finish()
    return format_named(form).read(path, None)


@pytest.mark.parametrize(("count", "expected"), [("held", 0), ("rss", 32_000)])
def test_mapped_files_are_held_only_where_their_pages_count(
    tmp_path: Path, count: Any, expected: int
) -> None:
    table = stored(tmp_path, FRAME.freeze(numbers()), "arrow")
    array = stored(tmp_path, ARRAY.freeze(np.arange(4000.0)), "npy")
    residency = Residency(tmp_path, count)
    assert residency.add("table", table) == pytest.approx(expected, abs=512)
    assert residency.add("array", array) == pytest.approx(expected, abs=512)
    view = SERIES.freeze(FRAME.thaw(table)[1])
    assert residency.add("view", view) == 0
    assert residency.shared() == (Shared("table", ("view",), 8000),)
    residency.drop("table", "array")
    assert residency.bytes == pytest.approx(expected / 4, abs=128), "one of four columns"


def test_files_elsewhere_are_held(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    table = stored(tmp_path, FRAME.freeze(numbers()), "arrow")
    residency = Residency(tmp_path / "checkpoints", "held")
    assert residency.add("table", table) >= 32_000


@dataclass
class Model:
    """What a residency should tell, from knowing which value is made of which memory."""

    sizes: dict[int, int]
    live: dict[str, set[int]] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    holders: dict[int, set[str]] = field(default_factory=dict)
    past: list[tuple[str, set[str], int]] = field(default_factory=list)

    def add(self, value: str, memories: set[int]) -> int:
        new = {one for one in memories if one not in self.owners}
        for one in new:
            self.owners[one], self.holders[one] = value, set()
        for one in memories:
            self.holders[one].add(value)
        self.live[value] = memories
        return sum(self.sizes[one] for one in new)

    def drop(self, value: str) -> None:
        for one in self.live.pop(value):
            if not any(one in memories for memories in self.live.values()):
                self.past.append((self.owners.pop(one), self.holders.pop(one), self.sizes[one]))

    def shared(self) -> dict[tuple[str, tuple[str, ...]], int]:
        known = [(self.owners[one], self.holders[one], self.sizes[one]) for one in self.owners]
        found: dict[tuple[str, tuple[str, ...]], int] = {}
        for owner, holders, size in (*self.past, *known):
            if others := tuple(sorted(holders - {owner})):
                found[owner, others] = found.get((owner, others), 0) + size
        return found


Make = Callable[[list[npt.NDArray[np.float64]]], Any]
WAYS: list[Make] = [
    lambda memories: FRAME.freeze(
        pd.DataFrame({str(n): m[:10] for n, m in enumerate(memories)}, copy=False)
    ),
    lambda memories: SERIES.freeze(pd.Series(memories[0][3:], copy=False)),
    lambda memories: ARRAY.freeze(memories[0][5:9]),
]


@given(st.data())
@settings(deadline=None)
def test_any_sequence_of_values_is_accounted_for_as_a_plain_model_does(data: st.DataObject) -> None:
    memories = [np.zeros(20 + n) for n in range(5)]
    model = Model({n: one.nbytes for n, one in enumerate(memories)})
    residency = Residency(Path("/nowhere"), "held")
    for number in range(data.draw(st.integers(1, 12))):
        if data.draw(st.booleans()) and model.live:
            value = data.draw(st.sampled_from(sorted(model.live)))
            model.drop(value)
            residency.drop(value)
        else:
            chosen = data.draw(st.lists(st.sampled_from(range(5)), min_size=1, unique=True))
            make = data.draw(st.sampled_from(range(len(WAYS))))
            frozen = WAYS[make]([memories[n] for n in chosen])
            used = set(chosen if make == 0 else chosen[:1])
            assert residency.add(f"v{number}", frozen) == model.add(f"v{number}", used)
        assert residency.bytes == sum(model.sizes[one] for one in set().union(*model.live.values()))
    assert {(s.owner, s.holders): s.bytes for s in residency.shared()} == model.shared()
