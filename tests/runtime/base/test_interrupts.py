"""How an interrupt is answered: late rather than nowhere, once rather than twice, in any case."""

from __future__ import annotations

import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from ..conftest import Project, until

LISTENING = """
import gc, os, signal, subprocess, sys, time
from flight_delays.checkpointing.base import interrupts

def ready(line="ready"):
    print(line, flush=True)

interrupts.listen()
"""


@contextmanager
def program(source: str, header: str = LISTENING) -> Iterator[subprocess.Popen[str]]:
    """A Python process with this source that has printed that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", header + textwrap.dedent(source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()
    yield process
    if process.poll() is None:
        process.kill()
        process.communicate()


def interrupted(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[str, str]:
    """Interrupt a process; returns all that it printed."""
    process.send_signal(number)
    return process.communicate(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_that_comes_early_waits_until_it_can_be_answered(number: int) -> None:
    source = """
    ready()
    while not interrupts.interrupted():
        time.sleep(0.01)
    try:
        with interrupts.interruptible:
            print("too far")
    except KeyboardInterrupt:
        print("answered")
    """
    with program(source) as process:
        assert interrupted(process, number) == ("answered\n", "")


def test_one_that_python_drops_is_raised_again_without_a_word() -> None:
    source = """
    class Dropping:
        def __del__(self):
            ready()
            time.sleep(60)

    try:
        with interrupts.interruptible:
            Dropping()
            ready("went on")
            time.sleep(60)
    except KeyboardInterrupt:
        ready("answered")
    """
    with program(source) as process:
        assert interrupted(process) == ("went on\nanswered\n", "")


def test_one_that_a_library_catches_is_raised_again() -> None:
    source = """
    try:
        with interrupts.interruptible:
            try:
                ready()
                time.sleep(60)
            except BaseException:
                ready("caught")
            time.sleep(60)
    except KeyboardInterrupt:
        ready("answered")
    """
    with program(source) as process:
        assert interrupted(process) == ("caught\nanswered\n", "")


def test_other_errors_in_a_destructor_are_told_as_ever() -> None:
    source = """
    class Failing:
        def __del__(self):
            raise ValueError("in the destructor")

    Failing()
    ready()
    """
    with program(source) as process:
        _, err = process.communicate(timeout=60)
    assert "ValueError: in the destructor" in err


def test_a_second_one_does_not_cut_off_the_answer_to_the_first() -> None:
    source = """
    try:
        with interrupts.interruptible:
            try:
                ready()
                time.sleep(60)
            finally:
                for _ in range(5):
                    os.kill(os.getpid(), signal.SIGINT)
                    os.kill(os.getpid(), signal.SIGTERM)
                ready("cleaned")
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGINT)
        ready("answered")
    """
    with program(source) as process:
        assert interrupted(process) == ("cleaned\nanswered\n", "")


def test_a_process_that_does_not_answer_is_ended_with_all_that_it_started() -> None:
    source = """
    from flight_delays.checkpointing.run import workers
    interrupts._MOST_SECONDS = 1.5
    workers.warm_up()
    print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
    with interrupts.interruptible:
        while True:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                continue
    """
    header = LISTENING + "ready()\n"
    with program(source, header) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        started = psutil.Process(process.pid).children(recursive=True)
        assert interrupted(process) == ("", "")
    assert process.returncode == 130
    assert child in [other.pid for other in started]
    until(lambda: not [other for other in started if other.is_running()], "the end of all")


def test_what_is_held_comes_to_its_end_first() -> None:
    source = """
    try:
        with interrupts.interruptible, interrupts.held() as interrupt:
            ready()
            while not interrupt.noted:
                time.sleep(0.01)
            ready("to the end")
    except KeyboardInterrupt:
        ready("answered")
    """
    with program(source) as process:
        assert interrupted(process) == ("to the end\nanswered\n", "")


@pytest.mark.parametrize("place", ["it checks", "it lets one through", "it ends"])
def test_in_a_program_of_somebody_else_ctrl_c_is_held_and_raised_as_ever(place: str) -> None:
    source = f"""
    import signal, time
    from flight_delays.checkpointing.base import interrupts

    place = {place!r}
    former = signal.getsignal(signal.SIGINT)
    try:
        with interrupts.held() as interrupt:
            with interrupts.held():
                print("ready", flush=True)
                if place != "it lets one through":
                    while not interrupts._state.held.noted:
                        time.sleep(0.01)
            if place == "it checks":
                interrupt.check()
            if place == "it lets one through":
                with interrupt.let_through():
                    time.sleep(60)
            print("to the end")
    except KeyboardInterrupt:
        print("answered", signal.getsignal(signal.SIGINT) is former)
    """
    printed = ("to the end\n" if place == "it ends" else "") + "answered True\n"
    with program(source, header="") as process:
        assert interrupted(process) == (printed, "")


# --- commands -------------------------------------------------------------------------------------

SLOW_IMPORT = """
import sys, time
from pathlib import Path


