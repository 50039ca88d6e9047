"""Frames of polars come back exactly, whole and lazy, and read the tables of other libraries."""

from __future__ import annotations

import datetime as dt
import io
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.codecs import codec_named, format_named, select
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing.parametric import dataframes

from ...marks import in_exhaustive
from ..conftest import until
from .arrow_catalogue import SHAPES, Kind, array, kinds

FRAME, LAZY = codec_named("polars.DataFrame"), codec_named("polars.LazyFrame")
PANDAS, TABLE = codec_named("DataFrame"), codec_named("Table")
FORMATS = ("arrow", "parquet")

OWN = pl.Categories("airports", namespace="flights", physical=pl.UInt8)
KINDS = pl.Enum(["prop", "jet", "balloon"])
COLUMNS: dict[str, pl.Series] = {
    "null": pl.Series([None, None, None]),
    "bool": pl.Series([True, None, False]),
    "int8": pl.Series([-128, None, 127], dtype=pl.Int8),
    "uint64": pl.Series([0, None, 2**64 - 1], dtype=pl.UInt64),
    "float16": pl.Series([1.5, None, -0.0], dtype=pl.Float16),
    "float with NaN and null": pl.Series([float("nan"), None, float("-inf")]),
    "decimal": pl.Series([Decimal("1.10"), None, Decimal("-2.25")], dtype=pl.Decimal(9, 2)),
    "text": pl.Series(["é" * 40, None, ""]),
    "binary": pl.Series([b"\xff" * 20, None, b""]),
    "date": pl.Series([dt.date(1, 1, 1), None, dt.date(9999, 1, 1)]),
    "time": pl.Series([dt.time(0), None, dt.time(23, 59, 59, 999_999)]),
    **{
        f"datetime {unit} {zone}": pl.Series([1, None, -1], dtype=pl.Datetime(unit, zone))
        for unit in ("ms", "us", "ns")
        for zone in (None, "Europe/Madrid")
    },
    **{
        f"duration {unit}": pl.Series([1, None, -1], dtype=pl.Duration(unit))
        for unit in ("ms", "us", "ns")
    },
    "category": pl.Series(["b", None, "a"], dtype=pl.Categorical),
    "category of one's own": pl.Series(["b", None, "a"], dtype=pl.Categorical(OWN)),
    "enum": pl.Series(["jet", None, "prop"], dtype=KINDS),
    "enum of many": pl.Series(["299", None, "0"], dtype=pl.Enum([str(n) for n in range(300)])),
    "list": pl.Series([[1, None], None, []], dtype=pl.List(pl.Int16)),
    "list of categories": pl.Series([["a"], None, []], dtype=pl.List(pl.Categorical(OWN))),
    "array": pl.Series([[1, 2], None, [3, None]], dtype=pl.Array(pl.Int8, 2)),
    "array of two dimensions of an enum": pl.Series(
        [[["jet", "prop"]], None, [[None, "jet"]]], dtype=pl.Array(KINDS, (1, 2))
    ),
    "struct": pl.Series([{"a": 1, "b": "x"}, None, {"a": None, "b": None}]),
    "struct of an enum in a list": pl.Series(
        [{"e": ["jet"]}, None, {"e": None}], dtype=pl.Struct({"e": pl.List(KINDS)})
    ),
    "map": pl.Series(pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int8()))),
}
FORMS: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "rows": lambda frame: frame,
    "chunks": lambda frame: pl.concat([frame, frame[1:], frame[:0], frame], rechunk=False),
    "a slice": lambda frame: pl.concat([frame] * 5).slice(4, 6),
    "no rows": lambda frame: frame.clear(),
}


def through_file(frozen: Any, form: str, folder: Path) -> Any:
    """The frozen table that another part reads."""
    path = folder / f"{len(list(folder.iterdir()))}{format_named(form).suffix}"
    with path.open("wb") as file:
        format_named(form).write(frozen, file)
    return format_named(form).read(path, None)


