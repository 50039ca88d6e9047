"""Runs of several pipelines at once share the memory budget of their project."""

from __future__ import annotations

import json
import os
import random

import pytest
from flight_delays.checkpointing.memory.gauge import Gauge

from ..conftest import Project, until
from .two_pipelines import (
    BLOCK,
    OTHER_WAITS,
    SEGMENT,
    both,
    ended,
    kill_at_random,
    ledger,
    measured,
    two_pipelines,
    values,
)


def held_at_once(gauges: list[Gauge]) -> int:
    """What two runs certainly hold at the same moment, though they are read one by one."""
    first, second = gauges
    before, between, after = first.sample(), second.sample(), first.sample()
    return min(before, after) + between


def test_two_runs_that_do_not_fit_at_once_take_turns_and_never_hold_more(project: Project) -> None:
    """A part was never measured, so each of the two runs wants all; 500 MB hold one block."""
    two_pipelines(project)
    most = 0
    runs = both(project, "500MB")
    gauges = [Gauge(run.pid) for run in runs]
    while any(run.poll() is None for run in runs):
        most = max(most, held_at_once(gauges))
    records = [ended(run) for run in runs]

    assert [record["segments"][0]["status"] for record, _ in records] == ["ran", "ran"]
    assert all(record["peak_bytes"] > BLOCK << 20 for record, _ in records)
    assert most <= 500e6
    assert any("waits for the run of `" in told for _, told in records)
    assert values(project) == {"daily_sum: float\n26214400.0\n", "weekly_sum: float\n26214400.0\n"}
    assert not (project.folder / "runs" / "ledger.json").exists()


def test_two_runs_whose_needs_are_known_and_fit_work_at_once(project: Project) -> None:
    """Each waits in its step for the other's step."""
    two_pipelines(project)
    measured(project, "1GB")
    runs = both(project, "1GB", "--fresh", "--set", "meet=both")
    records = [ended(run) for run in runs]

    assert [record["segments"][0]["status"] for record, _ in records] == ["ran", "ran"]
    assert not any("waits for" in told for _, told in records)
    assert all((project.folder / f"{name}.here").exists() for name in ("daily", "weekly"))


def test_a_step_that_outgrows_its_share_runs_again_with_all_of_the_budget(project: Project) -> None:
    """The weekly step grows by half a budget while the daily one, which waits for that, works."""
    two_pipelines(project, daily=OTHER_WAITS, weekly="True")
    measured(project, "900MB")
    daily = project.start("run", "--json", "--fresh", "--budget", "900MB", "--set", "meet=it")
    until((project.folder / "daily.here").exists, "the daily step")
    weekly = project.start(
        *("run", "--json", "--budget", "900MB", "--pipeline", "weekly", "--set", "more=350")
    )
    (record, told), (first, _) = ended(weekly), ended(daily)

    assert [r["segments"][0]["status"] for r in (first, record)] == ["ran", "ran"]
    assert "more than others at work left" in told
    assert "to end, because this part needs all of the budget" in told
    assert record["peak_bytes"] > 550 << 20
    assert project.executed().count("weekly") >= 3


OVERLAPS = """
import json, os, time

def is_awaited() -> bool:
    runs = json.load(open("runs/ledger.json"))
    return any(run["state"] == "waiting" for run in runs) or os.path.exists("weekly.here")

@step
def {name}(meet: str) -> int:
    ran("{name}")
    deadline = time.monotonic() + 60
    while meet and not is_awaited():
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.01)
    return 1
"""