class Slow:
    '''Makes the import of typer, which the command line uses, wait.'''

    def find_spec(self, name, path=None, target=None):
        if name == "typer" and not Path("go.txt").exists():
            Path("reached.txt").touch()
            while not Path("go.txt").exists():
                time.sleep(0.01)


sys.meta_path.insert(0, Slow())
"""

OWN_COMMAND = """
import sys, time
from pathlib import Path


def main() -> None:
    from .checkpointing.base.interrupts import listen

    listen()
    from .checkpointing.cli import application

    app = application(str(__package__))

    @app.command()
    def mine() -> None:
        Path("reached.txt").touch()
        time.sleep(120)

    app()
"""


def reached(project: Project) -> None:
    until((project.folder / "reached.txt").exists, "the place to interrupt")


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("run --json", signal.SIGINT),
        ("compare --json", signal.SIGTERM),
        ("status", signal.SIGINT),
        ("review", signal.SIGTERM),
    ],
)
def test_while_modules_load_it_waits_for_the_command(
    project: Project, command: str, number: int
) -> None:
    project.segments(s01="@step\ndef one() -> int:\n    return 1\n")
    project.write("src/sitecustomize.py", SLOW_IMPORT)
    process = project.start(*command.split())
    reached(project)
    os.killpg(process.pid, number)
    (project.folder / "go.txt").touch()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("\n") <= 1) == (130, True)
    assert "Traceback" not in err
    if "--json" in command:
        assert json.loads(out)["error"]["kind"] == "interrupted"
    else:
        assert (out, err) == ("", "")
    assert project.processes() == []
    assert not (project.folder / "runs").exists()


def test_a_command_of_the_project_s_own_gets_interrupts_as_any_program(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> int:\n    return 1\n")
    project.write("src/demo/cli.py", OWN_COMMAND)
    codes = []
    for number in (signal.SIGINT, signal.SIGTERM):
        process = project.start("mine")
        reached(project)
        (project.folder / "reached.txt").unlink()
        process.send_signal(number)
        process.communicate(timeout=60)
        codes.append(process.returncode)
    assert codes == [130, -signal.SIGTERM]  # what typer and the system make of them


WAITING = """
import time

@step
def first() -> int:
    ran("first")
    return 1

@step
def waits(first: int) -> int:
    Path("reached.txt").touch()
    while Path("wait.txt").exists():
        time.sleep(0.01)
    return first + 1
