"""Records of runs, written by hand: what a report reads, without a run."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from flight_delays.checkpointing.base.names import run_name

from ...builders import claim_runs

MB = 10**6
BUDGET = 400 * MB

# Two segments: `table` → `doubled`, `total` → `told`, which is a sink.
SOURCES = (
    """
    @step
    def table(rows: int) -> pd.DataFrame:
        return pd.DataFrame({"number": range(rows)})
    """,
    """
    @step
    def doubled(table: pd.DataFrame) -> pd.DataFrame:
        return table * 2

    @step
    def total(doubled: pd.DataFrame) -> int:
        return int(doubled["number"].sum())

    @step
    def told(total: int) -> None:
        print(total)
    """,
)
WIRING = """
[params]
rows = 30

[outputs]
total = "data/total.json"
"""


def step(name: str, peak: int = 250, **more: Any) -> dict[str, Any]:
    """A step's record; sizes in MB."""
    known = {"part": 0, "began_bytes": 150 * MB, "peak_bytes": peak * MB, "seconds": 1.5}
    return {"name": name, **known, "read_seconds": 0.5, "value_bytes": 40 * MB, **more}


def write(value: str, **more: Any) -> dict[str, Any]:
    """A record of a value that was written."""
    known = {"part": 0, "began_bytes": 200 * MB, "peak_bytes": 210 * MB, "seconds": 0.25}
    return {"value": value, **known, "bytes": 30 * MB, **more}


def application(**more: Any) -> dict[str, Any]:
    """The record of an application on a cluster, with an executor that was lost."""
    driver = {"name": "driver", "host": "10.0.0.1", "cores": 0, "heap_bytes": 300 * MB}
    executor = {"name": "0", "host": "10.0.0.2", "cores": 2, "heap_bytes": 900 * MB}
    executor |= {"off_heap_bytes": 100 * MB, "tree_bytes": 1100 * MB}
    known = {"name": "delays/s02 part 1", "master": "spark://10.0.0.1:7077"}
    shares = {"driver_bytes": 1400 * MB, "executor_bytes": 1700 * MB}
    lost = {"name": "1", "host": "10.0.0.3", "cores": 2}
    return {**known, **shares, "executors": [driver, executor, lost], **more}


def segment(name: str, status: str = "ran", **more: Any) -> dict[str, Any]:
    """A segment's record."""
    known = {"parts": 1, "peak_bytes": 250 * MB, "seconds": 2.0, "bytes_written": 30 * MB}
    empty: dict[str, Any] = {"cuts": [], "steps": [], "writes": []}
    if status == "reused":
        known = dict.fromkeys(known, 0)
    return {"name": name, "status": status, **known, **empty, **more}


def first() -> dict[str, Any]:
    return segment("s01", steps=[step("table")], writes=[write("table")])


def second(**more: Any) -> dict[str, Any]:
    """The second segment, cut before `total`."""
    steps = [step("doubled", 380), step("total", part=1), step("told", part=1, value_bytes=0)]
    cuts = [{"before": "total", "why": "over budget"}]
    writes = [write("doubled"), write("total", part=1, bytes=12)]
    return segment("s02", parts=2, cuts=cuts, steps=steps, writes=writes, **more)


def record(*segments: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A run's record; of both segments when none is given."""
    chosen = [*segments] or [first(), second()]
    peak = max((s["peak_bytes"] for s in chosen), default=0)
    return {
        "pipeline": "demo",
        "started_at": "2026-11-23T18:00:00+00:00",
        "budget_bytes": BUDGET,
        "budget_source": "--budget",
        "count": "held",
        "peak_bytes": peak,
        "seconds": 12.3,
        "bytes_written": sum(s["bytes_written"] for s in chosen),
        "environment": {"python": "3.11.7", "ram_bytes": 16 * 10**9},
        "segments": chosen,
        "outputs": {"total": "data/total.json"},
        **more,
    }


def timeline() -> dict[str, Any]:
    """Memory over time of a run that was cut, once with a loss."""
    turns = [
        *[(0.0, "part", "s01", "table"), (0.1, "step", "s01", "table")],
        *[(0.8, "commit", "s01", ""), (1.0, "end", "s01", "")],
        *[(1.1, "part", "s02", "doubled"), (1.2, "step", "s02", "doubled")],
        *[(1.7, "step", "s02", "total"), (1.9, "cut", "s02", "total")],
        *[(2.0, "part", "s02", "doubled"), (2.1, "step", "s02", "doubled")],
        *[(2.6, "commit", "s02", ""), (2.8, "end", "s02", "")],
        *[(2.9, "part", "s02", "total"), (3.0, "step", "s02", "total"), (3.5, "end", "s02", "")],
    ]
    keys = ("seconds", "kind", "segment", "name")
    seconds = [number / 100 for number in range(350)]
    return {
        "seconds": seconds,
        "held_bytes": [int((150 + 60 * (at % 1.0)) * MB) for at in seconds],
        "marks": [dict(zip(keys, turn, strict=True)) for turn in turns],
    }


def name_of(run: str) -> str:
    """The name of a run's folder, of a moment and a letter such as 20260101T000000-a."""
    moment, _, letter = run.partition("-")
    return run_name(datetime.strptime(moment, "%Y%m%dT%H%M%S"), f"{ord(letter):08x}")


def leave_nothing(runs: Path, run: str) -> Path:
    """Leave the folder of a run that was killed before it left anything."""
    claim_runs(runs)
    folder = runs / name_of(run)
    folder.mkdir()
    return folder


def leave(runs: Path, run: str, content: dict[str, Any] | str, over_time: Any = None) -> Path:
    """Leave a run's folder; text in the place of a record is written as it is."""
    folder = leave_nothing(runs, run)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "record.json").write_text(text, encoding="utf-8")
    if over_time is not None:
        (folder / "timeline.json").write_text(json.dumps(over_time), encoding="utf-8")
    return folder