def require_same(back: pl.DataFrame, frame: pl.DataFrame) -> None:
    assert back.schema == frame.schema
    assert back.equals(frame)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_any_type_comes_back_whole_and_lazy(name: str, tmp_path: Path) -> None:
    for change in FORMS.values():
        frame = change(pl.DataFrame({"x": COLUMNS[name], "n": range(3)}))
        for codec in (FRAME, LAZY):
            for form in FORMATS:
                stored = through_file(codec.freeze(frame), form, tmp_path)
                require_same(FRAME.thaw(stored), frame)
                lazy = LAZY.thaw(stored)
                assert lazy.collect_schema() == frame.schema
                require_same(lazy.collect(), frame)


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=60)
@given(frame=dataframes(max_cols=4, max_size=8, excluded_dtypes=[pl.Int128, pl.UInt128, pl.Object]))
def test_any_frame_comes_back_or_is_refused_by_its_column(frame: pl.DataFrame) -> None:
    if re.search(r"Extension\(|Array\([^()]*shape=\([^)]*\b0\b", str(frame.schema)):
        with pytest.raises(InexactValue, match=r"column '.*' holds"):
            FRAME.freeze(frame)
        return
    frozen = FRAME.freeze(frame)
    file = io.BytesIO()
    format_named("arrow").write(frozen, file)
    stored = pa.ipc.open_file(pa.BufferReader(file.getvalue())).read_all()
    require_same(FRAME.thaw(stored), frame)
    require_same(LAZY.thaw(stored).collect(), frame)


@pytest.mark.parametrize(
    ("dtype", "said"),
    [
        (pl.Int128, "integers of 128 bits"),
        (pl.List(pl.UInt128), "integers of 128 bits"),
        (pl.Struct({"a": pl.Array(pl.Int8, 0)}), "arrays of no elements"),
        (pl.Object, "Python objects"),
    ],
)
def test_what_no_file_keeps_is_refused_by_its_column(dtype: Any, said: str) -> None:
    for codec in (FRAME, LAZY):
        with pytest.raises(InexactValue, match=f"column 'x' holds {said}.*; "):
            codec.freeze(pl.DataFrame(schema={"fine": pl.Int8, "x": dtype}))


def test_rows_without_columns_are_refused_in_both_directions() -> None:
    with pytest.raises(InexactValue, match="3 rows and no columns"):
        FRAME.freeze(pl.DataFrame(height=3))
    for codec in (FRAME, LAZY):
        with pytest.raises(InexactValue, match="rows and no columns"):
            codec.thaw(PANDAS.freeze(pd.DataFrame(index=range(3))))
        codec.thaw(PANDAS.freeze(pd.DataFrame()))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (pl.LazyFrame({"a": [1]}), "return result.collect(), or annotate the step"),
        (pd.DataFrame(), "returned pandas.DataFrame; return pl.from_pandas(result)"),
        (pa.table({}), "return pl.from_arrow(result)"),
        (pl.Series(), "returned polars.series.series.Series; return one, or annotate"),
        (None, "returned builtins.NoneType; return one, or annotate"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_what_is_no_frame_is_told_with_what_to_return(value: Any, said: str) -> None:
    with pytest.raises(InexactValue, match=re.escape(said)):
        FRAME.freeze(value)


def test_a_file_depends_on_the_data_alone() -> None:
    """Not on chunks, nor on which categories polars has seen, nor on rows that were filtered."""
    plain = pl.DataFrame(
        {
            "c": ["b", "a", None, "b"],
            "s": ["x", "y", None, "z"],
            "n": [1, None, 2, 3],
            "is": [True, False, None, True],
            "l": [["a", "b"], None, [], ["c"]],
            "e": pl.Series(["jet", None, "jet", "prop"], dtype=KINDS),
        }
    )
    first = plain.with_columns(pl.col("c").cast(pl.Categorical))
    pl.Series(["zebra", "yak", "a"], dtype=pl.Categorical)
    longer = pl.concat([plain.with_columns(c=pl.lit(word)) for word in ("q", "a")] + [plain])
    second = longer.with_columns(pl.col("c").cast(pl.Categorical))[8:]
    third = pl.concat([second[:1], second[1:]], rechunk=False)
    for codec in (FRAME, LAZY):
        files = [io.BytesIO() for _ in range(3)]
        for frame, file in zip((first, second, third), files, strict=True):
            format_named("arrow").write(codec.freeze(frame), file)
        assert len({file.getvalue() for file in files}) == 1


def test_numbers_share_their_memory_and_nobody_changes_them(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [3, 1, 2], "x": [1.5, 2.5, 3.5]})
    address = frame["n"].to_numpy().ctypes.data
    frozen = FRAME.freeze(frame)
    assert frozen["n"].chunk(0).buffers()[1].address == address
    frame[0, "n"] = 99
    stored = through_file(frozen, "arrow", tmp_path)
    for table in (frozen, stored):
        thawed = FRAME.thaw(table)
        assert thawed["n"].to_numpy().ctypes.data == table["n"].chunk(0).buffers()[1].address
        thawed[1, "n"] = 77
        thawed["x"].sort(descending=True, in_place=True)
        assert table.to_pydict() == {"n": [3, 1, 2], "x": [1.5, 2.5, 3.5]}


