"""Segments that do not depend on each other, at work at once under one budget."""

from __future__ import annotations

import json
import signal

import pytest

from ..conftest import Project, until

MB = 10**6

# Half of the work: it holds `mb` MiB, and waits for the other half if `meet` says so.
HALF = """
import os, time

@step
def NAME_block(mb: int) -> np.ndarray:
    ran("NAME_block")
    return np.arange(mb << 17, dtype=float)

@step
def NAME_sum(NAME_block: np.ndarray, meet: str) -> float:
    ran("NAME_sum")
    Path("NAME.here").touch()
    deadline = time.monotonic() + 60
    while meet and not os.path.exists("OTHER.here"):
        assert time.monotonic() < deadline, "the other half did not come"
        time.sleep(0.01)
    return float(NAME_block.sum())
"""
WHOLE = """
@step
def whole(left_sum: float, right_sum: float) -> float:
    return left_sum + right_sum
"""


def halves_of(project: Project) -> None:
    """A pipeline of two halves, and of what needs both."""
    project.segments(
        s01_left=HALF.replace("NAME", "left").replace("OTHER", "right"),
        s02_right=HALF.replace("NAME", "right").replace("OTHER", "left"),
        s03_whole=WHOLE,
    )
    project.write("pipeline.toml", '[params]\nmb = 100\nmeet = ""\n')


@pytest.fixture
def halves(project: Project) -> Project:
    """The two halves, measured by a first run."""
    halves_of(project)
    record = project.run("--jobs", "2", "--budget", "2GB")
    assert [segment["status"] for segment in record["segments"]] == ["ran"] * 3
    for file in project.folder.glob("*.here"):
        file.unlink()
    project.executed()
    return project


def test_segments_whose_need_is_known_run_at_once(halves: Project) -> None:
    record = halves.run("--set", "meet=yes", "--jobs", "2", "--budget", "2GB", "--fresh")
    assert record["exit_code"] == 0, record
    assert [s["name"] for s in record["segments"]] == ["s01_left", "s02_right", "s03_whole"]
    left, right, _ = record["segments"]
    assert abs(left["peak_bytes"] - right["peak_bytes"]) < 40 * MB  # each counts for itself
    assert record["peak_bytes"] > left["peak_bytes"] + 90 * MB


def test_they_run_one_by_one_where_the_budget_has_no_room_for_both(halves: Project) -> None:
    """Or when that is asked for; nothing is held above the budget, and the result is the same."""
    expected = halves.load("whole")
    for options in (("--budget", "320MB", "--jobs", "2"), ("--budget", "2GB", "--jobs", "1")):
        record = halves.run(*options, "--fresh")
        assert record["exit_code"] == 0, record["error"]
        left, right, _ = record["segments"]
        assert record["peak_bytes"] == max(left["peak_bytes"], right["peak_bytes"])
        assert halves.load("whole") == expected


def test_what_was_never_measured_runs_one_by_one(project: Project) -> None:
    halves_of(project)
    record = project.run("--jobs", "2", "--budget", "2GB")
    peaks = [segment["peak_bytes"] for segment in record["segments"]]
    assert record["peak_bytes"] == max(peaks)


def test_when_one_fails_the_other_goes_on_to_its_end_and_is_reused(halves: Project) -> None:
    module = halves.package / "segments" / "s01_left.py"
    good = module.read_text()
    module.write_text(
        good.replace("    deadline", "    if meet: raise ValueError('no left')\n    deadline")
    )
    process = halves.start("run", "--json", "--set", "meet=yes", "--budget", "2GB", "--jobs", "2")
    out, told = process.communicate(timeout=120)
    record = json.loads(out)
    assert record["error"]["segment"] == "s01_left"
    assert "no left" in record["error"]["message"]
    statuses = {segment["name"]: segment["status"] for segment in record["segments"]}
    assert statuses == {"s01_left": "failed", "s02_right": "ran"}
    assert "s01_left: failed" in told
    module.write_text(good)
    again = halves.run("--set", "meet=yes", "--budget", "2GB")
    assert [s["status"] for s in again["segments"]] == ["ran", "reused", "reused"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_both(halves: Project, number: signal.Signals) -> None:
    for name in ("left", "right"):  # neither comes to its end
        module = halves.package / "segments" / f"s0{1 + (name == 'right')}_{name}.py"
        module.write_text(module.read_text().replace("    while meet and", "    while meet or"))
    process = halves.start("run", "--set", "meet=yes", "--budget", "2GB", "--jobs", "2", "--fresh")
    for name in ("left", "right"):
        until((halves.folder / f"{name}.here").exists, f"the {name} half")
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert not halves.processes()
    assert halves.executed().count("left_sum") == 1


def test_a_killed_run_leaves_nothing_and_the_next_one_goes_on(halves: Project) -> None:
    process = halves.start("run", "--set", "meet=yes", "--budget", "2GB", "--jobs", "2", "--fresh")
    until((halves.folder / "left.here").exists, "the left half")
    process.kill()
    process.communicate()
    until(lambda: not halves.processes(), "the end of all processes")
    record = halves.run("--set", "meet=yes", "--budget", "2GB", "--jobs", "2")
    assert record["exit_code"] == 0, record["error"]
    assert [path.name for path in halves.folder.glob("checkpoints/demo/worker*")] == ["worker.lock"]
