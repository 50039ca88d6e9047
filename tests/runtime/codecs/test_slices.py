"""The file of a slice does not depend on its base array; whole arrays are not copied."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.codecs import codec_named, format_named
from flight_delays.checkpointing.codecs.table.slices import own
from hypothesis import given
from hypothesis import strategies as st

ROWS = 67
WORDS = ["a", None, "ccc", "dddd", ""]
KINDS: dict[str, tuple[list[Any], pa.DataType]] = {
    "text": (WORDS, pa.string()),
    "large text": (WORDS, pa.large_string()),
    "bytes": ([b"a", None, b"ccc", b"dddd", b""], pa.binary()),
    "whole numbers": ([1, None, 3, 4, 5], pa.int64()),
    "small numbers": ([1, None, 3, 4, 5], pa.int8()),
    "truth": ([True, None, False, True, True], pa.bool_()),
    "decimals": ([1, None, 3, 4, 5], pa.decimal128(10, 2)),
    "bytes of one length": ([b"ab", None, b"cd", b"ef", b"gh"], pa.binary(2)),
    "lists": ([["a"], None, ["b", "c"], [], ["d"]], pa.list_(pa.string())),
    "large lists": ([[1], None, [2, 3], [], [4]], pa.large_list(pa.int32())),
    "lists of one length": ([[1, 2], None, [3, 4], [5, 6], [7, 8]], pa.list_(pa.int16(), 2)),
    "structures": (
        [{"s": "x", "n": 1}, None, {"s": "y", "n": 2}, {"s": None, "n": 3}, {"s": "", "n": None}],
        pa.struct({"s": pa.string(), "n": pa.int64()}),
    ),
    "maps": ([[("a", 1)], None, [("b", 2)], [], [("c", 3)]], pa.map_(pa.string(), pa.int32())),
    "categories": (WORDS, pa.dictionary(pa.int8(), pa.string())),
    "nothing": ([None] * 5, pa.null()),
    "empty lists": ([[], None, [], [], []], pa.list_(pa.list_(pa.string()))),
}


def whole(kind: str) -> Any:
    """Rows of a kind; most equal rows have different neighbours."""
    items, arrow_type = KINDS[kind]
    return pa.array([items[n * n % 5] for n in range(ROWS)], arrow_type)


def written(table: Any) -> bytes:
    file = io.BytesIO()
    format_named("arrow").write(table, file)
    return file.getvalue()


def bytes_of(array: Any) -> bytes:
    return written(pa.table({"x": array}))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_slice_has_one_file_whatever_it_was_taken_from(kind: str, data: st.DataObject) -> None:
    array = whole(kind)
    start = data.draw(st.integers(0, ROWS - 1))
    length = data.draw(st.integers(1, ROWS - start))
    before = data.draw(st.integers(0, start))
    behind = data.draw(st.integers(start + length, ROWS))
    piece = array.slice(start, length)
    copied = pa.concat_arrays([array.slice(before, behind - before)])

    assert bytes_of(copied.slice(start - before, length)) == bytes_of(piece)
    assert bytes_of(pa.concat_arrays([piece])) == bytes_of(piece)
    assert own(piece).equals(piece)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"truth"}))
def test_an_array_that_is_whole_is_written_from_where_it_is(kind: str) -> None:
    array = whole(kind)
    assert own(array) is array


def test_the_characters_of_a_slice_of_text_are_not_copied() -> None:
    array = whole("large text")
    piece = own(array.slice(20, 9))
    start, end = (array.buffers()[2].address + n for n in (0, array.buffers()[2].size))
    assert start < piece.buffers()[2].address < end
    assert piece.to_pylist() == array.to_pylist()[20:29]


def test_a_frame_cut_out_of_one_from_disk_has_the_file_of_one_cut_out_in_memory() -> None:
    codec = codec_named("DataFrame")
    frame = pd.DataFrame({"s": pd.Series(WORDS * 9, dtype="str"), "n": range(45)})

    def cut(frozen: Any) -> Any:
        return codec.freeze(codec.thaw(frozen).iloc[3:20])

    in_memory = cut(cut(codec.freeze(frame)))
    read = pa.ipc.open_file(written(cut(codec.freeze(frame)))).read_all()
    assert written(cut(read)) == written(in_memory)