def test_other_libraries_read_a_frame_of_polars() -> None:
    names = ("text", "category", "enum", "list of categories", "datetime us Europe/Madrid", "map")
    frame = pl.DataFrame({name: COLUMNS[name] for name in names})
    frozen = FRAME.freeze(frame)
    table = TABLE.thaw(frozen)
    assert LAZY.freeze(frame)["category"].type == pa.large_string()  # it may come in batches
    assert LAZY.freeze(frame)["enum"].type == frozen["enum"].type
    assert table["list of categories"].type == pa.large_list(pa.large_string())
    assert table["category"].chunk(0).dictionary.to_pylist() == ["b", "a"]
    pandas = PANDAS.thaw(frozen)
    assert pandas["text"].dtype == "str"
    assert list(pandas["enum"].cat.categories) == KINDS.categories.to_list()
    assert (pandas["enum"].cat.ordered, pandas["category"].cat.ordered) == (True, False)
    assert pandas["enum"].cat.codes.dtype == np.int8
    require_same(
        FRAME.thaw(TABLE.freeze(table)).select("text", "enum"), frame.select("text", "enum")
    )


def test_a_table_that_a_step_made_of_one_of_polars_is_read_as_what_it_is() -> None:
    given = TABLE.thaw(FRAME.freeze(pl.DataFrame({"n": [1, 2], "c": COLUMNS["category"][:2]})))
    made = given.set_column(0, "n", pa.array([1.5, 2.5])).set_column(1, "c", pa.array(["x", "y"]))
    thawed = FRAME.thaw(TABLE.freeze(made))
    require_same(thawed, pl.DataFrame({"n": [1.5, 2.5], "c": ["x", "y"]}))


def test_a_frame_of_pandas_has_nulls_and_its_index_last() -> None:
    frame = pd.DataFrame(
        {
            "x": [1.0, np.nan],
            "at": pd.to_datetime(["2013-01-01", "NaT"]),
            "ordered": pd.Categorical(["a", None], ["z", "a"], ordered=True),
            "unordered": pd.Categorical(["a", None], ["z", "a"]),
            "numbers": pd.Categorical([3, None]),
            "sparse": pd.arrays.SparseArray([0, 5]),
        },
        index=pd.MultiIndex.from_tuples([("r", 1), ("s", 2)], names=["row", None]),
    )
    thawed = FRAME.thaw(PANDAS.freeze(frame))
    assert thawed.rows() == [
        (1.0, dt.datetime(2013, 1, 1), "a", "a", 3, 0, "r", 1),
        (None, None, None, None, None, 5, "s", 2),
    ]
    assert thawed.columns[-2:] == ["row", "__index_level_1__"]
    assert thawed.schema["ordered"] == pl.Enum(["z", "a"])
    assert thawed.schema["unordered"] == pl.Categorical
    assert thawed.schema["numbers"] == pl.Int64
    require_same(LAZY.thaw(PANDAS.freeze(frame)).collect(), thawed)