"""


def test_a_terminal_that_closes_stops_a_run_like_ctrl_c(project: Project) -> None:
    project.segments(s01=WAITING)
    (project.folder / "wait.txt").touch()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.folder)
        os.execve(sys.executable, [sys.executable, "-m", "demo", "run"], project.environment())
    reached(project)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    until(lambda: not project.processes(), "the end of all processes")
    (project.folder / "wait.txt").unlink()
    assert project.strays() == []
    assert project.statuses() == {"s01": "ran"}


def test_a_signal_that_reaches_the_workers_before_their_parent_changes_nothing(
    project: Project,
) -> None:
    project.segments(s01=WAITING)
    (project.folder / "wait.txt").touch()
    process = project.start("run", "--json")
    reached(project)
    family = psutil.Process(process.pid).children(recursive=True)
    for child in family:
        child.terminate()
    until(
        lambda: len(psutil.Process(process.pid).children(recursive=True)) < len(family),
        "the end of one",
    )
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert "Traceback" not in err
    assert project.processes() == []


def test_an_interrupt_while_an_output_is_published_leaves_the_next_run_to_publish_it(
    project: Project,
) -> None:
    project.segments(
        s01="""
        @step
        def noise() -> np.ndarray:
            return np.random.default_rng(0).random(20_000_000)
        """
    )
    project.write("pipeline.toml", "[outputs]\nnoise = 'data/noise.npy'\n")
    process = project.start("run", "--json")
    data = project.folder / "data"
    until(lambda: list(data.glob(".noise.npy.*.tmp")), "the output to be written")
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not (data / "noise.npy").exists()
    assert project.strays() == []
    assert project.statuses() == {"s01": "reused"}
    assert (data / "noise.npy").stat().st_size > 160_000_000


NOTEBOOK = """
import os, signal, sys
import psutil
from demo.checkpointing.base.errors import CheckpointingError
from demo.pipeline import PIPELINE

servers = ("forkserver", "resource_tracker")


def looked_at() -> str:
    is_as_ever = (
        sys.modules["__main__"].__dict__ is globals()
        and os.environ.get("PYTHONHASHSEED") is None
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    family = psutil.Process().children(recursive=True)
    family = [c for c in family if c.status() != psutil.STATUS_ZOMBIE]  # a fork server that ended
    ended = [c for c in family if not any(word in " ".join(c.cmdline()) for word in servers)]
    ended += [c for c in family if c.ppid() != os.getpid()]
    left = [c.pid for c in psutil.wait_procs(ended, timeout=10)[1]]  # to die takes a moment
    return f"{left} {is_as_ever}"


for line in sys.stdin:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        print("begins", flush=True)
        PIPELINE.run(params={"number": int(line)})
        outcome = "done"
    except (CheckpointingError, KeyboardInterrupt) as error:
        outcome = "interrupted"
        print(repr(error), file=sys.stderr)
    while True:
        try:
            seen = looked_at()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            break
        except (KeyboardInterrupt, psutil.NoSuchProcess):  # the second Ctrl-C, on a busy machine
            continue
    print(outcome, seen, flush=True)
"""


def test_ctrl_c_in_a_notebook_leaves_no_worker_and_all_as_it_was(project: Project) -> None:
    project.segments(
        s01="""
        import time

        @step
        def one(number: int) -> int:
            return number

        @step
        def two(one: int) -> int:
            while not Path("quick.txt").exists():
                time.sleep(0.01)
            return one + 1
        """
    )
    project.write("pipeline.toml", "[params]\nnumber = 0\n")
    chance = random.Random(7)
    environment = {k: v for k, v in project.environment().items() if k != "PYTHONHASHSEED"}
    with subprocess.Popen(
        [sys.executable, "-c", NOTEBOOK],
        cwd=project.folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(12):
            print(number, file=process.stdin, flush=True)
            assert process.stdout.readline() == "begins\n"
            select.select([process.stdout], [], [], chance.uniform(0, 0.4))
            for _ in range(chance.choice([1, 2])):
                process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted [] True\n"
        (project.folder / "quick.txt").touch()
        print(12, file=process.stdin, flush=True)
        assert process.stdout.readline() == "begins\n"
        assert process.stdout.readline() == "done [] True\n"
        process.stdin.close()
    assert project.strays() == []
