"""Memory is counted as the operating system knows it, for a process and all it started."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from flight_delays.checkpointing.memory import meter

from ...conftest import unmeasured
from ..builders import write

MB = 10**6
on_linux = pytest.mark.skipif(not meter.ON_LINUX, reason="reads /proc")
counted = pytest.mark.parametrize("read", [meter.process_bytes, meter._portable_bytes])

HOLD = "held = bytearray(b'x' * 60_000_000); print('ready', flush=True); input()"
START_ANOTHER = """
import subprocess, sys
inner = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE)
inner.wait()
"""
FORK = """
import os, time
from flight_delays.checkpointing.memory import meter
if os.fork() == 0:
    meter.die_with_parent()
    print("ready", flush=True)
time.sleep(600)
"""
FORK_BY_SERVER = """
import multiprocessing, time
from flight_delays.checkpointing.memory import meter

def work():
    meter.die_with_parent()
    print("ready", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    multiprocessing.get_context("forkserver").Process(target=work).start()
    time.sleep(600)
"""


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process with these arguments that has said that it is ready.

    Its memory is measured, so nothing else may touch pages in it: its coverage is not.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env=unmeasured(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        meter.kill_tree(process.pid)
        process.communicate()


def ended_process() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@counted
def test_memory_grows_by_what_is_allocated(read: Callable[..., int]) -> None:
    before = read(os.getpid(), "held")
    block = np.ones(64 * MB, dtype=np.uint8)
    grown = read(os.getpid(), "held") - before

    assert block.nbytes <= grown + MB
    assert grown < block.nbytes + 8 * MB


@on_linux
def test_pages_of_a_mapped_file_are_not_held_but_are_rss() -> None:
    library = max(Path(pa.__file__).parent.glob("*arrow*.so*"), key=lambda p: p.stat().st_size)
    with open(library, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    held = meter.process_bytes(os.getpid(), "held")
    rss = meter.process_bytes(os.getpid(), "rss")
    sum(mapped[:: mmap.PAGESIZE])

    assert meter.process_bytes(os.getpid(), "rss") - rss > len(mapped) * 0.9
    assert meter.process_bytes(os.getpid(), "held") - held < len(mapped) * 0.1


@on_linux
def test_pages_of_mapped_files_are_let_go_of_and_read_again(tmp_path: Path) -> None:
    """Those of a private copy are not: what was written to it would be lost."""
    path = tmp_path / "mapped"
    path.write_bytes(b"x" * 32 * MB)
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        copied = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    copied[:3] = b"abc"
    sum(mapped[:: mmap.PAGESIZE])
    before = meter.process_bytes(os.getpid(), "rss")

    meter.let_go_of_mapped(tmp_path)

    assert before - meter.process_bytes(os.getpid(), "rss") > 31 * MB
    assert mapped[:3] == b"xxx"
    assert copied[:3] == b"abc"


@on_linux
def test_shared_memory_is_held() -> None:
    before = meter.process_bytes(os.getpid())
    shared = mmap.mmap(-1, 32 * MB)
    shared[:] = b"x" * len(shared)

    assert meter.process_bytes(os.getpid()) - before > 31 * MB


@counted
def test_a_process_that_is_gone_counts_nothing(read: Callable[..., int]) -> None:
    pid = ended_process()

    assert (read(pid, "held"), read(pid, "rss")) == (0, 0)


@pytest.mark.parametrize("on_linux", [meter.ON_LINUX, False])
def test_a_tree_counts_children_and_grandchildren(
    on_linux: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "ON_LINUX", on_linux)
    with started("-c", START_ANOTHER, HOLD) as outer:
        [inner] = psutil.Process(outer.pid).children()
        total = meter.tree_bytes(outer.pid)

        assert list(meter.process_tree(outer.pid)) == [outer.pid, inner.pid]
        assert total > meter.process_bytes(outer.pid) + 60 * MB
        assert meter.tree_bytes(outer.pid, "rss") > total


@pytest.mark.parametrize("on_linux", [meter.ON_LINUX, False])
def test_a_tree_that_is_gone_is_one_process_without_memory(
    on_linux: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "ON_LINUX", on_linux)
    pid = ended_process()

    assert list(meter.process_tree(pid)) == [pid]
    assert meter.tree_bytes(pid) == 0


def test_a_process_that_another_thread_started_is_in_the_tree() -> None:
    found, looked = threading.Event(), threading.Event()
    pids: list[int] = []

    def start() -> None:
        with started("-c", HOLD) as process:
            pids.append(process.pid)
            found.set()
            looked.wait()

    thread = threading.Thread(target=start)
    thread.start()
    found.wait()
    tree = list(meter.process_tree(os.getpid()))
    looked.set()
    thread.join()

    assert pids[0] in tree


def test_killing_a_tree_kills_grandchildren() -> None:
    with started("-c", START_ANOTHER, HOLD) as outer:
        [inner] = psutil.Process(outer.pid).children()
        meter.kill_tree(outer.pid)

        assert outer.wait() == -signal.SIGKILL
        inner.wait(timeout=60)
        assert not inner.is_running()


def test_killing_a_tree_that_is_gone_does_nothing() -> None:
    meter.kill_tree(ended_process())


@on_linux
def test_a_process_that_asked_for_it_dies_with_its_parent() -> None:
    with started("-c", FORK) as parent:
        parent.kill()
        out, _ = parent.communicate(timeout=60)  # ends when the last holder of the pipe has ended

    assert out == ""


@on_linux
def test_a_worker_of_the_fork_server_dies_with_the_process_that_asked_for_it(
    tmp_path: Path,
) -> None:
    with started(str(write(tmp_path / "main.py", FORK_BY_SERVER))) as parent:
        parent.kill()
        out, _ = parent.communicate(timeout=60)  # ends when worker and server have ended

    assert out == ""


def test_elsewhere_nothing_is_asked_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "ON_LINUX", False)
    meter.die_with_parent()
