"""Frames of Spark: what Spark writes everybody reads, and what others write Spark reads exactly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flight_delays.checkpointing.base.errors import InexactValue, StorageError
from flight_delays.checkpointing.codecs import PARQUETS, codec_named, describe, read_first
from flight_delays.checkpointing.codecs.engines import duckdb as relations
from flight_delays.checkpointing.codecs.engines import polars as lazy
from flight_delays.checkpointing.codecs.engines import spark, spark_session
from flight_delays.checkpointing.codecs.engines.spark_errors import SparkFailed, meant
from flight_delays.checkpointing.codecs.engines.spark_watch import Watch
from flight_delays.checkpointing.codecs.on_disk import OnDisk
from flight_delays.checkpointing.codecs.room import NoRoom
from flight_delays.checkpointing.codecs.table import arrow, batches, parquet, parquets
from flight_delays.checkpointing.codecs.table.frames import freeze_frame as frozen_frame
from pyspark.errors import AnalysisException, ArithmeticException, PythonException
from pyspark.sql import functions

from ...java import java_variables
from ...spark import application

MANY = """
SELECT id, CAST(id AS int) AS small, CASE WHEN id = 7 THEN NULL ELSE id END AS gap,
       CASE WHEN id % 2 = 0 THEN id / 2D END AS half, concat('é', id) AS text,
       array(id, NULL) AS list, map(CAST(id AS int), 'x') AS map
