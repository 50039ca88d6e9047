"""The gauge tells what a process tree holds, sharing counted once, and looks when it has to."""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from flight_delays.checkpointing.base.units import Count
from flight_delays.checkpointing.memory import meter
from flight_delays.checkpointing.memory.gauge import Gauge

from ..conftest import until
from .families import Asked, asked
from .test_meter import started

MB = 10**6
COPIED = 10 * MB  # by forks that touch little

MAP = """
import mmap, sys

with open(sys.argv[1], "r+b") as file:
    shared = mmap.mmap(file.fileno(), 0)
sum(shared[::4096])
print("ready", flush=True)
input()
"""

# A process with a child that has detached 60 MB; it says the child's number.
ADOPTING = """
import os, time
from flight_delays.checkpointing.memory import meter

meter.adopt_orphans()
holds, held = os.pipe()
if (script := os.fork()) == 0:
    if os.fork() == 0:
        if os.fork() == 0:
            kept = bytearray(b"x") * 60_000_000
            os.write(held, b".")
            time.sleep(600)
        os._exit(0)
    os.wait()
    time.sleep(600)
os.read(holds, 1)
print("ready", script, sep="\\n", flush=True)
time.sleep(600)
"""

pytestmark = pytest.mark.skipif(not meter.ON_LINUX, reason="reads /proc")


@pytest.fixture
def family() -> Iterator[Asked]:
    with asked() as process:
        yield process


def test_what_a_fork_shares_counts_once(family: Asked) -> None:
    gauge = Gauge(family.pid)
    before = gauge.sample()
    family.ask("fork", "fork", "fork")

    assert meter.tree_bytes(family.pid) > before + 180 * MB
    assert gauge.sample() < before + COPIED
    until(lambda: gauge.sample() > before, "a look at the children")
    assert gauge.sample() < before + COPIED


def test_no_sample_is_ever_above_what_is_held(family: Asked) -> None:
    gauge = Gauge(family.pid)
    before = gauge.sample()
    for what in ("fork", "fork", "end", "fork", "fork", "end"):
        family.ask(what)
        assert gauge.sample() < before + COPIED


def test_a_copy_that_a_child_writes_to_counts(family: Asked) -> None:
    family.ask("fork", "fork")
    gauge = Gauge(family.pid)
    shared, mapped = gauge.sample(), meter.tree_bytes(family.pid)
    family.ask("write")

    assert meter.tree_bytes(family.pid) < mapped + 2 * MB
    until(lambda: gauge.sample() > shared + 58 * MB, "a look at the copy")
    assert gauge.sample() < shared + 64 * MB


def test_what_a_process_allocates_counts_at_once(family: Asked) -> None:
    gauge = Gauge(family.pid)
    before = gauge.sample()
    family.ask("more")

    assert gauge.sample() - before == pytest.approx(30 * MB, abs=2 * MB)


def test_children_that_ended_leave_what_the_parent_holds(family: Asked) -> None:
    before = Gauge(family.pid).sample()
    family.ask("fork", "fork")
    gauge = Gauge(family.pid)
    gauge.sample()
    family.ask("end")

    until(lambda: gauge.sample() > before - 4 * MB, "a look at the parent alone")
    assert gauge.sample() < before + 4 * MB


def test_between_steps_what_an_ended_pool_shared_counts_at_once(family: Asked) -> None:
    before = Gauge(family.pid).sample()
    family.ask("fork", "fork")
    gauge = Gauge(family.pid, between_steps=True)
    gauge.sample()
    family.ask("end")

    assert gauge.sample() == pytest.approx(before, abs=4 * MB)


def test_between_steps_the_first_reading_counts_although_processes_come_and_go(
    family: Asked,
) -> None:
    before = Gauge(family.pid).sample()
    family.ask("storm")

    for _ in range(10):  # a page that was read as a third may be the half of two by now
        assert Gauge(family.pid, between_steps=True).sample() > before / 2
    family.ask("end")


def test_shared_memory_that_several_map_counts_once() -> None:
    memory = os.memfd_create("shared")
    os.truncate(memory, 32 * MB)
    shared = mmap.mmap(memory, 32 * MB)
    shared[:] = b"x" * len(shared)
    before = Gauge(os.getpid()).sample()
    with started("-c", MAP, f"/proc/{os.getpid()}/fd/{memory}") as child:
        assert meter.process_bytes(child.pid) > 32 * MB
        assert Gauge(os.getpid()).sample() < before + 20 * MB
    os.close(memory)


def test_shared_memory_that_nobody_else_maps_counts_at_once() -> None:
    gauge = Gauge(os.getpid())
    before = gauge.sample()
    shared = mmap.mmap(-1, 32 * MB)
    for page in range(0, len(shared), mmap.PAGESIZE):
        shared[page] = 1

    assert gauge.sample() - before == pytest.approx(32 * MB, abs=2 * MB)


def test_one_alone_counts_all_that_it_shares_with_the_process_that_it_was_forked_from() -> None:
    held = np.ones(64 * MB, dtype=np.uint8)
    with forked() as child:
        whole = meter.process_bytes(child)

        assert Gauge(child).sample() < whole - held.nbytes / 3
        assert Gauge(child, alone=True).sample() == pytest.approx(whole, abs=4 * MB)


@pytest.mark.parametrize("count", ["held", "rss"])
def test_objects_of_shared_memory_add_what_no_process_has_mapped(count: Count) -> None:
    shared = mmap.mmap(-1, 32 * MB)
    shared[:] = b"x" * len(shared)
    mapped = meter.process_bytes(os.getpid(), count) - len(shared)
    gauge = Gauge(os.getpid(), count, objects=lambda: 100 * MB)

    assert gauge.unmapped() == pytest.approx(100 * MB - len(shared), abs=8 * MB)
    assert gauge.sample() >= mapped + 100 * MB - 8 * MB
    assert Gauge(os.getpid(), count, objects=lambda: 8 * MB).unmapped() == 0


def test_one_alone_counts_what_it_has_detached() -> None:
    with started("-c", ADOPTING) as adopter:
        assert adopter.stdout is not None
        script = int(adopter.stdout.readline())

        assert Gauge(script, alone=True).sample() < 60 * MB
        assert Gauge(script, alone=True, adopter=adopter.pid).sample() > 60 * MB


def test_resident_memory_is_added_up(family: Asked) -> None:
    gauge = Gauge(family.pid, "rss")
    before = gauge.sample()
    family.ask("fork", "fork")

    assert gauge.sample() > before + 110 * MB


def test_a_process_above_the_limit_is_held_still_and_goes_on(family: Asked) -> None:
    gauge = Gauge(family.pid, limit=MB, suspect=family.pid)

    assert gauge.sample() > 60 * MB
    family.ask("more")


def test_a_tree_that_is_gone_holds_nothing(family: Asked) -> None:
    gauge = Gauge(family.pid)
    gauge.sample()
    family.process.kill()
    family.process.wait()

    assert gauge.sample() == 0


@contextmanager
def forked() -> Iterator[int]:
    """A fork of this process that waits to be killed."""
    child = os.fork()
    if child == 0:
        while True:
            signal.pause()
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
