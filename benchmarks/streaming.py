"""streaming: filter and aggregate a table of four times the budget, in batches and by engines."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import seed20_frames
from measure import (
    Bench,
    Row,
    Watched,
    in_turns,
    ratios,
    seconds_of,
    show_bytes,
    show_ratio,
    show_seconds,
    spread,
    watch,
)
from project import Project, as_segment, write_project

NAME = "streaming"
STEPS = Path(__file__).parent / "streaming_steps"
TIMES = 4
"""The table is as many times the budget, unless it is quick."""

WAYS = {
    "pandas in batches": ("in_batches", "by_pandas"),
    "polars": ("lazily", "by_polars"),
    "DuckDB": ("in_sql", "by_duckdb"),
}
"""The segment and the value of each way, by what the report calls it."""

SIZES = (
    *(50_000, 65_536, 99_991, 131_072, 200_000),
    *(250_000, 333_333, 500_000, 777_777, 1_000_000),
)
"""Rows of the batches whose results are compared."""

_SIZES_HEADER = """\
from collections.abc import Iterator
from typing import Annotated

import pandas as pd

from ..checkpointing import Batches, step
from ..late import late, together
"""
_SIZE = """

@step
def by_{rows}(lines: Annotated[Iterator[pd.DataFrame], Batches(rows={rows})]) -> pd.DataFrame:
    return together(pd.concat(map(late, lines)))
"""
_PLAIN = """\
import pandas as pd
from late import late

late(pd.read_parquet("lines.parquet")).to_parquet("plain.parquet")
"""


def run(bench: Bench) -> list[Row]:
    """Make the table under the budget, and aggregate it in each way and as one frame, in turns."""
    budget = (450 if bench.quick else 500) * 10**6
    table_bytes = budget if bench.quick else TIMES * budget
    project = _project(bench.folder / NAME, table_bytes // seed20_frames.ROW_BYTES)
    making = _only(project, "lines", budget).expected()
    plain = partial(watch, [sys.executable, "plain.py"], project.folder)
    runs = in_turns(
        1 if bench.quick else 3,
        plain=plain,
        plain_under_the_budget=partial(plain, limit=budget),
        **{way: partial(_only, project, segment, budget) for way, (segment, _) in WAYS.items()},
    )
    sizes = _only(project, "sizes", budget).expected()
    rows = [
        Row(
            NAME,
            f"the table, {show_bytes(_table_bytes(project))}, yielded in pieces: peak",
            *_share(making, budget),
        ),
        *_rows_of_plain(runs, budget),
        *(row for way in WAYS for row in _rows_of_way(way, runs, budget, project)),
        _row_of_sizes(project, sizes, budget),
    ]
    shutil.rmtree(project.folder)
    return rows


def _rows_of_plain(runs: dict[str, list[Watched]], budget: int) -> list[Row]:
    peak = spread([run.expected().peak_bytes for run in runs["plain"]]).median
    killed = all(run.exit_code is None for run in runs["plain_under_the_budget"])
    of_budget = f"budget {show_bytes(budget)}"
    return [
        Row(
            NAME,
            "one frame of pandas, no limit: peak",
            show_bytes(peak),
            of_budget,
            f"{peak / budget:.2f}",
        ),
        Row(
            NAME,
            "one frame of pandas under the budget",
            "killed" if killed else "not always killed",
            of_budget,
            target="killed",
            met=killed,
        ),
    ]


def _rows_of_way(
    way: str, runs: dict[str, list[Watched]], budget: int, project: Project
) -> list[Row]:
    its, plain = ([run.expected() for run in runs[name]] for name in (way, "plain"))
    highest = max(its, key=lambda run: run.peak_bytes)
    same = _is_same(project.folder / f"{WAYS[way][1]}.parquet", project.folder / "plain.parquet")
    return [
        Row(NAME, f"{way}: peak, the highest", *_share(highest, budget)),
        Row(
            NAME,
            f"{way}: wall time",
            show_seconds(spread(seconds_of(its))),
            f"one frame, no limit {show_seconds(spread(seconds_of(plain)))}",
            show_ratio(ratios(seconds_of(its), seconds_of(plain))),
        ),
        Row(
            NAME,
            f"{way}: result",
            "the same" if same else "different",
            "one frame",
            target="every value the same",
            met=same,
        ),
    ]


def _row_of_sizes(project: Project, run: Watched, budget: int) -> Row:
    results = [pd.read_parquet(project.folder / f"by_{rows}.parquet") for rows in SIZES]
    frames = [[str(frame.dtypes.to_dict()), frame.to_dict("list")] for frame in results]
    same = all(frame == frames[0] for frame in frames)
    return Row(
        NAME,
        f"batches of {len(SIZES)} sizes, {SIZES[0]:,} to {SIZES[-1]:,} rows: results",
        "the same" if same else "different",
        f"peak {show_bytes(run.peak_bytes)} of {show_bytes(budget)}",
        target="every bit the same",
        met=same and run.peak_bytes <= budget,
    )


def _share(run: Watched, budget: int) -> tuple[str, str, str, str, bool]:
    share = run.peak_bytes / budget
    of_budget = f"budget {show_bytes(budget)}"
    return show_bytes(run.peak_bytes), of_budget, f"{share:.2f}", "≤ 1", share <= 1


def _is_same(left: Path, right: Path) -> bool:
    """Whether two files have the same columns and values, whatever engine wrote them."""
    return bool(pq.read_table(left).to_pydict() == pq.read_table(right).to_pydict())


def _table_bytes(project: Project) -> int:
    files = (project.folder / "checkpoints").rglob("lines*.arrow")
    return max(file.stat().st_size for file in files)


def _only(project: Project, segment: str, budget: int) -> Watched:
    return project.command(
        *("run", "--fresh", "--json", "--only", segment, "--budget", str(budget))
    )


def _project(folder: Path, rows: int) -> Project:
    names = ("lines", *(segment for segment, _ in WAYS.values()))
    sources = {name: as_segment((STEPS / f"{name}.py").read_text(), STEPS.name) for name in names}
    sources["sizes"] = _SIZES_HEADER + "".join(_SIZE.format(rows=size) for size in SIZES)
    values = ("lines", *(value for _, value in WAYS.values()), *(f"by_{size}" for size in SIZES))
    outputs = [f'{value} = "{value}.parquet"' for value in values]
    wiring = "\n".join(["[params]", f"rows = {rows}", "", "[outputs]", *outputs, ""])
    project = write_project(folder, NAME, sources, wiring)
    shutil.copy(seed20_frames.__file__, folder / "src" / NAME / "frames.py")
    shutil.copy(STEPS / "late.py", folder / "src" / NAME)
    shutil.copy(STEPS / "late.py", folder)
    (folder / "plain.py").write_text(_PLAIN)
    return project