# --- types of Arrow -------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value of Arrow without what the types of polars do not express, such as a fixed offset."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC)
    return "NaN" if value != value else value


def outcome(column: Any) -> str:
    """How polars reads a column: `exact` or `refused`, else what is wrong."""
    table = pa.table({"fine": pa.array(range(len(column)), pa.int8()), "x": column})
    try:
        frozen = TABLE.freeze(table)
    except InexactValue:
        return "refused"
    answers = []
    for codec in (FRAME, LAZY):
        try:
            frame = codec.thaw(frozen).lazy().collect()
        except InexactValue as refusal:
            answers.append("refused" if "column 'x'" in refusal.message else refusal.message)
            continue
        written = plain(TABLE.thaw(FRAME.freeze(frame))["x"].to_pylist())
        is_same = written == plain(table["x"].to_pylist())
        answers.append("exact" if is_same else f"other values: {written} as {frame.schema['x']}")
    return answers[0] if len(set(answers)) == 1 else str(answers)


def require_exact_or_refused(cases: list[tuple[Kind, str]]) -> list[str]:
    results: dict[str, str] = {}
    for (kind, both), shape in cases:
        try:
            column = SHAPES[shape](kind, both)
            column.to_pylist()
        except (pa.ArrowException, ValueError, KeyError, TypeError):  # Arrow itself cannot
            continue
        results[f"{kind} {shape}"] = outcome(column)
    assert {c: r for c, r in results.items() if r not in ("exact", "refused")} == {}
    return list(results.values())


@pytest.mark.parametrize("step", [53, *in_exhaustive(1)])
def test_a_column_of_any_type_of_arrow_is_read_exactly_or_refused_by_its_name(step: int) -> None:
    cases = [(kind, shape) for kind in kinds(1) for shape in SHAPES]
    answers = require_exact_or_refused(cases[::step])
    assert min(answers.count("exact"), answers.count("refused")) > 50


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([2**60]).view(pa.timestamp("s")), "would result in out of bounds timestamp"),
        (pa.array([2**60]).view(pa.duration("s")), "would result in out of bounds"),
        (pa.array([2**60]).view(pa.time64("us")), "that polars would make null"),
        (pa.array([86_400_001]).view(pa.date64()), "would lose data"),
        (pa.array([1], pa.timestamp("us", "+05:30")), "unable to parse time zone"),
        (pa.array([Decimal(1)], pa.decimal256(50, 2)), "cast it to pyarrow.decimal128"),
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "calendar intervals"),
        (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"x" * 16], pa.binary(16))), "plain"),
        (array(pa.dictionary(pa.int8(), pa.int64(), ordered=True), [3]), "ordered categories"),
        (array(pa.list_(pa.dictionary(pa.int8(), pa.string(), True)), [["a"]]), "ordered categor"),
        (
            pa.DictionaryArray.from_arrays([0, 1], ["a", "a"], ordered=True),
            "ordered categories of which one is missing or there twice",
        ),
    ],
    ids=lambda part: str(part.type) if isinstance(part, pa.Array) else "",
)
def test_what_polars_would_change_is_refused_with_the_way_out(column: Any, said: str) -> None:
    frozen = TABLE.freeze(pa.table({"x": column}))
    for codec in (FRAME, LAZY):
        with pytest.raises(InexactValue, match=f"column 'x'.*{said}") as refusal:
            codec.thaw(frozen).lazy().collect()
        assert ";" in refusal.value.message


