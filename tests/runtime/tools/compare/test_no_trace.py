"""A comparison leaves no trace of itself, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ....marks import in_slow
from ...conftest import Project, until
from .comparing import (
    check_nothing_left,
    compared,
    kept,
)


def test_checkpoints_outputs_and_run_records_stay_as_they_are(project: Project) -> None:
    project.segments(
        s01="@step\ndef one(n: int) -> int:\n    return n",
        s02="@step\ndef two(one: int) -> int:\n    return one + 1",
    )
    project.write("pipeline.toml", '[params]\nn = 1\n\n[outputs]\ntwo = "data/two.json"\n')
    project.run()
    before = kept(project)
    assert compared(project, "--set", "n=5")["exit_code"] == 0
    assert compared(project)["exit_code"] == 0
    assert kept(project) == before
    assert project.statuses() == {"s01": "reused", "s02": "reused"}
    check_nothing_left(project)


def test_what_was_measured_goes_into_the_profile(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> int:\n    return 1")
    compared(project)
    assert '"one"' in (project.folder / "runs" / "profile.json").read_text()
    assert [path for path in (project.folder / "runs").iterdir() if path.is_dir()] == []


def test_sinks_are_named_before_they_run_twice(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def one() -> int:
            return 1

        @step
        def database(one: int) -> None:
            ran("database")
        """
    )
    done = project.command("compare")
    assert "elsewhere: `database`" in done.stderr.splitlines()[0]
    assert project.executed() == ["database", "database"]


@pytest.mark.parametrize(
    "place",
    [
        "checkpoints",
        "a child of the plain script",
        *in_slow("a child of checkpoints", "the plain script"),
    ],
)
def test_ctrl_c_stops_at_once_and_leaves_nothing(
    project: Project, waiting: Callable[..., subprocess.Popen[str]], place: str
) -> None:
    process = waiting(place)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process of the group
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert "Traceback" not in err
    check_nothing_left(project)


def test_an_impatient_person_leaves_nothing_either(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("the plain script")
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    until(lambda: not project.processes(), "the end of all processes")
    project.run()
    check_nothing_left(project)


def test_sigterm_from_a_scheduler_does_the_same(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("the plain script")
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["plain"]["status"] == "failed"
    check_nothing_left(project)


@pytest.mark.parametrize(
    ("command", "place"),
    [
        ("compare", "checkpoints"),
        pytest.param("run", "the plain script", marks=pytest.mark.exhaustive),
        pytest.param("compare", "the plain script", marks=pytest.mark.exhaustive),
    ],
)
def test_what_a_killed_comparison_left_is_swept_by_the_next_command(
    project: Project, waiting: Callable[..., subprocess.Popen[str]], command: str, place: str
) -> None:
    process = waiting(place)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    until(lambda: not project.processes(), "the end of all processes")
    assert list(project.checkpoints().glob(".compare*"))
    assert project.command(command).returncode == 0
    check_nothing_left(project)


def test_a_run_and_a_comparison_keep_out_of_each_other_s_way(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("the plain script")
    for command in ("run", "compare"):
        done = project.command(command)
        assert done.returncode == 5
        assert f"process {process.pid} on " in done.stderr
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert Path(project.folder / "executed.txt").read_text().split().count("second") == 2