def test_a_run_whose_parts_overlap_lets_a_run_that_waits_have_its_turn(project: Project) -> None:
    """The weekly run was never measured, so it waits until the others have nothing at work."""
    names = ["a", "b", "c", "d"]
    weekly = SEGMENT.format(name="weekly", until="True", more="more")
    project.segments(**{n: OVERLAPS.format(name=f"daily_{n}") for n in names}, weekly=weekly)
    project.write(
        "src/demo/pipeline.py",
        f"""
        from .checkpointing import Pipeline
        from .segments import {", ".join(names)}, weekly

        PIPELINE = Pipeline({", ".join(names)}, name="daily")
        WEEKLY = Pipeline(weekly, name="weekly")
        """,
    )
    project.write("pipeline.toml", '[params]\nmb = 1\nmore = 0\nmeet = ""')
    assert project.run("--pipeline", "daily", "--budget", "2GB")["exit_code"] == 0
    project.executed()
    both = ("run", "--json", "--budget", "2GB", "--set", "meet=it", "--pipeline")
    first = project.start(*both, "daily", "--jobs", "2")
    noted = project.folder / "executed.txt"
    until(lambda: noted.exists() and "daily_b" in noted.read_text(), "two at once")
    second = project.start(*both, "weekly")
    records = [ended(run)[0] for run in (first, second)]

    assert ["error" in record for record in records] == [False, False]
    order = project.executed()
    assert set(order[:2]) == {"daily_a", "daily_b"}
    assert order[2] == "weekly"


def test_a_step_that_needs_more_than_all_of_the_budget_runs_once(project: Project) -> None:
    """Also if it was measured with less before, so that it had a smaller share."""
    two_pipelines(project)
    for more in ("0", "600"):
        record = project.run("--pipeline", "weekly", "--budget", "500MB", "--set", f"more={more}")

    assert record["error"]["kind"] == "budget_exceeded"
    assert project.executed() == ["weekly", "weekly"]


def test_a_step_that_dies_while_no_other_run_is_at_work_runs_once(project: Project) -> None:
    """It had a share, but nobody had the rest, so another try would be the same."""
    two_pipelines(project)
    measured(project, "1GB")
    project.executed()
    module = project.package / "segments" / "s01_daily.py"
    module.write_text(
        module.read_text().replace(
            "    return np.ones", "    os.kill(os.getpid(), 9)\n    return np.ones"
        )
    )

    assert project.run("--budget", "1GB")["error"]["kind"] == "budget_exceeded"
    assert project.executed() == ["daily"]


@pytest.mark.exhaustive
def test_of_a_killed_run_no_entry_counts(project: Project) -> None:
    """The soak does this hundreds of times."""
    two_pipelines(project)
    kill_at_random(project, random.Random(0))


@pytest.mark.slow
def test_a_ledger_that_is_damaged_is_written_again(project: Project) -> None:
    two_pipelines(project)
    project.run()
    for text in ("[{", '{"a": 1}', '[{"pipeline": "../x", "pid": 1}]', "\0"):
        project.write("runs/ledger.json", text)
        assert project.run("--budget", "1GB", "--fresh")["exit_code"] == 0
        assert not (project.folder / "runs" / "ledger.json").exists()


def test_something_else_in_its_place_stops_no_run_and_is_named(project: Project) -> None:
    two_pipelines(project)
    project.run()
    os.mkfifo(project.folder / "runs" / "ledger.json")
    ended = project.command("run", "--fresh")

    assert ended.returncode == 0
    assert ended.stderr.count("other runs do not see what this one holds") == 1
    assert "ledger.json: it is a pipe, not a file" in ended.stderr


def test_runs_of_other_machines_are_left_alone(project: Project) -> None:
    two_pipelines(project)
    project.run()
    elsewhere = {"pipeline": "weekly", "pid": 1, "host": "another", "budget": 10**18}
    elsewhere |= {"holds": 10**18, "state": "running", "turn": 0}
    project.write("runs/ledger.json", json.dumps([elsewhere]))

    assert project.run("--fresh", "--budget", "1GB")["exit_code"] == 0
    assert ledger(project) == [elsewhere]


@pytest.mark.slow
def test_records_are_not_removed_while_another_pipeline_writes_its_own(project: Project) -> None:
    two_pipelines(project)
    project.run()
    (project.folder / "daily.here").unlink()
    weekly = project.start("run", "--pipeline", "weekly", "--json", "--set", "meet=it")
    until((project.folder / "weekly.here").exists, "the weekly step")
    refused = project.command("clean", "--runs")
    (project.folder / "daily.here").touch()
    record, _ = ended(weekly)

    assert refused.returncode == 5
    assert "the run of `weekly` (process" in refused.stderr
    assert "clean without --runs" in refused.stderr
    assert record["segments"][0]["status"] == "ran"
    assert project.command("clean", "--runs").returncode == 0
    assert not (project.folder / "runs").exists()
