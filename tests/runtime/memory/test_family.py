"""A tree that is followed reads as one that is listed each time, whatever happens in it."""

from __future__ import annotations

import mmap
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.units import Count
from flight_delays.checkpointing.memory import family as families
from flight_delays.checkpointing.memory import meter, procfs
from flight_delays.checkpointing.memory.family import Family
from hypothesis import given, settings
from hypothesis import strategies as st

from ..conftest import until
from .families import Asked, asked

MB = 10**6
ACTIONS = ("fork", "grandchild", "write", "end", "more", "less", "shared", "thread", "program")

pytestmark = pytest.mark.skipif(not meter.ON_LINUX, reason="reads /proc")


@pytest.fixture
def process() -> Iterator[Asked]:
    with asked() as process:
        yield process


@pytest.fixture(scope="module", autouse=True)
def never_listed() -> Iterator[None]:
    """No tree is listed just because time has passed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "_LISTING_SECONDS", sys.maxsize)
        yield


def read(family: Family, process: Asked, count: Count = "held") -> None:
    """Read what is followed; it is what a list tells, once all that started stands still."""
    assert family.readings().keys() == meter.tree_readings(process.pid).keys()
    until(lambda: family.readings() == meter.tree_readings(process.pid, count), "the same figures")


@given(
    st.lists(st.sampled_from(ACTIONS), min_size=6, max_size=10), st.sampled_from(["held", "rss"])
)
@settings(max_examples=8, deadline=None)
def test_what_is_followed_is_what_is_listed(actions: list[str], count: Count) -> None:
    with asked() as process, Family(process.pid, count) as family:
        process.ask("fork")
        read(family, process, count)
        for action in actions:
            process.ask(*(["fork"] if action in ("write", "end") else []), action)
            read(family, process, count)


def test_a_new_process_is_in_the_next_reading_and_its_children_too(process: Asked) -> None:
    with Family(process.pid) as family:
        for _ in range(3):  # the first readings list
            family.readings()
        for action in ("fork", "grandchild", "thread", "program", "thread", "fork"):
            process.ask(action)
            read(family, process)
        assert len(family.readings()) == 5


def test_many_new_processes_are_in_the_next_reading(process: Asked) -> None:
    with Family(process.pid) as family:
        family.readings()
        process.ask(*["fork"] * 20)
        assert len(family.readings()) == 21


def test_what_does_not_tell_of_new_processes_is_asked_no_more(
    process: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a /proc/loadavg that a container makes up."""
    stale = tmp_path / "loadavg"
    stale.write_text("0.00 0.01 0.05 1/1 77\n")
    assert families._numbers_tell()
    monkeypatch.setattr(families, "_LOAD", str(stale))
    monkeypatch.setattr(families, "_LISTING_SECONDS", 0.5)
    assert not families._numbers_tell.__wrapped__()
    with Family(process.pid) as family:
        for _ in range(3):
            family.readings()
        process.ask("fork")
        until(lambda: len(family.readings()) == 2, "a list of the tree")
        process.ask("fork")
        read(family, process)


def test_the_children_of_who_adopts_are_followed_but_not_itself(process: Asked) -> None:
    process.ask("fork", "grandchild")
    [child] = procfs.children(process.pid)
    with Family(child, adopter=process.pid) as family:
        process.ask("program")
        tree = meter.tree_readings(process.pid)
        assert family.readings().keys() == tree.keys() - {process.pid}


def test_a_child_that_still_has_its_parents_memory_counts_nothing(
    process: Asked, tmp_path: Path
) -> None:
    """Between vfork and exec: here it waits until somebody opens its input."""
    os.mkfifo(tmp_path / "input")
    with Family(process.pid) as family:
        before = family.readings()
        process.begin(f"wait {tmp_path / 'input'}")
        until(lambda: len(list(meter.process_tree(process.pid))) == 2, "the child")
        for _ in range(3):
            assert family.readings().keys() == before.keys()
        with open(tmp_path / "input", "w"):
            process.wait()
            until(lambda: len(family.readings()) == 2, "the program of the child")


def test_what_no_size_tells_is_read_with_the_next_list(
    process: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One size counts files and shared memory together."""
    (tmp_path / "file").write_bytes(bytes(8 * MB // mmap.PAGESIZE * mmap.PAGESIZE))
    process.ask(f"file {tmp_path / 'file'}")
    monkeypatch.setattr(families, "_LISTING_SECONDS", 0)
    with Family(process.pid) as family:
        read(family, process)
        process.ask("trade")
        read(family, process)


def test_the_pages_that_a_process_touches_are_counted(process: Asked) -> None:
    process.ask("fork")
    [child] = procfs.children(process.pid)
    with Family(process.pid) as family:
        family.readings()
        before = family.faults(child)
        process.ask("write")
        until(lambda: family.faults(child) == procfs.faults(child), "the same count")
        assert family.faults(child) - before >= 50 * MB // meter.PAGE_BYTES
        process.ask("end")
        assert family.faults(child) == 0


def test_files_are_closed_when_processes_end_and_at_the_end(process: Asked) -> None:
    before = os.listdir("/proc/self/fd")
    with Family(process.pid) as family:
        process.ask("fork", "fork", "fork")
        for child in family.readings():
            family.faults(child)
        many = os.listdir("/proc/self/fd")
        process.ask("end")
        read(family, process)
        assert len(os.listdir("/proc/self/fd")) == len(many) - 6
    assert os.listdir("/proc/self/fd") == before


def test_without_files_to_spare_none_stays_open_and_all_is_read(process: Asked) -> None:
    before = os.listdir("/proc/self/fd")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as lowest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * lowest.fileno(), limits[1]))
    try:
        with Family(process.pid) as family:
            process.ask("fork")
            read(family, process)
            process.ask("more")
            read(family, process)
            assert os.listdir("/proc/self/fd") == before
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_tree_that_is_gone_has_no_readings(process: Asked) -> None:
    with Family(process.pid) as family:
        family.readings()
        process.process.kill()
        process.process.wait()
        assert family.readings() == {}


def test_threads_of_a_child_are_no_processes(process: Asked) -> None:
    with Family(os.getpid()) as family:
        for _ in range(3):  # the first readings list
            before = family.readings().keys()
        process.ask("thread", "thread")
        assert family.readings().keys() == before
