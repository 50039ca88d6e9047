"""Ctrl-C and SIGTERM stop a run at once and lose nothing; locks keep two runs apart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ...marks import in_exhaustive
from ..conftest import Project, until

SEGMENTS = {
    "s01": """
    @step
    def finished() -> int:
        ran("s01")
        return 1
    """,
    "s02": """
    import os, subprocess, sys, time

    def wait(place: str) -> None:
        '''Say where this is and stay there for as long as the file `wait_at` says so.'''
        order = Path("wait_at.txt")
        if order.exists() and order.read_text() == place:
            Path("reached.txt").write_text(place)
            time.sleep(120)

    @step
    def waiting(finished: int) -> int:
        ran("s02")
        wait("a step")
        return finished

    @step
    def stubborn(waiting: int) -> int:
        while True:
            try:
                wait("a step that catches everything")
                return waiting
            except BaseException:
                continue

    @step
    def with_a_child(stubborn: int) -> int:
        if Path("wait_at.txt").exists() and Path("wait_at.txt").read_text() == "a child process":
            tell = "import time; open('reached.txt', 'w').write('a child process'); time.sleep(120)"
            subprocess.run([sys.executable, "-c", tell], check=True)
        return stubborn

    @step
    def committed(with_a_child: int) -> int:
        fsync = os.fsync

        def waiting_fsync(descriptor: int) -> None:
            wait("a commit")
            fsync(descriptor)

        os.fsync = waiting_fsync
        return with_a_child
    """,
}

PLACES = ["a step", "a commit"]
OTHERS = ["a step that catches everything", "a child process"]


@pytest.fixture
def waiting(project: Project) -> Callable[..., subprocess.Popen[str]]:
    """A function that starts a run and returns once it waits at a place of the second segment."""
    project.segments(**SEGMENTS)

    def start(place: str, *arguments: str) -> subprocess.Popen[str]:
        (project.folder / "wait_at.txt").write_text(place)
        process = project.start("run", *arguments)
        reached = project.folder / "reached.txt"
        until(lambda: reached.exists() and reached.read_text() == place, place)
        return process

    return start


def check_stopped(project: Project, process: subprocess.Popen[str]) -> dict[str, Any]:
    """The run ended as interrupted, left nothing, and lost no finished segment; its record."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert project.processes() == []
    assert project.strays() == []
    assert project.executed() == ["s01", "s02"]
    (project.folder / "wait_at.txt").unlink()
    assert project.statuses() == {"s01": "reused", "s02": "ran"}
    record: dict[str, Any] = json.loads(out)
    return record


@pytest.mark.parametrize("place", [*PLACES, *in_exhaustive(*OTHERS)])
def test_ctrl_c_stops_wherever_the_run_is(
    project: Project, waiting: Callable[..., subprocess.Popen[str]], place: str
) -> None:
    process = waiting(place, "--json")
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process of the group
    record = check_stopped(project, process)
    assert record["error"]["kind"] == "interrupted"
    assert record["error"]["segment"] == "s02"
    assert [s["status"] for s in record["segments"]] == ["ran", "failed"]


def test_sigterm_from_a_scheduler_does_the_same(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("a step", "--json")
    process.terminate()
    assert check_stopped(project, process)["error"]["kind"] == "interrupted"


def test_sigterm_to_the_whole_group_does_the_same(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("a step", "--json")
    os.killpg(process.pid, signal.SIGTERM)
    check_stopped(project, process)


def test_an_impatient_person_may_press_ctrl_c_more_than_once(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("a step", "--json")
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    until(lambda: not project.processes(), "the end of all processes")
    (project.folder / "wait_at.txt").unlink()
    assert project.statuses() == {"s01": "reused", "s02": "ran"}
    assert project.strays() == []


def test_a_person_is_told_in_one_line_that_nothing_finished_is_lost(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("a step")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "error: segment `s02`: stopped. Finished segments will be reused." in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_the_run_begins_it_can_be_stopped_too(project: Project, number: int) -> None:
    project.segments(s01="Path('reached.txt').touch(); import time; time.sleep(120)")
    process = project.start("run", "--json")
    until((project.folder / "reached.txt").exists, "the import of the pipeline")
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert "Traceback" not in err
    assert project.processes() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_a_script_is_in_the_record_first(project: Project, number: int) -> None:
    """The script has no handler of its own, and nothing of the runtime's once the run is over."""
    project.segments(**SEGMENTS)
    project.write("wait_at.txt", "a step")
    script = project.write("script.py", "from demo.pipeline import PIPELINE; PIPELINE.run()")
    process = subprocess.Popen(
        [sys.executable, str(script)], cwd=project.folder, env=project.environment()
    )
    reached = project.folder / "reached.txt"
    until(reached.exists, "the step")
    process.send_signal(number)
    assert process.wait(timeout=60) == -number
    until(lambda: not project.processes(), "the end of all processes")
    [record] = (project.folder / "runs").glob("*/record.json")
    assert json.loads(record.read_text())["error"]["kind"] == "interrupted"
    assert project.strays() == []


@pytest.mark.slow
def test_a_second_run_is_refused_while_the_first_is_at_work(
    project: Project, waiting: Callable[..., subprocess.Popen[str]]
) -> None:
    process = waiting("a step")
    second = project.run()
    assert second["exit_code"] == 5
    assert second["error"]["kind"] == "locked"
    assert f"process {process.pid} on " in second["error"]["message"]
    assert project.command("clean").returncode == 5
    assert project.command("status").returncode == 0
    assert project.command("show", "finished").stdout == "finished: int\n1\n"
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert project.executed() == ["s01", "s02"]


def test_two_runs_that_start_at_once_do_the_work_once(project: Project) -> None:
    project.segments(**SEGMENTS)
    both = [project.start("run", "--json") for _ in range(2)]
    codes = []
    for process in both:
        process.communicate(timeout=120)
        codes.append(process.returncode)
    assert set(codes) <= {0, 5}
    assert 0 in codes
    assert project.executed() == ["s01", "s02"]
    assert project.strays() == []
