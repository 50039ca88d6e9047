"""How a tree shares memory is found out with few questions, which tell what all of them tell."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from flight_delays.checkpointing.memory import meter, procfs, sharing
from flight_delays.checkpointing.memory.sharing import Look

from .families import Asked, asked

MB = 10**6

pytestmark = pytest.mark.skipif(not meter.ON_LINUX, reason="reads /proc")


@pytest.fixture
def process() -> Iterator[Asked]:
    with asked() as process:
        yield process


def look(process: Asked, *, ask_all: bool = False) -> Look:
    """Look at the tree of a process that stands still."""

    def read() -> dict[int, procfs.Reading]:
        return meter.tree_readings(process.pid)

    found, _ = sharing.look(read(), process.pid, read, ask_all=ask_all)
    return found


@pytest.mark.parametrize(
    "asked_for",
    [
        (),
        ("program",),
        ("fork",),
        ("fork", "program", "shared"),
        ("fork", "fork"),
        ("fork", "grandchild", "shared"),
        ("shared", "fork", "fork"),
        ("fork", "write", "fork"),
    ],
    ids=" ".join,
)
def test_few_questions_tell_what_all_of_them_tell(
    process: Asked, asked_for: tuple[str, ...]
) -> None:
    process.ask(*asked_for)
    few, all_asked = look(process), look(process, ask_all=True)

    assert few.spared == pytest.approx(all_asked.spared, abs=MB)
    now = meter.tree_readings(process.pid)
    assert few.least(now) == pytest.approx(all_asked.least(now), abs=MB)


def test_what_is_presumed_is_certain_and_close_to_the_truth(process: Asked) -> None:
    process.ask("fork", "fork", "shared", "program")
    now = meter.tree_readings(process.pid)
    presumed = sharing.presumed(now, process.pid)

    assert presumed is not None
    truth = look(process, ask_all=True).least(now)
    assert truth - 8 * MB < presumed.least(now) <= truth
    assert truth <= presumed.least(now) + presumed.doubt(now)


def test_a_tree_that_may_share_with_others_is_presumed_to_do_nothing(process: Asked) -> None:
    process.ask("fork")
    [child] = procfs.children(process.pid)

    assert sharing.presumed(meter.tree_readings(child), child) is None


def test_a_fork_has_the_origin_of_its_parent_and_a_program_has_its_own(process: Asked) -> None:
    process.ask("fork", "program")
    fork, program = (procfs.stat(pid).origin for pid in procfs.children(process.pid))
    own = procfs.stat(process.pid).origin

    assert own == fork
    assert len({own, program, procfs.stat(os.getpid()).origin}) == 3


def test_a_copy_that_is_made_after_a_look_is_within_its_bounds(process: Asked) -> None:
    process.ask("fork", "fork")
    before = look(process)
    process.ask("write")
    now = meter.tree_readings(process.pid)

    truth = look(process, ask_all=True).least(now)
    assert before.least(now) + before.doubt(now) >= truth
    assert before.doubt(now) > 50 * MB
