"""A worker that is started ahead of its work: used, replaced when it is gone, never left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import psutil
import pytest

from ..conftest import Project, until

TWO = {
    "s01": "@step\ndef one() -> np.ndarray:\n    return np.ones(40_000_000)",
    "s02": """
    import os, psutil

    @step
    def two(one: np.ndarray) -> float:
        return psutil.Process(os.getpid()).create_time()
    """,
}

# What happens to a worker ahead, in a process that has no run.
SCRIPT = """
import os, signal, time
from demo.checkpointing.run import workers

workers.prepare()
workers.begin_ahead(workers.AHEAD_BYTES - 1)
assert not workers.started_ahead(), "there is no room"
workers.begin_ahead(workers.AHEAD_BYTES)
[pid] = workers.started_ahead()
"""
TAKEN = """
worker = workers.next_worker()
assert worker.process.pid == pid
worker.give("", print, ("hello",))
worker.process.join()
assert not workers.started_ahead()
"""
GONE = """
os.kill(pid, signal.SIGKILL)
while os.path.exists(f"/proc/{pid}"):
    time.sleep(0.01)
assert workers.next_worker().process.pid is None, "another one is to be started"
"""
ENDED = """
with workers.none_left_ahead():
    pass
assert not workers.started_ahead()
assert not os.path.exists(f"/proc/{pid}")
"""


@pytest.mark.parametrize("what", [TAKEN, GONE, ENDED], ids=["taken", "gone", "ended"])
def test_one_ahead_is(project: Project, what: str) -> None:
    project.python(SCRIPT + what)
    until(lambda: not project.processes(), "the end of all processes")


def test_one_ahead_ends_with_the_process_that_wanted_it(project: Project) -> None:
    killed = "print(pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    started = subprocess.run(
        [sys.executable, "-c", SCRIPT + killed],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == -signal.SIGKILL, started.stderr
    until(lambda: not psutil.pid_exists(int(started.stdout)), "the end of the worker")


def test_the_process_of_the_next_part_starts_while_this_one_commits(project: Project) -> None:
    project.segments(**TWO)
    project.write("pipeline.toml", '[outputs]\ntwo = "two.json"\n')
    record = project.run()
    assert record["exit_code"] == 0, record["error"]
    began = float(json.loads((project.folder / "two.json").read_text()))
    key = project.manifests()["s01"]["key"]
    committed = (project.checkpoints() / "s01" / key / "manifest.json").stat().st_mtime
    assert began < committed
    assert not project.processes()


# A worker beside others, in a process that has no run; it is killed at its first message.
WORK = """
import os, time

def work(connection):
    connection.send(os.getpid())
    time.sleep(60)
"""
BESIDE = """
import multiprocessing, psutil
from contextlib import contextmanager
from pathlib import Path
from demo.beside import work
from demo.checkpointing.memory.company import Company
from demo.checkpointing.run.processes import run_worker

seen = []

class Watched(Company):
    @contextmanager
    def joined_by(self, worker):
        with super().joined_by(worker):
            seen.append(worker in {child.pid for child in multiprocessing.active_children()})
            yield
            seen.append(psutil.pid_exists(worker))

def is_last(message):
    raise KeyboardInterrupt

try:
    run_worker(work, (), is_last, print, lambda *_: None, company=Watched(Path("workers")))
except KeyboardInterrupt:
    print(seen)
"""


def test_one_beside_others_is_one_of_them_until_it_has_ended_and_nobody_else_waits_for_it(
    project: Project,
) -> None:
    project.write("src/demo/beside.py", WORK)
    assert project.python(BESIDE).strip() == "[False, False]"
