"""The control group of one worker: the kernel holds it still at a limit, and ends it as a whole.

The kernel charges a group for more than a budget counts: for pages of files that it has read or
written, which it drops when it needs room; and for what cannot be dropped though no process holds
it: page tables, other memory of the kernel, what is not on disk yet, and files in a folder in
memory. So the limit is the budget, less what processes outside of the group hold, and above it what
there is of the second kind, and a margin.

At this limit (`memory.high`) the kernel lets a thread that takes a page wait: for milliseconds when
the group is 1 % above it, for half a second at 10 %. Meanwhile the watchdog takes its sample, and
either makes room for what the budget does not count, or kills what is above it. So no part is
killed for files that it writes, however fast it writes them, and none gets far. Should the watchdog
not come, the kernel kills the group where it reaches `memory.max`.

Limits: shared memory is charged like files in memory, so it is made room for, too; only the
watchdog bounds it.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psutil

from . import procfs
from .kept import KeptFile
from .warden import GROUPS, divided

_LEAST_MARGIN = 32 << 20
_MARGIN = 64  # of the budget, such a part
_LEAST_BEYOND = 256 << 20
_BEYOND = 8  # of the budget, such a part
_CLOSE = 0.75  # of its limit; what a group is charged for is looked at from there on
_NOT_COUNTED = ("sock", "file_dirty", "file_writeback", "shmem")
_OF_KERNEL = ("kernel_stack", "pagetables", "percpu", "slab")  # what Linux before 5.18 tells of it
_ASKED = re.compile(
    "^({}) ([0-9]+)$".format(
        "|".join({*_NOT_COUNTED, *_OF_KERNEL, "kernel", "oom", "oom_kill"})
    ).encode(),
    re.MULTILINE,
)
_END_SECONDS = 5.0  # a process in a disk wait cannot even be killed
_AGAIN_SECONDS = 0.002
_numbers = count()


class Guard:
    """The group of one worker and of all that it starts.

    Args:
        folder: of the group, which is there.
        most: what the processes of the run may come to hold, in bytes.
        outside: what those hold that are not in the group.
    """

    def __init__(self, folder: Path, most: int, outside: int) -> None:
        self.folder = folder
        self._most = most
        self._within = max(0, most - outside) + margin(most)
        self._limit = 0
        self._current = KeptFile(str(folder / "memory.current"))

    def set_up(self) -> None:
        """Set the limits of the group. Raises OSError."""
        (self.folder / "memory.oom.group").write_text("1")
        with suppress(FileNotFoundError):  # a kernel without swap
            (self.folder / "memory.swap.max").write_text("0")
        self._set(self._within)

    def has(self, pid: int) -> bool:
        """Whether a process is in the group."""
        return str(pid).encode() in procfs.contents(str(self.folder / "cgroup.procs")).split()

    def adjust(self) -> None:
        """Make room for what has come that the budget does not count."""
        current = self._current.read().strip()
        if not current.isdigit() or int(current) < _CLOSE * self._limit:
            return
        needed = self._within + _not_counted(self.folder)
        if needed > self._limit:
            with suppress(OSError):
                self._set(needed)

    def exceeded(self) -> int | None:
        """What the processes of the run held when the kernel killed it; None if it did not.

        That is more than the watchdog lets pass. Where the whole machine was out of memory, the
        kernel kills too, but then no limit was reached.
        """
        events = _figures(self.folder / "memory.events")
        is_over = events.get("oom", 0) > 0 and events.get("oom_kill", 0) > 0
        return self._most + margin(self._most) + beyond(self._most) if is_over else None

    def end(self) -> None:
        """Kill what is in the group, all at once, and remove the group."""
        self._current.close()
        deadline = time.monotonic() + _END_SECONDS
        while not _is_removed(self.folder) and time.monotonic() < deadline:
            _kill(self.folder)
            time.sleep(_AGAIN_SECONDS)

    def _set(self, limit: int) -> None:
        (self.folder / "memory.max").write_text(str(limit + beyond(self._most)))
        (self.folder / "memory.high").write_text(str(limit))
        self._limit = limit


def margin(most: int) -> int:
    """By how much a part may exceed its budget before the kernel lets it wait, in bytes."""
    return max(_LEAST_MARGIN, most // _MARGIN)


def beyond(most: int) -> int:
    """And by how much more, before the kernel kills it."""
    return max(_LEAST_BEYOND, most // _BEYOND)


@contextmanager
def guarded(most: int | None, outside: int, root: Path = Path("/")) -> Iterator[Guard | None]:
    """A group for a worker, as long as this context; None where there can be none.

    Args:
        most: what the processes of the run may come to hold, in bytes; None if there is no limit.
        outside: what those hold that will not be in the group.
        root: the folder that holds the system's own folders `proc` and `sys`.
    """
    guard = None if most is None else _made(most, outside, root)
    try:
        yield guard
    finally:
        if guard is not None:
            guard.end()


def join(folder: str) -> None:
    """Move this process into a group, with all that it will start; its parent sees whether it is.

    What it has so far stays charged to the group that it leaves.
    """
    with suppress(OSError):
        Path(folder, "cgroup.procs").write_text("0")


def _made(most: int, outside: int, root: Path) -> Guard | None:
    place = divided(root)
    if place is None:
        return None
    _sweep(place)
    guard = Guard(place / f"{GROUPS}-{os.getpid()}-{next(_numbers)}", most, outside)
    try:
        guard.folder.mkdir()
        guard.set_up()
    except OSError:
        guard.end()
        return None
    return guard


def _sweep(place: Path) -> None:
    """Remove the empty groups of processes that have ended without doing so."""
    for folder in place.glob(f"{GROUPS}-*-*"):
        owner = folder.name.split("-")[1]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            _is_removed(folder)


def _is_removed(folder: Path) -> bool:
    """Remove a group without processes, and those that were made below it; whether it is gone."""
    try:
        for below in filter(Path.is_dir, folder.iterdir()):
            _is_removed(below)
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _kill(folder: Path) -> None:
    with suppress(OSError):
        if (folder / "cgroup.kill").exists():
            (folder / "cgroup.kill").write_text("1")
            return
        for pid in (folder / "cgroup.procs").read_text().split():  # before Linux 5.14
            os.kill(int(pid), signal.SIGKILL)


def _not_counted(folder: Path) -> int:
    """The room for what a group is charged for that is not held, and not dropped, in bytes."""
    figures = _figures(folder / "memory.stat")
    of_kernel = figures.get("kernel", sum(figures.get(name, 0) for name in _OF_KERNEL))
    return of_kernel + sum(figures.get(name, 0) for name in _NOT_COUNTED)


def _figures(path: Path) -> dict[str, int]:
    """The figures of a file of lines, each a name and a number, that we ask for; none if gone."""
    pairs = _ASKED.findall(procfs.contents(str(path)))
    return {name.decode("ascii"): int(number) for name, number in pairs}
