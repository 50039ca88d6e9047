"""Frames, Series and Arrow tables come back exactly, through a file or not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flight_delays.checkpointing import codecs
from flight_delays.checkpointing.base.errors import InexactValue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import exactness as exact

FRAME, SERIES, TABLE = (codecs.codec_named(name) for name in ("DataFrame", "Series", "Table"))
FORMATS = ["arrow", "parquet"]
thorough = settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class StoresFile:
    """A file with only the methods that `Format.write` may call."""

    closed = False

    def __init__(self) -> None:
        self.content = bytearray()
        self.largest = 0

    def write(self, data: Any) -> int:
        self.content += memoryview(data)
        self.largest = max(self.largest, len(data))
        return len(data)

    def flush(self) -> None:
        pass

    def tell(self) -> int:
        return len(self.content)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def written(frozen: Any, format_name: str, folder: Path) -> Path:
    file = StoresFile()
    codecs.format_named(format_name).write(frozen, file)  # type: ignore[arg-type]
    path = folder / f"value.{format_name}"
    # Use a new inode each time, because earlier values may still be mapped.
    path.unlink(missing_ok=True)
    path.write_bytes(file.content)
    return path


def through_file(frozen: Any, format_name: str, folder: Path, columns: Any = None) -> Any:
    path = written(frozen, format_name, folder)
    return codecs.format_named(format_name).read(path, columns)


def same_schema(left: Any, right: Any) -> bool:
    return bool(left.schema.equals(right.schema, check_metadata=True))


@pytest.mark.parametrize("format_name", FORMATS)
@thorough
@given(frame=exact.frames())
def test_a_frame_comes_back_exactly(frame: pd.DataFrame, format_name: str, folder: Path) -> None:
    frozen = FRAME.freeze(frame)
    assert exact.same_frame(FRAME.thaw(frozen), frame)
    loaded = through_file(frozen, format_name, folder)
    assert same_schema(loaded, frozen)
    assert exact.same_frame(FRAME.thaw(loaded), frame)


anything = st.recursive(
    st.one_of(
        *exact.OBJECTS.values(),
        st.sampled_from([None, float("nan"), pd.NaT, pd.NA, pd.Timestamp("2013"), np.int64(1)]),
        st.integers(),
        st.text(max_size=2),
        st.decimals(),
        st.datetimes(timezones=st.just(dt.UTC)),
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=1), inner),
    max_leaves=3,
)


@pytest.mark.parametrize("format_name", FORMATS)
@settings(thorough, max_examples=300)
@given(data=st.data())
def test_python_objects_come_back_exactly_or_are_refused_by_column(
    data: Any, format_name: str, folder: Path
) -> None:
    elements = data.draw(st.sampled_from([anything, *exact.OBJECTS.values()]))
    drawn = data.draw(st.lists(elements | anything | st.none(), max_size=3))
    values = np.fromiter(drawn, object, len(drawn))
    frame = pd.DataFrame({"fine": range(len(drawn)), "odd": pd.Series(values, dtype=object)})
    refused = ""
    try:
        loaded = through_file(FRAME.freeze(frame), format_name, folder)
    except InexactValue as refusal:
        refused = str(refusal)
    assert "column 'odd'" in refused or exact.same_frame(FRAME.thaw(loaded), frame)


@thorough
@given(frame=exact.frames())
def test_freezing_what_was_thawed_changes_nothing(frame: pd.DataFrame) -> None:
    frozen = FRAME.freeze(frame)
    again = FRAME.freeze(FRAME.thaw(frozen))
    assert same_schema(again, frozen)
    assert exact.same_frame(FRAME.thaw(again), frame)


@pytest.mark.parametrize("format_name", FORMATS)
@thorough
@given(data=st.data())
def test_a_series_comes_back_exactly(data: Any, format_name: str, folder: Path) -> None:
    values = data.draw(exact.arrays(data.draw(st.integers(0, 5))))
    index = data.draw(exact.indexes(len(values)))
    series = pd.Series(values, index=index, dtype=values.dtype)
    series.name = data.draw(exact.labels)
    series.attrs = {"unit": "minutes"}
    frozen = SERIES.freeze(series)
    assert exact.same_frame(SERIES.thaw(frozen), series)
    assert exact.same_frame(SERIES.thaw(through_file(frozen, format_name, folder)), series)
    assert exact.same_frame(FRAME.thaw(frozen), series.to_frame())


@pytest.mark.parametrize("format_name", FORMATS)
@thorough
@given(data=st.data())
def test_an_arrow_table_comes_back_exactly(data: Any, format_name: str, folder: Path) -> None:
    size = data.draw(st.integers(0, 5))
    columns = {}
    for kind, (arrow_type, values) in exact.ARROW.items():
        drawn = data.draw(exact.lists_of(values | st.none(), size))
        columns[kind] = exact.arrow_array(drawn, arrow_type)
    table = pa.table(columns).replace_schema_metadata({"made by": "the test"})
    table = pa.concat_tables([table, table])
    frozen = TABLE.freeze(table)
    for thawed in (TABLE.thaw(frozen), TABLE.thaw(through_file(frozen, format_name, folder))):
        assert same_schema(thawed, table)
        assert exact.same_scalar(thawed.to_pylist(), table.to_pylist())


def test_a_table_keeps_its_chunks_in_memory_and_in_an_arrow_file(folder: Path) -> None:
    table = pa.concat_tables([pa.table({"x": [1, 2]}), pa.table({"x": [3]})])
    frozen = TABLE.freeze(table)
    assert frozen.column("x").num_chunks == 2
    assert through_file(frozen, "arrow", folder).column("x").num_chunks == 2


def test_unlike_dictionaries_of_chunks_are_made_one(folder: Path) -> None:
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()]
    table = pa.table({"x": pa.chunked_array(chunks)})
    for format_name in FORMATS:
        loaded = through_file(TABLE.freeze(table), format_name, folder)
        assert loaded.column("x").to_pylist() == ["a", "b", "c", "a"]


def test_a_slice_of_a_frame_comes_back_as_that_slice(folder: Path) -> None:
    frame = pd.DataFrame(
        {
            "text": [None, "a", "b", "c", None],
            "n": pd.array([1, None, 3, None, 5], dtype="Int64"),
            "arrow": pd.arrays.ArrowExtensionArray(pa.array([[1], None, [3], [], None])),
            "kind": pd.Categorical([None, "a", None, "b", "a"]),
            "flag": [True, False, True, True, False],
        }
    )
    for part in (frame.iloc[1:4], frame.iloc[::-2], frame.iloc[3:3]):
        for format_name in FORMATS:
            loaded = through_file(FRAME.freeze(part), format_name, folder)
            assert exact.same_frame(FRAME.thaw(loaded), part)


def test_one_record_batch_is_written_for_a_frame_of_chunked_text(folder: Path) -> None:
    halves = [pd.DataFrame({"x": ["a", "b"], "y": [1.0, np.nan]})] * 2
    frozen = FRAME.freeze(pd.concat(halves, ignore_index=True))
    with pa.ipc.open_file(written(frozen, "arrow", folder)) as file:
        assert file.num_record_batches == 1


def test_columns_of_an_arrow_file_are_written_without_a_copy() -> None:
    frozen = FRAME.freeze(pd.DataFrame({"x": np.arange(100_000)}))
    file = StoresFile()
    codecs.format_named("arrow").write(frozen, file)  # type: ignore[arg-type]
    assert file.largest == 800_000


def addresses(path: Path) -> Iterator[range]:
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, *_, name = line.split(maxsplit=5)
        if name == str(path):
            start, end = (int(part, 16) for part in span.split("-"))
            yield range(start, end)


def test_loading_is_zero_copy_with_missing_values_in_every_column(folder: Path) -> None:
    rows = 1000
    moments = np.arange(rows).astype("M8[us]")
    moments[3] = "NaT"
    frame = pd.DataFrame(
        {
            "float": np.where(np.arange(rows) % 3, 1.5, np.nan),
            "moment": moments,
            "zoned": pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert("Europe/Madrid"),
            "span": moments - np.datetime64(0, "us"),
            "period": pd.PeriodIndex(moments, freq="D"),
            "category": pd.Categorical([None, "a"] * (rows // 2)),
            "nullable": pd.array([None, 1] * (rows // 2), dtype="Int64"),
            "text": [None, "a"] * (rows // 2),
        },
        index=pd.Index(np.arange(rows) * 2),
    )
    path = written(FRAME.freeze(frame), "arrow", folder)
    loaded = FRAME.thaw(codecs.format_named("arrow").read(path, None))
    [mapped] = addresses(path)
    arrays = {
        "float": loaded["float"].to_numpy(),
        "index": loaded.index.to_numpy(),
        "category": loaded["category"].array.codes,
        "nullable": loaded["nullable"].array._data,
    } | {name: loaded[name].array.asi8 for name in ("moment", "zoned", "span", "period")}
    assert {name for name, a in arrays.items() if a.ctypes.data not in mapped} == set()
    [text] = loaded["text"].array.__arrow_array__().chunks
    assert all(buffer.address in mapped for buffer in text.buffers())
    assert exact.same_frame(loaded, frame)


def test_freezing_shares_the_memory_of_the_frame() -> None:
    values = np.arange(10.0)
    frozen = FRAME.freeze(pd.DataFrame({"x": values}, copy=False))
    assert frozen.column("x").chunk(0).buffers()[1].address == values.ctypes.data
    assert codecs.frozen_bytes(frozen) == 80


@pytest.mark.parametrize("format_name", FORMATS)
def test_chosen_columns_come_in_the_order_asked_for_with_the_index(
    format_name: str, folder: Path
) -> None:
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["letter", "digit"])
    frame = pd.DataFrame(
        {
            "x": [1.5, np.nan, 3, 4],
            "y": list("abcd"),
            "z": pd.Categorical(list("abab"), categories=["b", "unused", "a"]),
            "z.w": [1, 2, 3, 4],
        },
        index=index,
    )
    loaded = through_file(FRAME.freeze(frame), format_name, folder, ("z", "x"))
    assert exact.same_frame(FRAME.thaw(loaded), frame[["z", "x"]])
    selected = codecs.select(FRAME.freeze(frame), ("z", "x"))
    assert exact.same_frame(FRAME.thaw(selected), frame[["z", "x"]])


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_column_that_is_not_there_is_named_with_those_that_are(
    format_name: str, folder: Path
) -> None:
    frozen = FRAME.freeze(pd.DataFrame({"x": [1], "y": [2]}))
    with pytest.raises(InexactValue, match="no column 'carier' among 'x', 'y'"):
        through_file(frozen, format_name, folder, ("x", "carier"))


def test_parquet_shows_nulls_to_others_where_pandas_has_nan_and_nat(folder: Path) -> None:
    moments = pd.to_datetime(pd.Series(["2013-01-31", "NaT"]))
    frame = pd.DataFrame(
        {
            "x": [1.5, np.nan],
            "t": moments,
            "d": moments - moments[0],
            "c": pd.Categorical([None, "a"]),
            "i": pd.arrays.IntervalArray.from_tuples([(0.0, 1.0), (np.nan, np.nan)]),
        }
    )
    frozen = FRAME.freeze(frame)
    table = pq.read_table(written(frozen, "parquet", folder))
    assert {name: table.column(name).null_count for name in "xtdc"} == dict.fromkeys("xtdc", 1)
    assert table.column("i").to_pylist()[1] == {"left": None, "right": None}
    assert frozen.column("x").null_count == 0


def test_plain_pandas_reads_a_parquet_output_with_its_index_and_dtypes(folder: Path) -> None:
    frame = pd.DataFrame(
        {"n": pd.array([1, None], dtype="Int64"), "t": pd.to_datetime(["2013-01-31", "NaT"])},
        index=pd.Index(["a", "b"], name="key"),
    )
    path = written(FRAME.freeze(frame), "parquet", folder)
    pd.testing.assert_frame_equal(pd.read_parquet(path), frame)
    numbered = frame.reset_index(drop=True)[::-1].reset_index(drop=True).loc[::-1]
    path = written(FRAME.freeze(numbered), "parquet", folder)
    pd.testing.assert_frame_equal(pd.read_parquet(path), numbered)


def test_intervals_of_pd_cut_are_text_to_others_and_come_back_as_intervals(folder: Path) -> None:
    frame = pd.DataFrame({"bin": pd.cut([1, 7, np.nan, 99], [0, 5, 10])})
    path = written(FRAME.freeze(frame), "parquet", folder)
    assert pq.read_table(path).column("bin").to_pylist() == [
        "(0, 5]",
        "(5, 10]",
        None,
        None,
    ]
    loaded = codecs.format_named("parquet").read(path, None)
    assert exact.same_frame(FRAME.thaw(loaded), frame)


def test_a_frame_read_as_a_table_has_nulls_and_its_index_last() -> None:
    frame = pd.DataFrame(
        {"x": [1.5, np.nan], "t": pd.to_datetime(["2013-01-31", "NaT"])},
        index=pd.Index(["a", "b"], name="key"),
    )
    table = TABLE.thaw(FRAME.freeze(frame))
    assert table.to_pylist() == [
        {"x": 1.5, "t": dt.datetime(2013, 1, 31), "key": "a"},
        {"x": None, "t": None, "key": "b"},
    ]
    assert table.schema.metadata is None


def test_a_table_made_from_a_frames_table_forgets_the_frame() -> None:
    table = TABLE.thaw(FRAME.freeze(pd.DataFrame({"x": [1, 2, 3]})))
    longer = TABLE.freeze(pa.concat_tables([table, table]))
    assert FRAME.thaw(longer)["x"].tolist() == [1, 2, 3, 1, 2, 3]


def test_a_table_read_as_a_frame_gets_dtypes_that_hold_it_exactly() -> None:
    table = pa.table(
        {
            "whole": pa.array([2**53 + 1, 3]),
            "gaps": pa.array([2**53 + 1, None]),
            "tiny": pa.array([None, 255], pa.uint8()),
            "flag": pa.array([True, None]),
            "float": pa.array([1.5, None]),
            "text": pa.array(["a", None]),
            "moment": pa.array(
                [dt.datetime(2013, 1, 31), None], pa.timestamp("ms", "Europe/Madrid")
            ),
            "span": pa.array([None, 5], pa.duration("ns")),
            "date": pa.array([dt.date(2013, 1, 31), None]),
            "list": pa.array([[1], None]),
            "kind": pa.array(["b", None]).dictionary_encode(),
        }
    )
    frame = FRAME.thaw(TABLE.freeze(table))
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "whole": "int64",
        "gaps": "Int64",
        "tiny": "UInt8",
        "flag": "boolean",
        "float": "float64",
        "text": "str",
        "moment": "datetime64[ms, Europe/Madrid]",
        "span": "timedelta64[ns]",
        "date": "date32[day][pyarrow]",
        "list": "list<item: int64>[pyarrow]",
        "kind": "category",
    }
    assert frame["gaps"].tolist() == [2**53 + 1, pd.NA]
    assert frame["whole"].tolist() == [2**53 + 1, 3]
    assert frame.isna().to_numpy().sum() == 10
    assert frame["kind"].array.codes.tolist() == [0, -1]


def test_a_dictionary_with_values_twice_is_read_as_plain_text() -> None:
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array(["a", "a", None]))
    assert FRAME.thaw(TABLE.freeze(pa.table({"x": twice})))["x"].dtype == "str"


def test_a_table_of_one_column_can_be_read_as_a_series() -> None:
    series = SERIES.thaw(TABLE.freeze(pa.table({"x": [1, 2]})))
    assert exact.same_frame(series, pd.Series([1, 2], name="x"))


def test_a_frame_of_several_columns_is_no_series() -> None:
    with pytest.raises(InexactValue, match="3 columns"):
        SERIES.thaw(FRAME.freeze(pd.DataFrame({"x": [1], "y": [1], "z": [1]})))


def test_objects_that_look_like_text_stay_objects() -> None:
    frame = pd.DataFrame(
        {"x": pd.Series(["a", "b"], dtype=object)}, index=pd.Index(["k", "l"], dtype=object)
    )
    thawed = FRAME.thaw(FRAME.freeze(frame))
    assert thawed["x"].dtype == object
    assert thawed.index.dtype == object


def test_unlike_labels_that_pivots_make_are_kept() -> None:
    frame = pd.DataFrame([[1, 2, 3, 4]])
    frame.columns = pd.Index(["carrier", 2013, None, ("a", 1)], dtype=object, tupleize_cols=False)
    assert exact.same_frame(FRAME.thaw(FRAME.freeze(frame)), frame)


def test_a_frame_that_forbids_duplicate_labels_still_does() -> None:
    frame = pd.DataFrame({"x": [1]}).set_flags(allows_duplicate_labels=False)
    assert not FRAME.thaw(FRAME.freeze(frame)).flags.allows_duplicate_labels


def test_unused_categories_of_an_empty_frame_are_kept(folder: Path) -> None:
    frame = pd.DataFrame({"x": pd.Categorical([], categories=["b", "a"], ordered=True)})
    for format_name in FORMATS:
        loaded = through_file(FRAME.freeze(frame), format_name, folder)
        assert exact.same_frame(FRAME.thaw(loaded), frame)


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("rows", [0, 1, 20_000])
def test_a_file_holds_its_rows_once_and_no_others(
    format_name: str, rows: int, folder: Path
) -> None:
    random = np.random.default_rng(1)
    texts = [random.bytes(10).hex() for _ in range(20_000)]
    frame = pd.DataFrame({"x": random.random(20_000), "text": texts}).iloc[:rows]
    frozen = FRAME.freeze(frame)
    path = written(frozen, format_name, folder)
    assert path.stat().st_size < rows * (8 + 8 + 20) * 1.1 + 10_000
    assert exact.same_frame(FRAME.thaw(through_file(frozen, format_name, folder)), frame)


def test_seconds_too_far_for_parquet_are_refused_by_column(folder: Path) -> None:
    far = pd.Series(np.array([10**17], "i8").view("M8[s]"))
    frozen = FRAME.freeze(pd.DataFrame({"ok": [1], "far": far}))
    with pytest.raises(InexactValue, match="column 'far' cannot be kept in Parquet"):
        written(frozen, "parquet", folder)


def test_columns_of_one_name_are_refused_by_parquet(folder: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    assert TABLE.thaw(through_file(TABLE.freeze(table), "arrow", folder)).equals(table)
    with pytest.raises(InexactValue, match="several columns of one name"):
        written(TABLE.freeze(table), "parquet", folder)
