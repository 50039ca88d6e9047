"""tpch: five queries of TPC-H over shared tables, in each engine under one memory budget."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import tpch_rows
from measure import Bench, Row, Watched, in_turns, watch
from project import Project, as_segment, write_project
from tpch_data import QUERIES, TABLES, answers, is_answer, scale_of, tables
from tpch_rows import NAME, Measured, is_exceeded

STEPS = Path(__file__).parent / "tpch_steps"
WHOLE = "pandas"
"""The engine whose tables are whole: the baseline, which has no budget, of data up to scale 1."""

SPARK = "Spark"
ENGINES = {
    WHOLE: "pandas_whole",
    "pandas in batches": "pandas_batches",
    "polars": "polars_lazy",
    "DuckDB": "duckdb_relations",
    SPARK: "spark_frames",
}
"""The folder of steps of each engine, by what the report calls it."""

BUDGETS = {0.05: 450, 1.0: 700, 10.0: 3000}
"""MB that every other engine may hold, by scale."""

JVM = 1500
"""MB that Spark may hold beside that: it starts with no less, whatever the data."""


def run(bench: Bench) -> list[Row]:
    """Run every query in every engine in turns, and check each answer."""
    data, scale = tables(bench), float(scale_of(bench))
    budget = int(BUDGETS.get(scale, 700 * max(1.0, scale)) * 10**6)
    rounds = 1 if bench.quick else 3
    engines = [engine for engine in ENGINES if engine != WHOLE or scale <= 1]
    budgets: dict[str, int | None] = dict.fromkeys(engines, budget)
    budgets |= {SPARK: budget + JVM * 10**6} | ({WHOLE: None} if WHOLE in engines else {})
    projects = {
        engine: _project(bench.folder / NAME / ENGINES[engine], ENGINES[engine], data)
        for engine in engines
    }
    ingests = {
        engine: _only(project, "ingest", budgets[engine]).expected()
        for engine, project in projects.items()
    }
    queries: dict[str, dict[str, list[Watched]]] = {engine: {} for engine in engines}
    for query in QUERIES:
        actions = {
            engine: partial(_only, project, query, budgets[engine])
            for engine, project in projects.items()
        }
        for engine, runs in in_turns(rounds, **actions).items():
            queries[engine][query] = runs
    expected = answers(data)
    measured = {
        engine: Measured(
            budgets[engine],
            ingests[engine],
            queries[engine],
            {
                query: is_answer(
                    pq.read_table(project.folder / f"{query}.parquet").to_pylist(), expected[query]
                )
                for query in QUERIES
                if not is_exceeded(queries[engine][query])
            },
        )
        for engine, project in projects.items()
    }
    rows = tpch_rows.of(measured)
    if WHOLE in projects:
        script: list[str | Path] = [sys.executable, "-m", "tpch_steps.plain_join", data]
        plain = [watch(script, STEPS.parent).expected() for _ in range(rounds)]
        rows += tpch_rows.of_plain_join(plain, measured)
        under_budget = {
            segment: _only(projects[WHOLE], segment, budget) for segment in ("ingest", *QUERIES)
        }
        rows.append(tpch_rows.of_whole_under_budget(WHOLE, under_budget, budget))
    for project in projects.values():
        shutil.rmtree(project.folder)  # the checkpoints of all tables
    return rows


def _only(project: Project, segment: str, budget: int | None) -> Watched:
    options = () if budget is None else ("--budget", str(budget))
    return project.command("run", "--fresh", "--json", "--only", segment, *options)


def _project(folder: Path, steps: str, data: Path) -> Project:
    """A project with the steps of one folder of STEPS, over the tables in `data`."""
    sources = {
        segment: as_segment((STEPS / steps / f"{segment}.py").read_text(), STEPS.name)
        for segment in ("ingest", *QUERIES)
    }
    inputs = [f'{table}_file = "{data / table}.parquet"' for table in TABLES]
    outputs = [f'{query} = "{query}.parquet"' for query in QUERIES]
    wiring = "\n".join(["[inputs]", *inputs, "", "[outputs]", *outputs, ""])
    project = write_project(folder, NAME, sources, wiring)
    for module in ("exact.py", "decimals.py"):
        shutil.copy(STEPS / module, folder / "src" / NAME)
    return project