def test_columns_of_one_name_are_refused() -> None:
    frozen = TABLE.freeze(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]))
    with pytest.raises(InexactValue, match=r"several columns of one name.*rename_columns"):
        FRAME.thaw(frozen)


# --- lazy -----------------------------------------------------------------------------------------


def flights(rows: int = 50_000) -> pl.DataFrame:
    numbers = pl.int_range(0, rows, eager=True)
    return pl.DataFrame(
        {
            "n": numbers,
            "late": numbers * 7919 % 1000,
            "tail": numbers.cast(pl.String) + "-long text",
        }
    )


WHOLE = flights()
FROZEN = FRAME.freeze(WHOLE)
EXPRESSIONS = [
    pl.col("late") > 500,
    pl.col("tail").str.contains("7-"),
    pl.col("n").is_in([1, 49_999]),
    pl.lit(False),
]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_scan_gives_what_the_whole_frame_gives(data: st.DataObject) -> None:
    def plan(frame: pl.LazyFrame) -> pl.LazyFrame:
        for operation in operations:
            frame = operation(frame)
        return frame

    numbers = st.integers(-60_000, 60_000)
    orders = st.permutations(["n", "late", "tail"])
    one = st.one_of(
        st.sampled_from(EXPRESSIONS).map(lambda predicate: lambda f: f.filter(predicate)),
        st.tuples(numbers, st.integers(0, 60_000)).map(lambda at: lambda f: f.slice(*at)),
        st.integers(0, 60_000).map(lambda count: lambda f: f.head(count)),
        orders.map(lambda order: lambda f: f.select(order)),
    )
    operations = data.draw(st.lists(one, max_size=4))
    engine: Any = data.draw(st.sampled_from(["streaming", "in-memory"]))
    scanned = plan(LAZY.thaw(FROZEN)).collect(engine=engine)
    require_same(scanned, plan(WHOLE.lazy()).collect())


def test_a_scan_reads_only_the_columns_and_rows_that_it_needs() -> None:
    """The text of later rows, and a column, hold what polars cannot read."""
    seconds = pa.chunked_array([pa.array([1] * 400_000), pa.array([2**60])])
    moments = seconds.combine_chunks().view(pa.timestamp("s"))
    lazy = LAZY.thaw(TABLE.freeze(pa.table({"n": pa.array(range(400_001)), "at": moments})))
    assert lazy.collect_schema() == {"n": pl.Int64, "at": pl.Datetime("ms")}
    assert lazy.select(pl.col("n").sum()).collect().item() == 400_000 * 400_001 // 2
    assert lazy.head(1000).collect().height == 1000
    assert lazy.select(pl.len()).collect().item() == 400_001
    with pytest.raises(InexactValue, match="column 'at'"):
        lazy.select("at").collect()


def test_a_scan_may_run_again_with_itself_and_in_threads() -> None:
    lazy = LAZY.thaw(FROZEN)
    joined = lazy.filter(pl.col("late") == 7).join(lazy, on="n").select(pl.len())
    assert joined.collect().item() == joined.collect().item() == 50
    with ThreadPoolExecutor(4) as threads:
        sums = threads.map(lambda _: lazy.select(pl.col("late").sum()).collect().item(), range(8))
    assert set(sums) == {WHOLE["late"].sum()}


def test_a_scan_of_some_columns_has_these_in_their_order() -> None:
    lazy = LAZY.thaw(select(FROZEN, ("tail", "n")))
    require_same(lazy.collect(), WHOLE.select("tail", "n"))


# --- batches --------------------------------------------------------------------------------------


def pulled(frame: Any) -> Iterator[pl.DataFrame]:
    assert LAZY.batches is not None
    return LAZY.batches(frame)


@pytest.fixture
def small_batches() -> Iterator[None]:
    with pl.Config():
        pl.Config.set_streaming_chunk_size(500)
        yield


