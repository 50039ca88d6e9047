"""What a step starts counts, and ends with its part, however both of them end."""

from __future__ import annotations

import json
import signal

import psutil
import pytest
from flight_delays.checkpointing.memory import meter

from ..conftest import Project, until

pytestmark = pytest.mark.skipif(not meter.ON_LINUX, reason="orphans are adopted on Linux")

MB = 1_000_000

DETACH = """
import os, signal, subprocess, sys, time

def detach(size: int = 0) -> int:
    '''Leave a daemon behind that holds memory; its number, once it holds it.'''
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            held = np.ones(size // 8)
            os.write(writer, str(os.getpid()).encode())
            os.close(writer)
            time.sleep(600)
        os._exit(0)
    os.wait()
    return int(os.read(reader, 20))

def lives(number: int) -> bool:
    return Path(f"/proc/{number}").exists()
"""
DYING = """
@step
def dying(way: str) -> dict[str, int]:
    '''A daemon, a child, and an end of the worker of one kind or another.'''
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    numbers = {"daemon": detach(), "child": child.pid, "worker": os.getpid()}
    Path("numbers.json").write_text(__import__("json").dumps(numbers))
    if way == "waits":
        time.sleep(600)
    if way != "returns":
        os.kill(os.getpid(), getattr(signal, way))
    return numbers
"""
LOOKING = """
@step
def left(dying: dict[str, int]) -> dict[str, bool]:
    return {name: Path(f"/proc/{number}").exists() for name, number in dying.items()}
"""
GREEDY = """
@step
def greedy() -> int:
    detach(200_000_000)
    time.sleep(600)
    return 1
"""
IMPORTED = """
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
detach()

@step
def made() -> int:
    return 1
"""
TWO_PIPELINES = """
from .checkpointing import Pipeline
from .segments import s01, s02

LONG = Pipeline(s01, name="long")
SHORT = Pipeline(s02, name="short")
"""
LONG = """
@step
def attended() -> bool:
    daemon = detach()
    Path("detached.txt").touch()
    while not Path("short.txt").exists():
        time.sleep(0.01)
    return lives(daemon)
"""
SHORT = """
@step
def short() -> int:
    return detach()
"""


@pytest.fixture
def dying(project: Project) -> Project:
    """A project whose first segment leaves processes; the second says which of them live."""
    project.segments(s01=DETACH + DYING, s02=LOOKING)
    project.write("pipeline.toml", "[params]\nway = 'returns'\n")
    return project


def test_a_daemon_that_a_step_detached_counts_and_ends_with_its_part(project: Project) -> None:
    project.segments(s01=DETACH + GREEDY)
    record = project.run("--budget", "270MB")

    assert project.processes() == []
    assert record["exit_code"] == 3
    assert record["error"]["step"] == "greedy"
    assert record["error"]["held_bytes"] > 270 * MB


def test_the_next_part_starts_when_all_that_one_left_has_ended(dying: Project) -> None:
    done = dying.command("run")

    assert done.returncode == 0, done.stderr
    assert dying.processes() == []
    assert "waitpid" not in done.stderr
    assert dying.load("left") == "{'daemon': False, 'child': False, 'worker': False}"


@pytest.mark.parametrize(("way", "code"), [("SIGSEGV", 1), ("SIGKILL", 3)])
def test_a_worker_that_a_signal_ends_leaves_no_process(dying: Project, way: str, code: int) -> None:
    record = dying.run("--set", f"way={way}")

    assert dying.processes() == []
    assert record["exit_code"] == code
    numbers = json.loads((dying.folder / "numbers.json").read_text())
    assert [name for name, number in numbers.items() if psutil.pid_exists(number)] == []


def test_a_command_that_is_killed_takes_all_along(dying: Project) -> None:
    process = dying.start("run", "--set", "way=waits")
    until((dying.folder / "numbers.json").exists, "the step")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)

    until(lambda: not dying.processes(), "the end of all processes")


@pytest.mark.parametrize("command", ["status", "plan", "run"])
def test_what_the_import_of_the_pipeline_starts_ends_with_the_command(
    project: Project, command: str
) -> None:
    project.segments(s01=DETACH + IMPORTED)
    done = project.command(command)

    assert done.returncode == 0, done.stderr
    assert project.processes() == []


def test_a_pipeline_in_another_thread_ends_no_process_of_this_one(project: Project) -> None:
    project.segments(s01=DETACH + LONG, s02=DETACH + SHORT)
    project.write("src/demo/pipeline.py", TWO_PIPELINES)
    with project.notebook() as execute:
        printed = execute(
            """
            import pathlib, psutil, threading, time
            from demo.pipeline import LONG, SHORT

            thread = threading.Thread(target=LONG.run)
            thread.start()
            while not pathlib.Path("detached.txt").exists():
                time.sleep(0.01)
            SHORT.run()
            pathlib.Path("short.txt").touch()
            thread.join()
            print(LONG.load("attended"), psutil.pid_exists(SHORT.load("short")))
            """
        )

    assert printed == "True False"
