"""A table that is written in batches is the same table, however its rows were divided."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.codecs import codec_named, collected, format_named
from flight_delays.checkpointing.codecs.table import batches, parquet, streams
from flight_delays.checkpointing.codecs.table.row_labels import Rows
from flight_delays.checkpointing.codecs.table.waiting import Waiting
from hypothesis import given, settings
from hypothesis import strategies as st

from . import exactness as exact

FRAME = codec_named("DataFrame")
TABLE = codec_named("Table")


def cut(rows: int, places: list[int]) -> Iterator[slice]:
    """The rows between places, in order; some without rows."""
    edges = [0, *sorted(min(place, rows) for place in places), rows]
    yield from map(slice, edges, edges[1:])


def file_of(parts: list[pd.DataFrame]) -> bytes:
    """The bytes of the file that these batches make."""
    written = streams.write(
        parts, FRAME.freeze, io.BytesIO, lambda f: pa.ipc.open_file(f.getvalue()).read_all()
    )
    return bytes(written.file.getvalue())


def without_freq(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as a stream keeps it."""
    frame = frame.copy()
    if isinstance(frame.index, pd.DatetimeIndex | pd.TimedeltaIndex):
        frame.index = frame.index._with_freq(None)  # type: ignore[union-attr]
    elif isinstance(frame.index, pd.RangeIndex) and frame.empty:
        frame.index = pd.RangeIndex(0, name=frame.index.name)
    elif isinstance(frame.index, pd.RangeIndex) and len(frame) == 1:
        first = frame.index[0]
        frame.index = pd.RangeIndex(first, first + 1, name=frame.index.name)
    elif isinstance(frame.index, pd.MultiIndex):
        frame.index.sortorder = None  # type: ignore[attr-defined]
    return frame


@settings(deadline=None, max_examples=60)
@pytest.mark.parametrize(("sample", "size"), [(1024, 1 << 24), (2, 60)])
@given(
    frame=exact.frames(),
    one=st.lists(st.integers(0, 6), max_size=4),
    other=st.lists(st.integers(0, 6)),
)
def test_a_frame_in_batches_is_the_frame_whatever_the_batches(
    sample: int, size: int, frame: pd.DataFrame, one: list[int], other: list[int]
) -> None:
    if not len(frame.columns):
        return
    parts, others = ([frame.iloc[rows] for rows in cut(len(frame), c)] for c in (one, other))
    with pytest.MonkeyPatch.context() as small:  # record batches of few rows, and so many of them
        small.setattr(streams, "_SAMPLE_ROWS", sample)
        small.setattr(streams, "_CHUNK_BYTES", size)
        whole = FRAME.thaw(collected([part.copy(deep=False) for part in parts], FRAME))
        assert exact.same_frame(whole, without_freq(frame))
        assert file_of([part.copy(deep=False) for part in parts]) == file_of(others)


def test_rows_of_many_bytes_do_not_wait_for_others() -> None:
    size = 1 << 21
    made = 0

    def make() -> Iterator[pd.DataFrame]:
        nonlocal made
        for made in range(1, 41):
            yield pd.DataFrame({"t": pd.Series([chr(65 + made) * size], dtype="str")})

    begun: list[int] = []

    def new_file() -> io.BytesIO:
        begun.append(made)
        return io.BytesIO()

    written = streams.write(make(), FRAME.freeze, new_file, lambda file: file)
    assert begun == [8]  # 16 MiB
    assert pa.ipc.open_file(written.file.getvalue()).num_record_batches == 10


def test_what_a_later_batch_shows_counts_for_the_size_of_record_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "_SAMPLE_ROWS", 2)
    monkeypatch.setattr(streams, "_CHUNK_BYTES", 400)
    frame = pd.DataFrame({"t": pd.Series([None, None, *["text"] * 200], dtype=object)})
    parts = [frame.iloc[:2].copy(), frame.iloc[2:].copy()]  # the first looks as if it took nothing
    assert file_of(parts) == file_of([frame])