FROM range(0, 10, 1, 3)
"""


@pytest.fixture(scope="module")
def spill() -> Iterator[Path]:
    with application() as folder:
        yield folder


@pytest.fixture(scope="module")
def stored(spill: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store(MANY, tmp_path_factory.mktemp("stored"))


def sql(query: str) -> Any:
    return spark_session.session().sql(query)


def store(frame: Any, folder: Path, name: str = "value.parquet") -> Path:
    frame = sql(frame) if isinstance(frame, str) else frame
    spark.store(spark.freeze(frame), folder / name)
    return folder / name


def test_a_folder_has_parquet_files_alone_in_the_order_of_the_partitions(stored: Path) -> None:
    assert sorted(path.name for path in stored.iterdir()) == [
        f"part-0000{number}.parquet" for number in range(3)
    ]
    table = parquets.read(stored, None)
    assert table["id"].to_pylist() == list(range(10))
    assert [str(field.type) for field in table.schema][-2:] == [
        "list<item: int64>",
        "map<int32, string>",
    ]
    assert describe(OnDisk(stored, PARQUETS))["rows"] == 10


def test_the_first_rows_are_read_without_the_whole(stored: Path) -> None:
    rows, first = read_first(stored, PARQUETS, 4)
    assert (rows, first["id"].to_pylist()) == (10, [0, 1, 2, 3])


def test_columns_are_chosen_and_unknown_ones_refused(stored: Path) -> None:
    assert spark.open_frame(stored, ("text", "id")).columns == ["text", "id"]
    for read in (spark.open_frame, parquets.read, lazy.open_lazy, relations.open_relation):
        with pytest.raises(InexactValue, match="no column 'tex'"):
            read(stored, ("tex",))


def test_every_engine_reads_the_same_rows_in_the_order_of_the_files(stored: Path) -> None:
    wanted = parquets.read(stored, None)
    frame = lazy.open_lazy(stored, None)
    relation = relations.open_relation(stored, ("id", "half", "text"))
    assert frame.collect().drop("map")["gap"].to_list() == wanted["gap"].to_pylist()
    assert "SCAN" in frame.explain()
    assert relation.fetchall() == list(
        zip(*(wanted[name].to_pylist() for name in ("id", "half", "text")), strict=True)
    )
    assert spark.open_frame(stored, None).orderBy("id").toArrow()["list"].to_pylist() == (
        wanted["list"].to_pylist()
    )


def test_all_batches_have_the_dtypes_of_the_whole(stored: Path) -> None:
    thaw = codec_named("DataFrame").thaw
    columns = ("small", "gap", "half")
    parts = [thaw(part) for part in batches.stored_slices(stored, PARQUETS, columns, lambda: 3)]
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    assert {tuple(map(str, part.dtypes)) for part in parts} == {("int32", "Int64", "float64")}
    whole = thaw(parquets.read(stored, columns))
    pd.testing.assert_frame_equal(pd.concat(parts), whole)


def test_nan_beside_null_is_refused_in_batches_as_in_the_whole(tmp_path: Path, spill: Path) -> None:
    path = store("SELECT double('NaN') AS x UNION ALL SELECT NULL", tmp_path)
    with pytest.raises(InexactValue, match="'x' holds both NaN and nulls"):
        list(batches.stored_slices(path, PARQUETS, None, lambda: 1))


def test_a_frame_without_rows_keeps_its_types(tmp_path: Path, spill: Path) -> None:
    path = store("SELECT 1Y AS a, timestamp'2020-01-01' AS b WHERE false", tmp_path)
    assert [str(kind) for kind in parquets.read(path, None).schema.types] == [
        "int8",
        "timestamp[us, tz=UTC]",
    ]
    assert spark.open_frame(path, None).dtypes == [("a", "tinyint"), ("b", "timestamp")]
    assert lazy.open_lazy(path, None).collect().shape == (0, 2)


def test_a_path_may_have_any_characters(tmp_path: Path, spill: Path) -> None:
    folder = tmp_path / "año {1} [a-z] #%20 * ="
    folder.mkdir()
    path = store("SELECT 1 AS x", folder)
    assert spark.open_frame(path, None).collect() == [(1,)]
    assert lazy.open_lazy(path, None).collect().rows() == [(1,)]
    assert relations.open_relation(path, None).fetchall() == [(1,)]


def test_moments_are_kept_in_microseconds_whatever_a_step_has_set(
    tmp_path: Path, spill: Path
) -> None:
    spark_session.session().conf.set("spark.sql.parquet.outputTimestampType", "INT96")
    path = store("SELECT timestamp'0001-01-01 00:00:00.000001' AS x", tmp_path)
    assert str(pq.read_schema(next(path.iterdir())).field("x").type) == "timestamp[us, tz=UTC]"
    assert spark.open_frame(path, None).selectExpr("CAST(x AS string)").collect() == [
        ("0001-01-01 00:00:00.000001",)
    ]


def test_a_frame_of_pandas_has_its_index_last_and_null_for_nan(spill: Path) -> None:
    frame = pd.DataFrame(
        {"carrier": pd.Categorical(["b", "a", None]), "delay": [1.5, np.nan, 2.0]},
        index=pd.Index([3, 1, 2], name="flight"),
    )
    given = spark.thaw(frozen_frame(frame))
    assert given.dtypes == [("carrier", "string"), ("delay", "double"), ("flight", "bigint")]
    assert sorted(given.collect(), key=lambda row: row.flight) == [
        ("a", None, 1),
        (None, 2.0, 2),
        ("b", 1.5, 3),
    ]


@pytest.mark.parametrize(
    ("values", "is_copied"),
    [
        (pd.Categorical(["b", "a"]), False),
        (pd.Series(["x", None]), False),
        (pd.Series([1, 2], dtype="uint8"), True),
        (pd.Series(["2020-01-01", None], dtype="datetime64[ns]"), True),
        (pd.Series(["2020-01-01", None], dtype="datetime64[us]"), False),
    ],
)
def test_a_checkpoint_is_read_where_it_lies_if_spark_knows_its_types(
    values: Any, is_copied: bool, tmp_path: Path, spill: Path
) -> None:
    frozen = frozen_frame(pd.DataFrame({"x": values}))
    with open(tmp_path / "x.parquet", "wb") as file:
        parquet.write(frozen, file)
    before = set(spill.glob("*"))
    read = spark.open_frame(tmp_path / "x.parquet", None)
    assert len(set(spill.glob("*")) - before) == is_copied
    assert {str(row.x) for row in read.collect()} == {
        str(row.x) for row in spark.thaw(frozen).collect()
    }


REFUSED = {
    "SELECT INTERVAL 1 DAY AS x": "column 'x' is of Spark's type interval day.*unix_timestamp",
    "SELECT array(INTERVAL 1 MONTH) AS x": "column 'x' .* that part of it",
    "SELECT parse_json('1') AS x": "column 'x' is of Spark's type variant.*to_json",
    "SELECT 1 AS a, 2 AS A": "columns 'a' and 'A' have one name for Spark",
    "SELECT 1 AS a, 2 AS a": "two columns 'a'",
    "SELECT named_struct('a', 1, 'A', 2) AS x": "column 'x' holds a structure: columns 'a' and 'A'",
    "SELECT struct() AS x": "structures without fields",
}


@pytest.mark.parametrize("query", REFUSED)
def test_what_no_file_gives_back_is_refused_before_spark_runs(query: str, spill: Path) -> None:
    with pytest.raises(InexactValue, match=REFUSED[query]):
        spark.freeze(sql(query))


def test_what_is_no_frame_of_spark_is_refused(spill: Path) -> None:
    with pytest.raises(InexactValue, match=r"returned pandas.*createDataFrame\(result\)"):
        spark.freeze(pd.DataFrame({"x": [1]}))
    with pytest.raises(InexactValue, match="no columns"):
        spark.freeze(sql("SELECT 1 AS x").drop("x"))


GIVEN = {
    "ns": (pa.array([1], pa.timestamp("ns")), "round them"),
    "far": (pa.array([2**62], pa.timestamp("s")), "values of timestamp"),
    "zone": (pa.array([1], pa.timestamp("us", "Europe/Madrid")), "tz_convert"),
    "duration": (pa.array([1], pa.duration("s")), "total_seconds"),
    "time of a date": (pa.array([1], pa.int64()).view(pa.date64()), "values of date64"),
    "decimal": (pa.array([None], pa.decimal256(50, 2)), "decimal128"),
    "union": (
        pa.UnionArray.from_dense(
            pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])]
        ),
        "one column for each",
    ),
    "empty structure": (pa.array([{}], pa.struct([])), "drop it"),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_what_spark_would_change_is_refused_by_column(kind: str, spill: Path) -> None:
    array, remedy = GIVEN[kind]
    with pytest.raises(InexactValue, match=f"column 'x' .*{remedy}"):
        spark.thaw(pa.table({"x": array}))


def test_names_that_spark_cannot_tell_apart_are_refused(spill: Path) -> None:
    with pytest.raises(InexactValue, match="columns 'a' and 'A' have one name for Spark"):
        spark.thaw(pa.table({"a": [1], "A": [2]}))
    with pytest.raises(InexactValue, match="no columns"):
        spark.thaw(pa.table({}))


def test_a_query_that_fails_raises_its_own_message(tmp_path: Path, spill: Path) -> None:
    with pytest.raises(ArithmeticException, match="DIVIDE_BY_ZERO"):
        store("SELECT 1 / (id - 1) AS x FROM range(3)", tmp_path)


@pytest.mark.exhaustive  # Spark starts other processes for it
@pytest.mark.filterwarnings("ignore")  # of pyspark, about pandas 3
def test_a_function_of_python_fails_with_its_own_message(tmp_path: Path, spill: Path) -> None:
    @functions.udf("int")
    def failing(number: int) -> int:
        raise ValueError(f"not {number}")

    with pytest.raises(PythonException, match="ValueError: not 0"):
        store(spark_session.session().range(1).select(failing("id").alias("x")), tmp_path)


def test_an_error_of_java_is_told_in_a_few_lines(spill: Path) -> None:
    jvm: Any = spark_session.session()._jvm
    for text, kind in (
        ("No space left on device", StorageError),
        ("[UNABLE_TO_ACQUIRE_MEMORY] Unable to acquire", NoRoom),
        ("java.lang.OutOfMemoryError: Java heap space", NoRoom),
        ("something else", SparkFailed),
    ):
        error = meant(_java_error(jvm, text))
        assert type(error) is kind
        assert len(str(error)) < 300
        assert "\tat " not in str(error)


def _java_error(jvm: Any, text: str) -> Exception:
    from py4j.protocol import Py4JJavaError

    cause = jvm.java.lang.RuntimeException(text)
    around = jvm.java.lang.RuntimeException("Job aborted", cause)
    return Py4JJavaError("An error occurred", around)  # type: ignore[no-any-return]


def test_a_step_finds_no_trace_of_the_one_before(spill: Path) -> None:
    session = spark_session.session()
    spark.prepare(_room(spill))
    session.range(3).createOrReplaceTempView("seen")
    session.udf.register("plus", lambda x: x + 1, "int")
    session.conf.set("spark.sql.session.timeZone", "Europe/Madrid")
    session.range(3).cache()
    spark.release()
    assert session.conf.get("spark.sql.session.timeZone") == "UTC"
    assert session.catalog.listTables() == []
    for query, missing in (("SELECT * FROM seen", "seen"), ("SELECT plus(1)", "plus")):
        with pytest.raises(AnalysisException, match=missing):
            session.sql(query).collect()


@pytest.mark.filterwarnings("ignore")
def test_a_step_finds_no_table_database_variable_or_stored_data_of_the_one_before(
    tmp_path: Path, spill: Path
) -> None:
    session = spark_session.session()
    spark.prepare(_room(spill))
    outside = tmp_path / "outside"
    session.sql("CREATE DATABASE other")
    session.sql(f"CREATE DATABASE abroad LOCATION '{outside.as_uri()}'")
    session.range(3).write.saveAsTable("default.kept")
    session.range(3).write.saveAsTable("abroad.kept")
    session.sql("USE other")
    session.range(3).createOrReplaceGlobalTempView("seen")
    session.sql("DECLARE VARIABLE number INT DEFAULT 5")
    session.sparkContext.parallelize([1]).cache().count()
    session.range(3).localCheckpoint()

    spark.release()

    assert session.catalog.currentDatabase() == "default"
    assert [each.name for each in session.catalog.listDatabases()] == ["default"]
    assert session.catalog.listTables() == []
    for query in ("TABLE kept", "TABLE global_temp.seen", "SELECT number"):
        with pytest.raises(AnalysisException):
            session.sql(query).collect()
    assert len(session.sparkContext._jsc.getPersistentRDDs()) == 0
    assert list(outside.rglob("*.parquet")) != []  # the files of a place of the step's own stay
    assert session.sql("SELECT abs(-1)").collect() == [(1,)]

    spark.prepare(_room(spill))
    session.range(2).write.saveAsTable("kept")  # where a table of that name was
    spark.release()


def test_an_embedded_application_knows_what_its_heap_has_held(stored: Path) -> None:
    seen = spark_session.figures()
    assert seen is not None
    [driver] = seen.executors
    assert 10**7 < driver.heap_bytes <= seen.driver_bytes
    assert driver.off_heap_bytes > 10**7


def test_an_application_leaves_to_the_process_what_ctrl_c_does(spill: Path) -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_map_without_a_type_is_refused_by_column(spill: Path) -> None:
    with pytest.raises(InexactValue, match=r"column 'm' .*map<void,void>"):
        spark.freeze(sql("SELECT map() AS m"))


def test_a_list_view_with_a_null_is_read(spill: Path) -> None:
    views = pa.array([[1], None, [2, 3]], pa.list_view(pa.int64()))
    assert spark.thaw(arrow.freeze(pa.table({"a": views}))).toArrow()["a"].to_pylist() == [
        [1],
        None,
        [2, 3],
    ]


@pytest.mark.exhaustive
def test_a_step_that_stops_spark_is_told_so_and_the_next_one_has_it_again(
    tmp_path: Path, spill: Path
) -> None:
    session = spark_session.session()
    spark.prepare(_room(spill))
    frame = session.range(3)
    session.stop()
    with pytest.raises(SparkFailed, match=r"Leave out `spark\.stop\(\)`"):
        spark.store(frame, tmp_path / "value.parquet")
    spark.release()

    spark.prepare(_room(spill))
    assert sql("SELECT 1 AS x").collect() == [(1,)]
    spark_session.session().stop()
    spark.prepare(_room(spill))  # without an end of the step
    assert sql("SELECT 1 AS x").collect() == [(1,)]


BAD_START = """
import signal, sys
from pathlib import Path
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.settings import Spark
from flight_delays.checkpointing.codecs import Room
from flight_delays.checkpointing.codecs.engines import spark, spark_session