@pytest.mark.usefixtures("small_batches")
def test_batches_are_the_rows_in_order() -> None:
    plan = LAZY.thaw(FROZEN).filter(pl.col("late") > 100)
    batches = list(pulled(plan))
    assert len(batches) > 20
    require_same(pl.concat(batches), WHOLE.filter(pl.col("late") > 100))


def test_no_rows_are_one_batch_with_the_columns() -> None:
    [batch] = pulled(LAZY.thaw(FROZEN).filter(pl.col("n") < 0))
    require_same(batch, WHOLE.clear())


@pytest.mark.usefixtures("small_batches")
def test_few_batches_are_computed_before_they_are_taken() -> None:
    computed = 0

    def count(batch: pl.DataFrame) -> pl.DataFrame:
        nonlocal computed
        computed += batch.height
        return batch

    batches = pulled(LAZY.thaw(FROZEN).map_batches(count, streamable=True))
    taken = next(batches).height
    until(lambda: "_put" in running(), "polars waits until the next batch is taken")
    assert computed - taken < 30_000
    taken += sum(batch.height for batch in batches)
    assert taken == computed == WHOLE.height


def running() -> set[str]:
    """The names of all functions that threads are in."""
    frames = list(sys._current_frames().values())
    return {frame.f_code.co_name for outer in frames for frame, _ in traceback.walk_stack(outer)}


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit], ids=str)
def test_what_a_step_raises_while_batches_are_computed_is_raised(
    error: type[BaseException],
) -> None:
    def fail(batch: pl.DataFrame) -> pl.DataFrame:
        if batch["n"].max() == WHOLE.height - 1:
            raise error("half-way")
        return batch

    with pytest.raises(error, match="half-way"):
        list(pulled(LAZY.thaw(FROZEN).map_batches(fail, streamable=True)))


@pytest.mark.usefixtures("small_batches")
def test_computing_ends_when_no_batch_is_taken_any_more() -> None:
    batches = pulled(LAZY.thaw(FROZEN))
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    [batch] = pulled(pl.LazyFrame({"a": [1]}))
    assert batch.height == 1


def test_an_eager_frame_is_no_lazy_one() -> None:
    with pytest.raises(InexactValue, match=r"return result.lazy\(\), or annotate the step polars"):
        next(pulled(WHOLE))
    with pytest.raises(InexactValue, match=r"return pl.from_pandas\(result\).lazy\(\)"):
        next(pulled(pd.DataFrame()))


# --- what polars is told --------------------------------------------------------------------------


SPILLING = """
import shutil, sys
from pathlib import Path
import polars as pl
from flight_delays.checkpointing.codecs import Room, codec_named

codec, spill = codec_named("polars.LazyFrame"), Path(sys.argv[1])
numbers = pl.DataFrame({"n": pl.int_range(2_000_000, eager=True)})
lazy = codec.thaw(codec_named("polars.DataFrame").freeze(numbers))

def ordered(disk):
    codec.prepare(Room(memory=10**6, spill=spill, disk=disk, threads=2))
    last, rows, spilled = None, 0, 0
    for batch in codec.batches(lazy.sort(pl.col("n") * 7919 % 2_000_003)):
        spilled = max(spilled, sum(path.is_file() for path in spill.rglob("*")))
        rows += batch.height
    shutil.rmtree(spill)
    return rows, spilled > 0

print(ordered(10**9), ordered(10**9), pl.thread_pool_size())
try:
    print(ordered(10**6))
except pl.exceptions.ComputeError as error:
    print(error)
"""


def test_polars_spills_in_each_step_anew_and_says_when_the_disk_is_used_up(tmp_path: Path) -> None:
    """In a process of its own: polars reads its settings once."""
    command = [sys.executable, "-c", SPILLING, str(tmp_path / "spill")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "failed to create spill file" not in done.stderr
    both, end = done.stdout.splitlines()
    assert both == "(2000000, True) (2000000, True) 2"
    assert "exceeded the out-of-core disk budget" in end