def test_many_batches_of_one_row_wait_in_few_pieces() -> None:
    waiting = Waiting()
    field = [pa.field("x", pa.int64())]
    for number in range(5000):
        waiting.add(Rows([pa.chunked_array([[number]])], 1, (number, 1)), field)
    parts = waiting.take(5000)
    assert len(parts) < 30
    assert [v for rows in parts for v in rows.columns[0].to_pylist()] == list(range(5000))
    assert [label for rows in parts for label in rows.label_array()] == list(range(5000))


def test_what_no_batch_can_tell_of_the_whole_is_refused() -> None:
    unique = pd.DataFrame({"x": [1]}, index=["a"]).set_flags(allows_duplicate_labels=False)
    with pytest.raises(InexactValue, match="batch 1: it does not allow duplicate labels"):
        collected([unique, unique.copy()], FRAME)
    kept = pd.DataFrame({"x": [1]}).set_flags(allows_duplicate_labels=False)
    assert not FRAME.thaw(collected([kept, kept.copy()], FRAME)).flags.allows_duplicate_labels
    nested = pa.ListArray.from_arrays([0, 1], pa.array(["a"]).dictionary_encode())
    with pytest.raises(InexactValue, match="column 'x' holds dictionaries within"):
        collected([pa.table({"x": nested})], TABLE)


@pytest.mark.parametrize(
    ("column", "way_out"),
    [
        (pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), ["x"]), "run_end_decode"),
        (pa.UnionArray.from_sparse(pa.array([0, 0], pa.int8()), [pa.array([1, 2])]), "a column of"),
        (pa.array([["x"], []], pa.list_(pa.string_view())), "cast it to a type without views"),
        (pa.array([{"a": b"x"}, None], pa.struct({"a": pa.binary_view()})), "without views"),
    ],
    ids=["runs", "union", "a view in a list", "a view in a struct"],
)
def test_a_column_whose_file_would_show_its_batches_is_refused(column: Any, way_out: str) -> None:
    with pytest.raises(InexactValue, match=f"column 'x' is of type .*{way_out}"):
        collected([pa.table({"x": column})], TABLE)


def test_a_sparse_column_in_batches_is_refused_with_what_to_write() -> None:
    frame = pd.DataFrame({"n": [1, 2], "x": pd.arrays.SparseArray([0, 5])})
    with pytest.raises(InexactValue, match=r"column 'x' .*\.sparse\.to_dense\(\)"):
        collected([frame], FRAME)


def test_rows_that_are_all_nat_are_not_taken_for_nan() -> None:
    from decimal import Decimal

    frame = pd.DataFrame({"x": pd.Series([pd.NaT, Decimal("0.5")], dtype=object)})
    parts = [frame.iloc[:0], frame.iloc[:1], frame.iloc[1:]]
    assert exact.same_frame(FRAME.thaw(collected([p.copy() for p in parts], FRAME)), frame)


@settings(deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=12),
    st.sampled_from([(0, 1), (5, 3), (7, -1)]),
    st.lists(st.integers(0, 12), max_size=5),
)
def test_a_filter_in_batches_keeps_the_labels_of_the_filtered_whole(
    mask: list[bool], span: tuple[int, int], places: list[int]
) -> None:
    start, step = span
    index = pd.RangeIndex(start, start + step * len(mask), step)
    frame = pd.DataFrame({"x": np.arange(len(mask)), "kept": mask}, index=index)
    parts = [frame.iloc[rows] for rows in cut(len(frame), places)]
    whole = FRAME.thaw(collected([part[part["kept"]] for part in parts], FRAME))
    expected = frame[frame["kept"]]
    pd.testing.assert_frame_equal(whole, expected, check_index_type=bool(len(expected)))


def test_rows_that_every_batch_numbers_from_0_are_numbered_on() -> None:
    parts = [pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [3]}), pd.DataFrame({"x": [4, 5]})]
    whole = FRAME.thaw(collected(parts, FRAME))
    pd.testing.assert_frame_equal(
        whole, pd.DataFrame({"x": [1, 2, 3, 4, 5]}), check_index_type=True
    )


