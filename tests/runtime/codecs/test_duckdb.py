"""Relations of DuckDB: read where they lie, run once while they are written, exact or refused."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.base.errors import InexactValue, StorageError
from flight_delays.checkpointing.codecs import Room, codec_of
from flight_delays.checkpointing.codecs.engines.duckdb import prepare, release
from flight_delays.checkpointing.codecs.table import arrow, streams

from . import arrow_catalogue as catalogue

FRAMES: Any = codec_of(pd.DataFrame)
RELATIONS: Any = codec_of(duckdb.DuckDBPyRelation)
ROWS = 400_000


@pytest.fixture(autouse=True)
def room(tmp_path: Path) -> Iterator[Room]:
    """DuckDB's default connection as a step gets it."""
    given = Room(memory=600_000_000, spill=tmp_path / "spill", disk=10**9, threads=2)
    prepare(given)
    yield given
    release()


def query(text: str) -> duckdb.DuckDBPyRelation:
    """The relation of a query; `duckdb.sql` gives None of what is none, such as CREATE."""
    relation = duckdb.sql(text)
    assert relation is not None
    return relation


def setting(name: str) -> Any:
    [value] = query(f"SELECT current_setting('{name}')").fetchall()
    return value[0]


def kept(relation: duckdb.DuckDBPyRelation) -> Any:
    """The frozen table of a relation, as its file has it."""
    return streams.collected(RELATIONS.batches(relation), RELATIONS.freeze)


def refusal(relation: Any) -> str:
    with pytest.raises(InexactValue) as refused:
        kept(relation)
    return refused.value.message


@pytest.fixture
def mapped(tmp_path: Path) -> Any:
    """A table of pandas on disk, of a number, one that may be missing, a text and a category."""
    number = np.arange(ROWS)
    frame = pd.DataFrame(
        {
            "number": number,
            "share": np.where(number % 7 == 0, np.nan, number / 8),
            "name": "N" + pd.Series(number % 9_973).astype(str),
            "size": pd.Categorical(
                np.take(["S", "M", "L"], number % 3), ["S", "M", "L"], ordered=True
            ),
            "when": pd.Series(pd.to_datetime(number, unit="s")).where(number % 5 > 0),
        }
    ).set_index(pd.Index(number ^ 1, name="label"))  # no range, which has no column
    with open(tmp_path / "table.arrow", "wb") as file:
        arrow.write(FRAMES.freeze(frame), file)
    return arrow.read(tmp_path / "table.arrow", None)


def test_a_step_gets_the_room_that_it_has(room: Room) -> None:
    assert setting("memory_limit") == "429.1 MiB"  # 600 MB less 150 MB
    assert setting("max_temp_directory_size") == "953.6 MiB"
    assert setting("temp_directory") == str(room.spill)
    assert setting("threads") == 2
    assert (setting("TimeZone"), setting("preserve_insertion_order")) == ("UTC", True)
    assert not setting("autoinstall_known_extensions")
    assert not setting("autoload_known_extensions")
    assert not setting("enable_progress_bar")


def test_little_room_leaves_a_smaller_reserve_and_one_thread(room: Room) -> None:
    prepare(Room(110_000_000, room.spill, room.disk, 8))
    assert (setting("memory_limit"), setting("threads")) == ("47.6 MiB", 1)
    with pytest.raises(duckdb.OutOfMemoryException, match=r"needs 100 MB .* leaves 90 MB"):
        prepare(Room(90_000_000, room.spill, room.disk, 8))


def test_after_a_step_nothing_of_it_is_left() -> None:
    duckdb.execute("CREATE TABLE left_over AS SELECT 1 AS x")
    release()
    with pytest.raises(duckdb.CatalogException, match="left_over"):
        duckdb.table("left_over")


