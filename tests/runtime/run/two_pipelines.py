"""A project of two pipelines, and their runs at the same time."""

from __future__ import annotations

import json
import random
import subprocess
from typing import Any

from flight_delays.checkpointing.memory.gauge import Gauge

from ..conftest import Project, until

# Two pipelines whose first step holds `mb` and, if `meet` names files, waits for the other's.
SEGMENT = """
import json, os, time

@step
def {name}_block(mb: int, more: int) -> np.ndarray:
    ran("{name}")
    return np.ones((mb + ({more})) << 17)

@step
def {name}_sum({name}_block: np.ndarray, meet: str) -> float:
    Path(f"{name}.here").touch()
    deadline = time.monotonic() + 60
    while meet and time.monotonic() < deadline and not ({until}):
        time.sleep(0.01)
    return float({name}_block.sum())
"""
BOTH_THERE = 'os.path.exists("daily.here") and os.path.exists("weekly.here")'
OTHER_WAITS = """any(run["state"] == "last" for run in json.load(open("runs/ledger.json")))"""
PIPELINES = """
from .checkpointing import Pipeline
from .segments import s01_daily, s02_weekly

PIPELINE = Pipeline(s01_daily, name="daily")
WEEKLY = Pipeline(s02_weekly, name="weekly")
"""
BLOCK = 200  # MiB, beside about 120 of Python and its libraries


NAMES = ("daily", "weekly")


def two_pipelines(project: Project, *, daily: str = BOTH_THERE, weekly: str = BOTH_THERE) -> None:
    """Two pipelines; each waits for a condition, if the param `meet` says so."""
    project.segments(
        s01_daily=SEGMENT.format(name="daily", until=daily, more="0"),
        s02_weekly=SEGMENT.format(name="weekly", until=weekly, more="more"),
    )
    project.write("src/demo/pipeline.py", PIPELINES)
    project.write("pipeline.toml", f'[params]\nmb = {BLOCK}\nmore = 0\nmeet = ""')


def measured(project: Project, budget: str) -> None:
    """Run both once, one after the other, so that their needs are known."""
    for name in NAMES:
        assert project.run("--budget", budget, "--pipeline", name)["exit_code"] == 0
    for file in project.folder.glob("*.here"):
        file.unlink()


def ledger(project: Project) -> list[dict[str, Any]]:
    """The entries as they are now; none before the first run."""
    try:
        text = (project.folder / "runs" / "ledger.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    entries: list[dict[str, Any]] = json.loads(text)
    return entries


def both(project: Project, budget: str, *options: str) -> list[subprocess.Popen[str]]:
    """Start a run of each pipeline."""
    return [
        project.start("run", "--json", "--budget", budget, "--pipeline", name, *options)
        for name in NAMES
    ]


def ended(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    """The record of a run, and what it told people."""
    out, err = process.communicate(timeout=120)
    record: dict[str, Any] = json.loads(out)
    return record, err


def values(project: Project) -> set[str]:
    return {project.command("show", f"{name}_sum", "--pipeline", name).stdout for name in NAMES}


def kill_at_random(project: Project, chance: random.Random) -> None:
    """Kill one of two runs at a random moment; the other ends well, and no entry is left."""
    runs = both(project, "500MB", "--fresh")
    victim = chance.randrange(2)
    until(lambda: ledger(project) or runs[victim].poll() is not None, "an entry")
    for _ in range(chance.randrange(1000)):  # each takes about a millisecond
        Gauge(runs[victim].pid).sample()
    runs[victim].kill()
    runs[victim].communicate()
    record, _ = ended(runs[1 - victim])
    assert record["segments"][0]["status"] == "ran", record
    assert json.loads(project.command("status", "--json").stdout)["at_work"] == []
    again = project.start("run", "--json", "--budget", "500MB", "--pipeline", NAMES[victim])
    record, told = ended(again)
    assert record["segments"][0]["status"] in ("ran", "reused"), record
    assert "waits for" not in told
    assert ledger(project) == []