signal.signal(signal.SIGINT, signal.SIG_IGN)
folder = Path(sys.argv[1])
bad = Spark(conf={"spark.serializer": "nope.Nope"})
try:
    spark.prepare(Room(2 * 10**9, folder / "spill", 10**9, 2, spark=bad))
except ConfigurationError as error:
    print(error.message)
spark.prepare(Room(2 * 10**9, folder / "spill", 10**9, 2))
spark.store(spark_session.session().range(1), folder / "año.parquet")
spark.close()
assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
"""


@pytest.mark.exhaustive
def test_a_start_that_fails_says_why_and_the_next_writes_any_name_in_any_locale(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BAD_START, tmp_path],
        env=os.environ | java_variables() | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Spark does not start: " in done.stdout
    assert "nope.Nope" in done.stdout
    assert [path.name for path in (tmp_path / "año.parquet").iterdir()] != []


def test_what_spark_writes_counts_against_the_disk_while_it_writes(tmp_path: Path) -> None:
    for name in ("local", "warehouse", "value.parquet"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "block").write_bytes(bytes(1000))
    watch = Watch(lambda: None, None, 1.0, tmp_path / "local")
    watch.disk = 2999
    watch.written = (tmp_path / "warehouse", tmp_path / "absent")
    assert watch.too_much() is None

    watch.written += (tmp_path / "value.parquet",)
    assert "Spark has 3 kB on disk" in str(watch.too_much())


def test_the_files_of_a_task_keep_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (0, 101, 999, 1000, 10000):
        table = pa.table({"n": [number]})
        pq.write_table(table, tmp_path / f"part-00000-5b1e-c{number:03}.snappy.parquet")
    parquets.settle(tmp_path)
    assert parquets.read(tmp_path, None)["n"].to_pylist() == [0, 101, 999, 1000, 10000]


def test_a_column_is_told_from_the_field_of_a_structure_with_the_same_path(tmp_path: Path) -> None:
    table = pa.table({"a.b": pa.array([1, 2]), "a": pa.array([{"b": None}, {"b": 1}])})
    pq.write_table(table, tmp_path / "part-00000.parquet")
    frame = codec_named("DataFrame").thaw(parquets.opened(tmp_path).as_whole(("a.b",)))
    assert str(frame.dtypes["a.b"]) == "int64"


def _room(spill: Path) -> Any:
    from flight_delays.checkpointing.codecs import Room

    return Room(2 * 10**9, spill, 10**9, 2)


def test_files_of_other_columns_are_no_table(tmp_path: Path) -> None:
    for number, name in enumerate("ab"):
        pq.write_table(pa.table({name: [1]}), tmp_path / f"part-0000{number}.parquet")
    with pytest.raises(StorageError, match="other columns than part-00000"):
        parquets.opened(tmp_path)


def test_a_hundred_thousand_files_keep_their_order(tmp_path: Path) -> None:
    for number in (2, 99_999, 100_000):
        (tmp_path / f"part-{number:05}-uuid-c000.snappy.parquet").write_text(str(number))
    (tmp_path / "_SUCCESS").touch()
    parquets.settle(tmp_path)
    assert [path.read_text() for path in parquets.files_of(tmp_path)] == ["2", "99999", "100000"]


def test_a_folder_in_which_nothing_was_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "_SUCCESS").touch()
    with pytest.raises(StorageError, match="see the folder of the checkpoints"):
        parquets.settle(tmp_path)
