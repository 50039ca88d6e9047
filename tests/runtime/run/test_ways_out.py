"""The ways out that a failure names are followed as they are written, and then the step fits."""

from __future__ import annotations

from typing import Any

import pytest

from ...marks import in_slow
from ..conftest import Project

MADE = """
from collections.abc import Iterator
@step
def flights(rows: int) -> Iterator[pd.DataFrame]:
    for start in range(0, rows, 50_000):
        numbers = np.arange(start, start + 50_000)
        yield pd.DataFrame(
            {"delay": numbers * 7919 % 1000, "carrier": numbers % 12}
            | {f"more{n}": numbers / 3 + n for n in range(8)}
        )
"""
IMPORTS = """
from collections.abc import Iterator
import duckdb
"""
WHOLE = """
@step
def late(flights: pd.DataFrame) -> pd.DataFrame:
    table = flights.copy().sort_values("delay", kind="stable").sort_index()
    return table[table["delay"] > 990]
"""
FOLLOWED = {
    "columns": """
@step
def late(CODE) -> pd.DataFrame:
    table = flights.copy()
    return table[table["delay"] > 990]
""".replace("CODE", 'flights: Annotated[pd.DataFrame, Columns("delay")]'),
    "batches": """
@step
def late(flights: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in flights:
        yield batch[batch["delay"] > 990]
""",
    "engine": """
@step
def late(flights: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    return flights.filter("delay > 990")
""",
}
BUDGET = 330 * 10**6
WIRING = "[params]\nrows = 3_000_000\n"


def ways(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The ways out of a run's error, by kind: the first of each."""
    listed: dict[str, dict[str, Any]] = {}
    for way in record["error"]["ways_out"]:
        listed.setdefault(way["kind"], way)
    return listed


@pytest.mark.parametrize("kind", ["batches", *in_slow("engine", "columns")])
def test_a_step_that_was_stopped_fits_once_the_advice_is_followed(
    project: Project, kind: str
) -> None:
    project.segments(s01=MADE, s02=IMPORTS + WHOLE)
    project.write("pipeline.toml", WIRING)
    failed = project.run("--budget", str(BUDGET))
    assert failed["exit_code"] == 3, failed.get("error")
    way = ways(failed)[kind]
    start = FOLLOWED[kind].partition("\ndef late(")[2].splitlines()[0]
    assert all(code.replace("...", '"delay"') in f"{start}" for code in way["code"])

    project.segments(s01=MADE, s02=IMPORTS + FOLLOWED[kind])
    record = project.run("--budget", str(BUDGET))

    assert record["exit_code"] == 0, record.get("error")
    assert record["peak_bytes"] <= BUDGET
    if kind != "columns":
        assert way["fits"]
        assert way["held_bytes"] <= BUDGET


def test_what_is_advised_names_code_figures_and_the_page(project: Project) -> None:
    project.segments(s01=MADE, s02=WHOLE)
    project.write("pipeline.toml", WIRING)

    done = project.command("run", "--budget", str(BUDGET))

    assert done.returncode == 3
    message = " ".join(done.stderr.split("What to do:")[1].split())
    assert (
        "load only the columns that it needs (`flights` has 10 columns, 3,000,000 rows): "
        "`flights: Annotated[pd.DataFrame, Columns(...)]`." in message
    )
    assert (
        "`flights: Iterator[pd.DataFrame]` and `-> Iterator[pd.DataFrame]`. By the forecast the "
        "step then needs about" in message
    )
    assert ", and the budget less its headroom is 264 MB" in message
    assert "DuckDB, which puts on disk" in message
    assert "`flights: duckdb.DuckDBPyRelation`" in message
    assert "docs/larger-than-memory.md shows each with examples." in message
