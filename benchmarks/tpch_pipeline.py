"""tpch_pipeline: 21 steps of pandas over TPC-H, in four segments and as a plain script."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
from measure import (
    Bench,
    Row,
    Watched,
    in_turns,
    ratios,
    seconds_of,
    show_bytes,
    show_seconds,
    show_times,
    spread,
    watch,
)
from project import Project, as_segment, write_project
from tpch_data import TABLES, answers, is_answer, tables

NAME = "tpch_pipeline"
STEPS = Path(__file__).parent / "tpch_steps"
SEGMENTS = ("tables", "parts", "joins", "answers")
QUERIES = ("q01", "q03", "q05", "q10", "q12")
SLOWDOWN = 1.6
"""What the project may take of the plain script's time, for what its checkpoints give."""


def run(bench: Bench) -> list[Row]:
    """Run both in turns: the project first as nobody has measured it, then as it is planned."""
    data = tables(bench)
    project = _project(bench.folder / NAME, data)
    plain_answers = project.folder / "plain"
    plain_answers.mkdir()
    script: list[str | Path] = [sys.executable, "-m", "tpch_steps.plain_pipeline"]
    found = in_turns(
        1 if bench.quick else 5,
        plain=lambda: watch([*script, data, plain_answers], STEPS.parent).expected(),
        first=lambda: _unmeasured(project),
        planned=lambda: project.command("run", "--fresh").expected(),
    )
    expected = answers(data)
    right = {
        folder.name: all(
            is_answer(pq.read_table(folder / f"{query}.parquet").to_pylist(), expected[query])
            for query in QUERIES
        )
        for folder in (project.folder, plain_answers)
    }
    written = sum(f.stat().st_size for f in (project.folder / "checkpoints").rglob("*.*"))
    rows = [
        _row("never measured before", found["first"], found["plain"]),
        _row("as it is planned", found["planned"], found["plain"]),
        _row_of_peak(found["planned"], found["plain"]),
        Row(NAME, "on disk", show_bytes(written), "plain: none"),
        Row(
            NAME,
            "answers",
            "right" if all(right.values()) else str(right),
            "DuckDB's SQL",
            target="the same to the cent",
            met=all(right.values()),
        ),
    ]
    shutil.rmtree(project.folder)
    return rows


def _unmeasured(project: Project) -> Watched:
    for folder in ("runs", "checkpoints"):
        shutil.rmtree(project.folder / folder, ignore_errors=True)
    return project.command("run").expected()


def _row(figure: str, found: list[Watched], plain: list[Watched]) -> Row:
    ratio = ratios(seconds_of(found), seconds_of(plain))
    return Row(
        NAME,
        f"21 steps in four segments, {figure}",
        show_seconds(spread(seconds_of(found))),
        f"plain {show_seconds(spread(seconds_of(plain)))}",
        show_times(seconds_of(found), seconds_of(plain)),
        f"≤ {SLOWDOWN}",
        ratio.median <= SLOWDOWN,
    )


def _row_of_peak(found: list[Watched], plain: list[Watched]) -> Row:
    peak, whole = (max(each.peak_bytes for each in runs) for runs in (found, plain))
    measured, baseline = show_bytes(peak), f"plain {show_bytes(whole)}"
    return Row(NAME, "its peak, as it is planned", measured, baseline, f"{peak / whole:.2f}")


def _project(folder: Path, data: Path) -> Project:
    sources = {
        segment: as_segment((STEPS / "pandas_pipeline" / f"{segment}.py").read_text(), STEPS.name)
        for segment in SEGMENTS
    }
    inputs = [f'{table}_file = "{data / table}.parquet"' for table in TABLES]
    outputs = [f'{query} = "{query}.parquet"' for query in QUERIES]
    wiring = "\n".join(["[inputs]", *inputs, "", "[outputs]", *outputs, ""])
    project = write_project(folder, NAME, sources, wiring)
    shutil.copy(STEPS / "exact.py", folder / "src" / NAME)
    return project
