"""Steps that take and return frames of Spark: written by Spark, and read by every other engine."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from ...java import java_variables
from ...marks import in_exhaustive
from ..conftest import Project

INGEST = """
import pyarrow as pa

@step
def flights(rows: int) -> pd.DataFrame:
    number = np.arange(rows)
    return pd.DataFrame({
        "carrier": pd.Categorical.from_codes(number % 3, ["AA", "DL", "UA"]),
        "delay": np.where(number % 7 == 0, np.nan, number % 100),
        "number": number,
    })
"""
IN_SPARK = """
import pyspark.sql.functions as F
from pyspark.sql import DataFrame

@step
def late(flights: DataFrame) -> DataFrame:
    return flights.where("delay > 50").repartition(3, "number")

@step
def counted(late: DataFrame) -> DataFrame:
    return late.groupBy("carrier").agg(F.count("*").alias("n"))
"""
IN_SQL = """
import duckdb

@step
def named(late: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    return duckdb.sql("SELECT carrier, number, delay AS minutes FROM late ORDER BY number")
"""
BACK = """
from pyspark.sql import DataFrame

@step
def joined(named: DataFrame, counted: DataFrame) -> DataFrame:
    return named.join(counted, "carrier")
"""
COUNTS = """
from collections.abc import Iterator
from ..checkpointing import Batches

@step
def counts(
    late: Annotated[Iterator[pd.DataFrame], Columns("number"), Batches(rows=500)],
    counted: pd.DataFrame,
) -> dict:
    assert list(counted.columns) == ["carrier", "n"]
    return {"late": int(counted["n"].sum()), "batches": sum(int(b["number"].sum()) for b in late)}
"""
REPORT = """
@step
def report(joined: pd.DataFrame, late: Annotated[pd.DataFrame, Columns("number")]) -> dict:
    return {
        "n": len(joined), "late": len(late), "minutes": float(joined["minutes"].sum()),
        "sizes": sorted(joined["n"].unique().tolist()), "columns": sorted(joined.columns),
    }
"""


SPARK = java_variables()
LATE = [n for n in range(10_000) if n % 7 and n % 100 > 50]


@pytest.mark.exhaustive
def test_what_spark_writes_is_published_and_read_by_others(project: Project) -> None:
    project.segments(s01=INGEST, s02=IN_SPARK, s03=COUNTS)
    project.write(
        "pipeline.toml",
        '[params]\nrows = 10_000\n[outputs]\nlate = "late.csv"\ncounted = "counted.parquet"\n',
    )

    record = project.run(**SPARK)

    assert record["exit_code"] == 0, record.get("error")
    sizes = [sum(n % 3 == code for n in LATE) for code in range(3)]
    counts = pq.read_table(project.folder / "counted.parquet").to_pylist()
    assert sorted((row["carrier"], row["n"]) for row in counts) == list(
        zip(("AA", "DL", "UA"), sizes, strict=True)
    )
    assert len((project.folder / "late.csv").read_text().splitlines()) == len(LATE) + 1
    assert project.load("counts") == str({"late": len(LATE), "batches": sum(LATE)})
    kept = project.manifests()["s01"]["values"]["flights"]
    assert (kept["format"], kept["codec"]) == ("parquet", "DataFrame")
    described = project.manifests()["s02"]["values"]["late"]["description"]
    assert (described["rows"], described["files"]) == (len(LATE), 3)
    assert project.strays() == []
    shown = project.command("show", "late", "--rows", "2").stdout
    assert f"DataFrame, {len(LATE)} × 3" in shown
    assert "Spark keeps no order" in shown
    load = "from demo.pipeline import PIPELINE; late = PIPELINE.load('late')"
    printed = project.python(f"{load}; print(type(late).__name__, late.count_rows())")
    assert printed.split() == ["FileSystemDataset", str(len(LATE))]
    assert [segment["status"] for segment in project.run()["segments"]] == ["reused"] * 3


@pytest.mark.slow
def test_frames_go_from_pandas_to_spark_to_duckdb_to_spark_to_pandas(project: Project) -> None:
    project.segments(s01=INGEST, s02=IN_SPARK, s03=IN_SQL, s04=BACK, s05=REPORT)
    project.write(
        "pipeline.toml",
        '[params]\nrows = 10_000\n[outputs]\njoined = "out.parquet"\nlate = "late.csv"\n',
    )

    record = project.run(**SPARK)

    assert record["exit_code"] == 0, record.get("error")
    assert project.load("report") == str(
        {
            "n": len(LATE),
            "late": len(LATE),
            "minutes": float(sum(n % 100 for n in LATE)),
            "sizes": sorted({sum(n % 3 == code for n in LATE) for code in range(3)}),
            "columns": ["carrier", "minutes", "n", "number"],
        }
    )
    assert sorted(pq.read_table(project.folder / "out.parquet")["number"].to_pylist()) == LATE
    assert len((project.folder / "late.csv").read_text().splitlines()) == len(LATE) + 1
    assert project.strays() == []
    assert project.run()["segments"][1]["status"] == "reused"


SEVERAL = """
from collections.abc import Iterator
from pyspark.sql import DataFrame, SparkSession

@step
def halves(rows: int) -> tuple[DataFrame, DataFrame]:
    spark = SparkSession.builder.getOrCreate()
    return spark.range(rows // 2), spark.range(rows // 2, rows)

@step
def by_digit(halves: tuple[DataFrame, DataFrame]) -> dict[str, DataFrame]:
    all = halves[0].union(halves[1])
    return {str(digit): all.where(f"id % 3 = {digit}") for digit in range(3)}

@step
def nothing(by_digit: dict[str, DataFrame]) -> DataFrame | None:
    return None

@step
def something(nothing: DataFrame | None, halves: tuple[DataFrame, DataFrame]) -> DataFrame | None:
    return halves[0] if nothing is None else None

@step(each="by_digit")
def doubled(by_digit: DataFrame) -> DataFrame:
    return by_digit.selectExpr("id * 2 AS id")
"""
COLLECTED = """
from collections.abc import Iterator

@step
def sums(doubled: Iterator[pd.DataFrame], something: pd.DataFrame | None) -> list[int]:
    return [int(each["id"].sum()) for each in doubled] + [len(something)]
"""


@pytest.mark.exhaustive
def test_frames_are_items_of_values_and_made_for_each_item(project: Project) -> None:
    project.segments(s01=SEVERAL, s02=COLLECTED)
    project.write("pipeline.toml", "[params]\nrows = 30\n")

    record = project.run(**SPARK)

    assert record["exit_code"] == 0, record.get("error")
    sums = [sum(2 * n for n in range(30) if n % 3 == digit) for digit in range(3)]
    assert project.load("sums") == str([*sums, 15])
    assert project.strays() == []
    assert "doubled.1: DataFrame, 10 × 1" in project.command("show", "doubled").stdout


FAILING = """
from pyspark.sql import DataFrame, SparkSession

@step
def numbers(rows: int) -> DataFrame:
    return SparkSession.builder.getOrCreate().range(rows)

@step
def divided(numbers: DataFrame) -> DataFrame:
    return numbers.selectExpr("{expression} AS x")
"""
FAILURES = {
    "1 / (id - 1)": (1, "[DIVIDE_BY_ZERO] Division by zero"),
    "INTERVAL 1 DAY": (5, "`divided`: column 'x' is of Spark's type interval day"),
}


@pytest.mark.parametrize("expression", in_exhaustive(*FAILURES))
def test_a_query_that_fails_is_told_from_what_cannot_be_kept(
    project: Project, expression: str
) -> None:
    project.segments(s01=FAILING.format(expression=expression))
    project.write("pipeline.toml", "[params]\nrows = 3\n")
    code, message = FAILURES[expression]

    record = project.run(**SPARK)

    assert record["exit_code"] == code
    assert message in record["error"]["message"]
    assert record["error"]["step"] == "divided"
    assert ".java:" not in str(record["error"])
    assert "are kept: the next run starts there" in record["error"]["message"]
    assert project.strays() == []