def test_a_range_of_labels_that_ends_late_is_written_again_as_a_column() -> None:
    rows = 5000
    first = pd.DataFrame({"x": np.arange(rows)})
    late = pd.DataFrame({"x": [1, 2, 3]}, index=[9, 4, 7])
    parts = [first.iloc[:3000].copy(), first.iloc[3000:].copy(), late]
    whole = FRAME.thaw(collected(parts, FRAME))
    pd.testing.assert_frame_equal(whole, pd.concat([first, late]), check_index_type=True)


def test_what_only_a_later_batch_shows_of_objects_is_kept_exactly() -> None:
    from decimal import Decimal

    values: list[Any] = [None, None, Decimal("1.10"), Decimal("12345.67"), None, Decimal("0.05")]
    frame = pd.DataFrame({"d": pd.Series(values, dtype=object), "n": pd.Series([None] * 6)})
    frame["t"] = pd.Series(["a", "b", "c", float("nan"), "d", float("nan")], dtype=object)
    for size in (1, 2, 3, 6):
        parts = [frame.iloc[i : i + size].copy() for i in range(0, 6, size)]
        assert exact.same_frame(FRAME.thaw(collected(parts, FRAME)), frame)
        assert file_of([frame.iloc[i : i + size].copy() for i in range(0, 6, size)]) == file_of(
            [frame.copy()]
        )


