"""Steps that take and return relations of DuckDB: within the budget, and with errors that help."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from ...marks import in_exhaustive, in_slow
from ..conftest import Project

INGEST = """
import duckdb

@step
def flights(rows: int) -> pd.DataFrame:
    number = np.arange(rows)
    return pd.DataFrame({
        "carrier": pd.Categorical.from_codes(number % 3, ["AA", "DL", "UA"]),
        "delay": np.where(number % 7 == 0, np.nan, number % 100),
        "tail": "N" + pd.Series(number % 9_973).astype(str),
    })

@step
def carriers(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"carrier": ["AA", "DL"], "name": ["American", "Delta"]})
"""
QUERY = """
import duckdb, pyarrow as pa

@step
def late(flights: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    return flights.filter("delay > 50")

@step
def by_name(
    late: duckdb.DuckDBPyRelation, carriers: duckdb.DuckDBPyRelation
) -> duckdb.DuckDBPyRelation:
    return duckdb.sql(
        "SELECT name, count(*) AS n, max(delay) AS most FROM late JOIN carriers USING (carrier) "
        "GROUP BY name ORDER BY name"
    )

@step
def again(late: pd.DataFrame, by_name: pa.Table) -> dict:
    assert late["carrier"].dtype == "category"
    return {"late": len(late), "carriers": by_name.to_pylist()}
"""


def test_relations_go_through_segments_and_are_published(project: Project) -> None:
    project.segments(s01=INGEST, s02=QUERY)
    project.write(
        "pipeline.toml",
        '[params]\nrows = 10_000\n[outputs]\nby_name = "out.parquet"\nlate = "late.csv"\n',
    )

    record = project.run()

    assert record["exit_code"] == 0, record.get("error")
    number = range(10_000)
    late = [n for n in number if n % 7 and n % 100 > 50]
    expected = [
        {"name": name, "n": sum(n % 3 == code for n in late), "most": 99.0}
        for code, name in enumerate(("American", "Delta"))
    ]
    assert pq.read_table(project.folder / "out.parquet").to_pylist() == expected
    assert project.load("again") == str({"late": len(late), "carriers": expected})
    assert len((project.folder / "late.csv").read_text().splitlines()) == len(late) + 1
    assert project.strays() == []
    assert project.run()["segments"][1]["status"] == "reused"


STEP = """
import duckdb

@step
def made(rows: int) -> duckdb.DuckDBPyRelation:
    {body}
"""


FAILURES = {
    "other connection": (
        "return duckdb.connect().sql('SELECT 1 AS x')",
        5,
        "a connection that the step opened",
    ),
    "closed": (
        "con = duckdb.connect(); r = con.sql('SELECT 1 AS x'); con.close(); return r",
        1,
        "Connection has already been closed",
    ),
    "dropped": (
        "duckdb.sql('CREATE TABLE t AS SELECT 1 AS x'); r = duckdb.table('t')\n"
        "    duckdb.sql('DROP TABLE t'); return r",
        1,
        "Table with name t does not exist",
    ),
    "frame": ("return pd.DataFrame({'x': [1]})", 5, "return duckdb.sql('FROM name') of it"),
    "value": ("return duckdb.sql(\"SELECT 'a'::INT AS x\")", 1, "Could not convert string 'a'"),
    "network": ("return duckdb.sql(\"FROM 'https://e.org/a.parquet'\")", 1, "INSTALL httpfs"),
}


@pytest.mark.parametrize(
    "failure",
    [
        "other connection",
        *in_slow("closed", "frame"),
        *in_exhaustive("dropped", "value", "network"),
    ],
)
def test_what_cannot_be_kept_is_told_apart_from_what_fails(project: Project, failure: str) -> None:
    body, code, message = FAILURES[failure]
    project.segments(s01=STEP.format(body=body))
    project.write("pipeline.toml", "[params]\nrows = 1\n")

    record = project.run()

    assert record["exit_code"] == code
    assert message in record["error"]["message"]
    assert record["error"]["step"] == "made"
    assert project.strays() == []


SORTED = "SELECT i, hash(i) AS k FROM range({rows}) AS t(i) ORDER BY k"


FULL = {
    "while it is written": f'return duckdb.sql(f"{SORTED}")',
    "in the step": f'duckdb.sql(f"CREATE TABLE t AS {SORTED}"); return duckdb.table("t")',
}


@pytest.mark.parametrize("when", [*in_slow("while it is written"), *in_exhaustive("in the step")])
def test_a_disk_that_is_full_names_max_disk(project: Project, when: str) -> None:
    project.segments(s01=STEP.format(body=FULL[when]))
    project.write("pipeline.toml", "[params]\nrows = 20_000_000\n")
    budget = '[cluster]\nram = "10 GB"\nquota = "50 %"\n[checkpoints]\nmax_disk = "50 MB"\n'
    project.write("memory_budget.toml", budget)

    record = project.run("--budget", "450MB")

    assert record["exit_code"] == 5
    assert record["error"]["kind"] == "storage"
    assert "max_disk" in record["error"]["message"]
    assert project.strays() == []


@pytest.mark.exhaustive
def test_a_query_that_cannot_spill_exceeds_the_budget_and_is_not_tried_again(
    project: Project,
) -> None:
    body = 'ran("made"); return duckdb.sql("SELECT list(i) AS l FROM range(90_000_000) AS t(i)")'
    project.segments(s01=STEP.format(body=body))
    project.write("pipeline.toml", "[params]\nrows = 1\n")

    record = project.run("--budget", "450MB")

    assert record["exit_code"] == 3
    assert record["error"]["kind"] == "budget_exceeded"
    assert "Out of Memory" in record["error"]["message"]
    assert project.executed() == ["made"]


@pytest.mark.slow
def test_a_budget_with_too_little_room_for_duckdb_says_how_much_it_needs(project: Project) -> None:
    project.segments(s01=STEP.format(body='ran("made"); return duckdb.sql("SELECT 1 AS x")'))
    project.write("pipeline.toml", "[params]\nrows = 1\n")

    record = project.run("--budget", "150MB")

    assert record["exit_code"] == 3
    assert "DuckDB needs 100 MB" in record["error"]["message"]
    assert project.executed() == []


@pytest.mark.exhaustive
def test_nothing_of_duckdb_is_held_after_its_step(project: Project) -> None:
    body = """
    duckdb.sql(f"CREATE TABLE t AS SELECT i, i + 1 AS j FROM range({rows}) AS t(i)")
    return duckdb.sql("SELECT j, count(*) AS n FROM t GROUP BY j")"""
    after = "@step\ndef counted(made: duckdb.DuckDBPyRelation) -> int:\n    return len(made)\n"
    after += "@step\ndef last(counted: int) -> int:\n    return counted\n"
    project.segments(s01=STEP.format(body=body) + after)
    project.write("pipeline.toml", "[params]\nrows = 8_000_000\n")

    record = project.run("--budget", "1GB")

    assert record["exit_code"] == 0, record.get("error")
    [made, _, last] = record["segments"][0]["steps"]
    assert made["peak_bytes"] - made["began_bytes"] > 150_000_000
    assert last["began_bytes"] - made["began_bytes"] < 50_000_000
