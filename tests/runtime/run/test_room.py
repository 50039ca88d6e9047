"""The disk that parts at work at once may take: who gets how much, and who waits for what."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any

import pytest
from flight_delays.checkpointing.base.interrupts import called_off_by
from flight_delays.checkpointing.run.room import Room

from ..conftest import Project, until

SECONDS = 60.0  # the most that a thread waits for another one
MB = 10**6

HALF = """
import os, time

@step
def NAME(mb: int, meet: str) -> np.ndarray:
    ran("NAME")
    Path("NAME.here").touch()
    deadline = time.monotonic() + 60
    while meet and not os.path.exists("OTHER.here"):
        assert time.monotonic() < deadline, "the other half did not come"
        time.sleep(0.01)
    return np.arange(mb * 125_000, dtype=float)
"""
WHOLE = """
@step
def whole(left: np.ndarray, right: np.ndarray) -> float:
    return float(left.sum() + right.sum())
"""


class Part(threading.Thread):
    """A part that has room until it `ends`."""

    def __init__(self, room: Room, left: int, expected: int | None) -> None:
        super().__init__(daemon=True)
        self._room, self._left, self._expected = room, left, expected
        self._off, self._over = threading.Event(), threading.Event()
        self.bytes: int | None = None
        self.start()

    def run(self) -> None:
        with called_off_by(self._off):
            try:
                with self._room.grant(lambda: self._left, self._expected) as granted:
                    self.bytes = granted.bytes
                    self._over.wait(SECONDS)
            except KeyboardInterrupt:
                return

    @property
    def has_room(self) -> bool:
        return self.bytes is not None

    def end(self) -> None:
        self._over.set()
        self.join(SECONDS)

    def call_off(self) -> None:
        self._off.set()
        self.join(SECONDS)


def test_parts_at_once_get_twice_what_is_expected_or_a_part_of_all() -> None:
    room = Room()
    with ExitStack() as stack:
        granted = [
            stack.enter_context(room.grant(lambda: 3200, expected)) for expected in (500, 0, 1000)
        ]
    assert [each.bytes for each in granted] == [1000, 100, 2000]
    assert not any(each.is_all for each in granted)


def test_a_part_waits_for_what_it_may_need_and_one_that_came_later_waits_behind_it() -> None:
    room = Room()
    first = Part(room, 1000, 300)
    until(lambda: first.has_room, "the first part")
    large = Part(room, 1000, 400)
    until(lambda: len(room._queue) == 1, "a part that waits")
    small = Part(room, 1000, 10)
    until(lambda: len(room._queue) == 2, "another one")
    assert not large.has_room
    assert not small.has_room
    first.end()
    until(lambda: large.has_room and small.has_room, "both")
    assert (large.bytes, small.bytes) == (800, 31)
    large.end()
    small.end()


@pytest.mark.parametrize("expected", [None, 600])
def test_a_part_alone_gets_what_is_left_and_no_other_begins_beside_it(
    expected: int | None,
) -> None:
    """Whether nobody knows what it needs, or it needs more than there is."""
    room = Room()
    with room.grant(lambda: 1000, expected) as granted:
        assert (granted.bytes, granted.is_all) == (1000, True)
        other = Part(room, 1000, 10)
        until(lambda: len(room._queue) == 1, "a part that waits")
        assert not other.has_room
    until(lambda: other.has_room, "the other part")
    other.end()


def test_a_part_that_waits_is_called_off() -> None:
    room = Room()
    with room.grant(lambda: 1000, None):
        other = Part(room, 1000, None)
        until(lambda: len(room._queue) == 1, "a part that waits")
        other.call_off()
        assert not other.is_alive()
        assert room._queue == []


def test_what_a_part_has_written_counts_also_when_it_failed() -> None:
    asked: list[str] = []
    room = Room()

    def left() -> int:
        asked.append("left")
        return 1000

    def fail() -> None:
        with room.grant(left, 10):
            asked.clear()
            raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        fail()
    assert asked == ["left"]


SPILLING = """
import os
import polars as pl

@step
def NAME() -> pl.DataFrame:
    return pl.DataFrame({"megabytes": [int(os.environ["POLARS_OOC_DISK_BUDGET_MB"])]})
"""


def test_an_engine_may_spill_into_all_that_is_left_whoever_runs_beside_it(
    project: Project,
) -> None:
    """Also when its part was measured: what it spills was not."""
    project.segments(s01=SPILLING.replace("NAME", "left"), s02=SPILLING.replace("NAME", "right"))
    project.write(
        "memory_budget.toml",
        (project.folder / "memory_budget.toml").read_text()
        + '\n[checkpoints]\nmax_disk = "2 GB"\n',
    )
    for _ in range(2):
        assert project.run("--jobs", "2", "--budget", "2GB", "--fresh")["exit_code"] == 0
        for name in ("left", "right"):
            code = f"print(int(PIPELINE.load('{name}')['megabytes'][0]))"
            assert int(project.python(f"from demo.pipeline import PIPELINE; {code}")) > 1900


@pytest.fixture
def halves(project: Project) -> Project:
    """Two segments of which each made 1 MB when it was measured, and one that reads both."""
    project.segments(
        s01_left=HALF.replace("NAME", "left").replace("OTHER", "right"),
        s02_right=HALF.replace("NAME", "right").replace("OTHER", "left"),
        s03_whole=WHOLE,
    )
    project.write("pipeline.toml", '[params]\nmb = 1\nmeet = ""\n')
    assert project.run()["exit_code"] == 0
    for file in project.folder.glob("*.here"):
        file.unlink()
    project.executed()
    return project


def grown(halves: Project, max_disk: str) -> dict[str, Any]:
    """A run in which both halves are at work at once, and each makes 30 MB."""
    halves.write(
        "memory_budget.toml",
        f'[cluster]\nram = "100 GB"\nquota = "50 %"\n[checkpoints]\nmax_disk = "{max_disk}"\n',
    )
    options = ("--set", "mb=30", "--set", "meet=yes", "--budget", "2GB", "--jobs", "2")
    return halves.run(*options)


def test_files_that_had_no_room_beside_others_are_made_again_alone(halves: Project) -> None:
    record = grown(halves, "70 MB")
    assert record["exit_code"] == 0, record["error"]
    assert sorted(halves.executed()) == ["left", "left", "right", "right"]


def test_what_is_at_work_at_once_keeps_to_max_disk_together(halves: Project) -> None:
    record = grown(halves, "50 MB")
    assert record["exit_code"] == 5
    assert "max_disk in memory_budget.toml leaves 18" in record["error"]["message"]
    files = (path for path in halves.checkpoints().rglob("*") if path.is_file())
    assert 30 * MB < sum(path.stat().st_size for path in files) < 50 * MB