A = pd.DataFrame({"x": [1, 2], "c": pd.Categorical(["a", "b"])})
UNLIKE: dict[str, tuple[Any, str]] = {
    "another dtype": (A.astype({"x": "float64"}), "column 'x' is float64, and int64 in"),
    "a nullable dtype": (A.astype({"x": "Int64"}), "column 'x' is Int64, and int64 in"),
    "a column missing": (A[["x"]], "it has no column 'c'"),
    "a column more": (A.assign(y=1), "it has a column 'y'"),
    "another order": (A[["c", "x"]], "another order"),
    "other categories": (A.assign(c=pd.Categorical(["a", "z"])), "(new: 'z')"),
    "fewer categories": (A.assign(c=pd.Categorical(["a", "a"])), "fewer"),
    "another index": (A.set_index(pd.Index(["p", "q"])), "reset_index()"),
    "another name of the index": (A.rename_axis("n"), "reset_index()"),
    "None": (None, "returned builtins.NoneType"),
    "a table of Arrow": (pa.table({"x": [1]}), "returned pyarrow.lib.Table"),
    "a Series": (A["x"], "returned pandas.Series"),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_a_batch_that_does_not_continue_the_others_is_refused_by_name(case: str) -> None:
    batch, expected = UNLIKE[case]
    with pytest.raises(InexactValue) as refusal:
        collected([A.copy(), A.copy(), batch], FRAME)
    assert "batch 3" in refusal.value.message
    assert expected in refusal.value.message


def test_no_batch_at_all_is_refused() -> None:
    with pytest.raises(InexactValue, match="no batch came"):
        collected([], FRAME)


def test_an_error_of_whoever_makes_the_batches_is_raised_unchanged() -> None:
    def make() -> Iterator[pd.DataFrame]:
        yield A.copy()
        raise OSError(5, "its own")

    with pytest.raises(OSError, match="its own"):
        collected(make(), FRAME)


@settings(deadline=None)
@given(exact.frames(), st.lists(st.integers(1, 4), min_size=1, max_size=8))
def test_slices_of_a_table_have_the_rows_labels_and_dtypes_of_the_whole(
    frame: pd.DataFrame, sizes: list[int]
) -> None:
    if not len(frame.columns):
        return
    frozen = FRAME.freeze(frame.copy(deep=False))
    following = iter(sizes * 7)
    start = 0
    for part in batches.slices(frozen, lambda: next(following)):
        thawed = FRAME.thaw(part)
        assert exact.same_frame(thawed, frame.iloc[start : start + len(thawed)])
        start += len(thawed)
    assert start == len(frame)


@settings(deadline=None)
@given(exact.frames(), st.integers(1, 4))
def test_a_parquet_file_in_slices_gives_the_whole(frame: pd.DataFrame, rows: int) -> None:
    if not len(frame.columns):
        return
    frozen = FRAME.freeze(frame.copy(deep=False))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.parquet"
        try:
            with path.open("wb") as file:
                format_named("parquet").write(frozen, file)
        except InexactValue:
            return
        start = 0
        for part in batches.stored_slices(path, "parquet", None, lambda: rows):
            thawed = FRAME.thaw(part)
            assert exact.same_frame(thawed, frame.iloc[start : start + len(thawed)])
            start += len(thawed)
        assert start == len(frame)


def test_a_parquet_file_in_slices_is_never_held_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "x.parquet"
    frame = pd.DataFrame({"x": rng.random(1 << 22)})
    with path.open("wb") as file:
        format_named("parquet").write(FRAME.freeze(frame), file)
    del frame
    before = pa.total_allocated_bytes()
    parts = batches.stored_slices(path, "parquet", None, lambda: 10_000)
    held = max(pa.total_allocated_bytes() - before for _ in parts)
    assert held < path.stat().st_size / 4


def test_integers_with_nulls_anywhere_are_nullable_in_every_slice() -> None:
    table = pa.table({"x": [1, 2, None], "y": [1, 2, 3], "f": [1.5, None, 2.5]})
    parts = [FRAME.thaw(part) for part in batches.slices(TABLE.freeze(table), lambda: 1)]
    assert [str(part["x"].dtype) for part in parts] == ["Int64"] * 3
    assert [str(part["y"].dtype) for part in parts] == ["int64"] * 3
    pd.testing.assert_frame_equal(pd.concat(parts), FRAME.thaw(TABLE.freeze(table)))


def test_batches_of_arrow_make_one_table() -> None:
    codec = codec_named("RecordBatchReader")
    table = pa.table({"x": pa.array(range(3000), pa.int32()), "t": ["é", None, "z"] * 1000})
    assert codec.batches is not None
    made = [
        collected(codec.batches(table.to_reader(max_chunksize=size)), codec) for size in (7, 999)
    ]
    assert all(TABLE.thaw(frozen).equals(table) for frozen in made)
    empty = collected(codec.batches(table.slice(0, 0).to_reader()), codec)
    assert TABLE.thaw(empty).schema == table.schema


def test_a_large_table_of_batches_becomes_one_parquet_file_in_several_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_CHUNK_BYTES", 1 << 14)
    monkeypatch.setattr(parquet, "_GROUP_BYTES", 1 << 16)
    rows = 1 << 10
    columns = {f"c{n}": np.arange(rows * 5, dtype="float64") for n in range(8)}
    frame = pd.DataFrame(columns | {"k": pd.Categorical(["a", "b", None, "d", "e"] * rows)})
    frame.loc[7, "c0"] = np.nan
    frozen = collected((frame.iloc[i : i + rows] for i in range(0, len(frame), rows)), FRAME)
    path = tmp_path / "x.parquet"
    with path.open("wb") as file:
        format_named("parquet").write(frozen, file)
    assert pq.ParquetFile(path).num_row_groups > 1
    pd.testing.assert_frame_equal(FRAME.thaw(format_named("parquet").read(path, None)), frame)


def test_what_a_field_of_arrow_says_beside_its_type_is_kept() -> None:
    field = pa.field("x", pa.int64(), nullable=False, metadata={"unit": "m"})
    table = pa.table({"x": [1, 2, 3]}, schema=pa.schema([field]))
    kept = TABLE.thaw(collected([table.slice(0, 2), table.slice(2)], TABLE))
    assert kept.schema.equals(table.schema, check_metadata=True)
    assert kept.equals(table)
    with pytest.raises(InexactValue, match="batch 2: column 'x' may have nulls"):
        collected([table, pa.table({"x": [4]})], TABLE)