def test_a_mapped_table_is_read_where_it_lies(mapped: Any) -> None:
    before = pa.total_allocated_bytes()
    flights = RELATIONS.thaw(mapped)
    bitmaps = 2 * ROWS / 8  # of `share` and `when`
    assert pa.total_allocated_bytes() - before < bitmaps + 20_000
    assert flights.aggregate("sum(number)").fetchall() == [(ROWS * (ROWS - 1) // 2,)]
    assert flights.columns == ["number", "share", "name", "size", "when", "label"]
    del flights
    gc.collect()
    assert pa.total_allocated_bytes() - before < 20_000


def test_what_pandas_misses_is_null_and_the_index_is_a_column(mapped: Any) -> None:
    flights = RELATIONS.thaw(mapped)
    counts = flights.aggregate('count(*), count(share), count("when"), max(label)')
    missing = [len(range(0, ROWS, step)) for step in (7, 5)]
    assert counts.fetchall() == [(ROWS, ROWS - missing[0], ROWS - missing[1], ROWS - 1)]


def test_rows_keep_their_order_through_filters_and_projections(mapped: Any) -> None:
    flights = RELATIONS.thaw(mapped)
    late = flights.filter("share > 10 AND number % 3 <> 1").select("label, size, number")
    numbers = kept(late).column("number").to_numpy()
    expected = np.arange(ROWS)
    expected = expected[(expected > 80) & (expected % 7 > 0) & (expected % 3 != 1)]
    assert np.array_equal(numbers, expected)


def test_a_category_keeps_its_values_and_their_order(mapped: Any) -> None:
    flights = RELATIONS.thaw(mapped)
    assert flights.order("size DESC").limit(1).select("size").fetchall() == [("L",)]
    back = FRAMES.thaw(kept(flights.filter("size <> 'M'")))
    assert list(back["size"].cat.categories) == ["S", "M", "L"]
    assert set(back["size"]) == {"S", "L"}


def test_a_step_finds_its_parameters_by_name(mapped: Any) -> None:
    def step(flights: Any, sizes: Any) -> Any:
        return duckdb.sql(
            "SELECT size, count(*) AS n FROM flights JOIN sizes USING (size) "
            "JOIN flights AS again USING (number) GROUP BY size"
        )

    sizes = RELATIONS.thaw(FRAMES.freeze(pd.DataFrame({"size": ["L"]})))
    assert kept(step(RELATIONS.thaw(mapped), sizes)).to_pylist() == [{"size": "L", "n": ROWS // 3}]


def test_a_query_runs_once_and_no_further_than_it_is_read() -> None:
    duckdb.execute("CREATE SEQUENCE turn")
    assert kept(query("SELECT nextval('turn') AS x FROM range(5)")).num_rows == 5
    assert query("SELECT nextval('turn')").fetchall() == [(6,)]
    before = pa.total_allocated_bytes()
    rows = iter(RELATIONS.batches(query("SELECT i, error('last') FROM range(1) AS t(i)")))
    with pytest.raises(duckdb.Error, match="last"):
        next(rows)
    endless = "SELECT i, hash(i) AS h FROM range(1_000_000_000_000) AS t(i)"
    rows = iter(RELATIONS.batches(query(endless)))
    for number in range(20):
        batch = next(rows)
        assert batch.column("i")[0].as_py() == number * batch.num_rows
        assert pa.total_allocated_bytes() - before < 50_000_000


def test_no_rows_keep_their_types() -> None:
    text = "SELECT 1 AS x, 'a'::ENUM('b', 'a') AS e, [1.5::DOUBLE] AS l WHERE false"
    frozen = kept(query(text))
    assert frozen.num_rows == 0
    assert [str(kind) for kind in frozen.schema.types][::2] == ["int32", "large_list<item: double>"]
    assert RELATIONS.thaw(frozen).types == query(text).types


REFUSED = {
    "SELECT '101'::BIT AS x": "use CAST(x AS VARCHAR)",
    "SELECT '12:00:00+02'::TIMETZ AS \"the x\"": 'use CAST("the x" AS VARCHAR)',
    "SELECT 1::UHUGEINT AS x": "use CAST(x AS DECIMAL(38, 0))",
    "SELECT '1'::BIGNUM AS x": "use CAST(x AS VARCHAR)",
    "SELECT 1::VARIANT AS x": "use CAST(x AS JSON)",
    "SELECT union_value(a := 1) AS x": "with union_extract",
    "SELECT [{'a': 1::UHUGEINT}] AS x": "cast that part of it to DECIMAL(38, 0)",
    "SELECT 170141183460469231731687303715884105727 AS x": "use CAST(x AS VARCHAR)",
    "SELECT [170141183460469231731687303715884105727] AS x": "use CAST(x AS VARCHAR)",
    "SELECT 1 AS x, 2 AS x": "give each a name of its own in the query, with AS",
    "SELECT 1 AS x, 2 AS X": "give each a name of its own in the query, with AS",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_type_that_no_file_gives_back_is_refused_with_the_way_out(text: str) -> None:
    message = refusal(query(text))
    assert REFUSED[text] in message
    assert "'the x'" in message if "the x" in text else "'x'" in message


CONVERTED = {
    "sum(x) FROM range(3) AS t(x)": pa.decimal128(38, 0),
    "uuid()": pa.large_string(),
    "'{}'::JSON": pa.large_string(),
    "TIMESTAMPTZ '2013-01-31 01:02:03+02'": pa.timestamp("us", "UTC"),
    "TIMESTAMP_NS '2013-01-31 01:02:03.000000001'": pa.timestamp("ns"),
    "TIME_NS '01:02:03.000000001'": pa.time64("ns"),
    "INTERVAL 3 DAY": pa.month_day_nano_interval(),
    "NULL": pa.null(),
}


@pytest.mark.parametrize("expression", CONVERTED)
def test_a_type_that_arrow_lacks_becomes_one_with_the_same_values(expression: str) -> None:
    value, _, rest = expression.partition(" FROM")
    frozen = kept(query(f"SELECT {value} AS x {'FROM' + rest if rest else ''}"))
    assert frozen.schema.field("x").type == CONVERTED[expression]
    assert kept(RELATIONS.thaw(frozen)).schema == frozen.schema


UNREAD = {
    "no name": (pa.table({"": [1]}), "would get another name"),
    "zero in a name": (pa.table({"a\0b": [1]}), "would get another name"),
    "names alike": (pa.table({"x": [1], "X": [2]}), "columns 'x' and 'X' have one name"),
    "no columns": (pa.table({}), "annotate the parameter pandas.DataFrame or pyarrow.Table"),
    "a zone": (pa.table({"x": pa.array([1], pa.timestamp("s", "Europe/Madrid"))}), "tz_convert"),
    "a duration": (pa.table({"x": pa.array([1], pa.duration("ns"))}), "total_seconds"),
    "a time of the day": (
        pa.table({"x": pa.array([None, 5], pa.int64()).view(pa.date64())}),
        "timestamp('ms')",
    ),
    "nanoseconds within": (
        pa.table({"x": pa.array([[(1, 2, 3)]], pa.list_(pa.month_day_nano_interval()))}),
        "round them",
    ),
}


@pytest.mark.parametrize("case", UNREAD)
def test_a_table_that_duckdb_would_change_is_refused_with_the_way_out(case: str) -> None:
    table, words = UNREAD[case]
    with pytest.raises(InexactValue, match=r".") as refused:
        RELATIONS.thaw(arrow.freeze(table))
    assert words in refused.value.message


def test_names_that_differ_by_the_case_of_other_letters_than_ascii_are_two() -> None:
    table = pa.table({"é": [1], "É": [2]})
    assert kept(RELATIONS.thaw(table)).to_pylist() == [{"é": 1, "É": 2}]


def test_a_relation_of_another_connection_is_refused() -> None:
    assert "use duckdb.sql(...)" in refusal(duckdb.connect().sql("SELECT 1 AS x"))
    cursor = duckdb.default_connection().cursor()  # of the same database, with the same limit
    assert kept(cursor.sql("SELECT 1 AS x")).to_pylist() == [{"x": 1}]


def test_a_query_that_spills_more_than_it_may_names_max_disk(room: Room) -> None:
    prepare(Room(100_000_000, room.spill, 10_000_000, 2))
    text = "SELECT i, hash(i) AS h FROM range(5_000_000) AS t(i) ORDER BY h"
    with pytest.raises(StorageError, match="raise max_disk in memory_budget"):
        kept(query(text))


def read_exactly(kind: Any, values: list[Any]) -> str:
    """What DuckDB does with a column: "read", "refused", or "unknown" if Arrow cannot make it."""
    one, two = values
    try:
        frozen = arrow.freeze(
            pa.table({"i": range(5), "x": catalogue.array(kind, [one, None, two, one, two])})
        )
    except (InexactValue, pa.ArrowException, TypeError):
        return "unknown"
    try:
        relation = RELATIONS.thaw(frozen)
    except InexactValue as refused:
        message = refused.message
    else:
        require_same_values(relation, frozen)
        return "read"
    assert "column 'x'" in message
    assert ", or leave it out with Columns(...)" in message
    return "refused"


def require_same_values(relation: duckdb.DuckDBPyRelation, frozen: Any) -> None:
    again = kept(relation).column("x")
    assert texts(again) == texts(frozen.column("x")), frozen.schema
    require_same_filters(relation)


def texts(column: Any) -> list[str]:
    """Values as text, whatever type of Arrow holds them."""
    return [str(value) for value in column.to_pylist()]


def require_same_filters(relation: duckdb.DuckDBPyRelation) -> None:
    """A filter on a table of Arrow gives the rows that it gives on a table of DuckDB itself."""
    relation.create("own")
    own = duckdb.table("own")
    kind = own.types[1]
    filters = ["x IS NULL", "x IS NOT NULL"]
    for [value] in own.filter("x IS NOT NULL").select("x::VARCHAR").limit(2).fetchall():
        literal = "'" + value.replace("'", "''") + f"'::{kind}"
        filters += [f"x {comparison} {literal}" for comparison in ("=", "<>", "<", ">=")]
        filters += [f"x IN ({literal}) OR x IS NULL", f"i > 1 AND x IS DISTINCT FROM {literal}"]
    for condition in filters:
        try:
            expected = own.filter(condition).select("i").fetchall()
        except duckdb.Error:
            continue  # there is no such comparison
        assert relation.filter(condition).select("i").fetchall() == expected, (kind, condition)
    duckdb.execute("DROP TABLE own")


@pytest.mark.parametrize("depth", [0, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_every_type_of_arrow_is_read_exactly_or_refused(depth: int) -> None:
    read = [read_exactly(*kind) for kind in catalogue.kinds(depth)]
    assert read.count("read") > (25, 500)[depth]
    assert read.count("refused") > 10
