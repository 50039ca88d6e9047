"""A process and its descendants, followed over time: what a watch reads a hundred times a second.

To list a tree, the kernel is asked for the children of every thread of every process, and to read
a process its file is opened, read and closed. That is most of what a watch costs. Here the file of
each process stays open, and the tree is listed when the kernel has given out numbers since.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING

from . import meter, procfs
from .kept import KeptFile
from .procfs import Reading

if TYPE_CHECKING:  # for real it would load pydantic before the fork server is started
    from ..base.units import Count

_LISTING_SECONDS = 0.5  # so often the tree is listed in any case, and all figures are read
_TRIES = 5  # readings for which a number may be given out before its process is there
_LOAD = "/proc/loadavg"


class Family:
    """Reads what a process and all its descendants have mapped; close it at the end.

    **A new process is seen by the next reading**, as if the tree were listed each time. Every
    process and every thread on Linux gets the next free number, and /proc/loadavg tells the last
    one given out: so a process has come only if that has changed, and its number lies in between.
    Only these are looked at, or the whole tree, whichever is less. The tree is listed anyway now
    and then; if that ever shows a process that the numbers did not, or where a test at the start
    shows that they do not tell (a container may make up its own /proc/loadavg), it is listed for
    each reading.

    What a process has mapped is read from its `statm`, of which some figures give all that counts
    as long as the others stay the same; else from its `status`. A process that ends takes its open
    file along: another one that gets its number is not mistaken for it.

    Args:
        root: the process.
        count: how memory is counted.
        adopter: the process all of whose children belong to the family; 0 if there is none.
    """

    def __init__(self, root: int, count: Count = "held", adopter: int = 0) -> None:
        self.root = root
        self._count: Count = count
        self._adopter = adopter
        self._members: dict[int, _Member] = {}
        self._unborn: dict[int, int] = {}
        self._is_told = meter.ON_LINUX and _numbers_tell()
        self._load = KeptFile(_LOAD)
        self._last = self._before = 0
        self._next_listing = 0.0
        self._has_swap = True
        self._lines: list[bytes] = []
        self._readings: dict[int, Reading] = {}

    def __enter__(self) -> Family:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files."""
        for member in self._members.values():
            member.close()
        self._members.clear()
        self._load.close()
        self._next_listing = 0.0

    def readings(self) -> dict[int, Reading]:
        """What each process has mapped, by their numbers; parents come before children.

        The same dict as before where nothing has changed, which is nearly always so: not to be
        written to.
        """
        if not meter.ON_LINUX:
            return meter.tree_readings(self.root, self._count)
        self._follow()
        lines = [member.read() for member in self._members.values()]
        if lines == self._lines:
            return self._readings
        readings: dict[int, Reading] = {}
        for (pid, member), line in zip(list(self._members.items()), lines, strict=True):
            if not line:
                member.close()
                del self._members[pid]
            elif line == member.line:
                readings[pid] = member.reading
            elif line.startswith(b"0 "):
                continue  # a zombie; or its first thread has ended, and the kernel tells no more
            elif not self._is_twin(member, line):
                readings[pid] = member.update(line, self._count, self._has_swap)
        # A twin may cease to be one though no figure of `statm` tells.
        self._lines = lines if len(readings) == len(lines) else []
        self._readings = readings
        return readings

    def faults(self, pid: int) -> int:
        """How often a process touched a page that was not there, or not its own to write to."""
        member = self._members.get(pid)
        return member.faults() if member is not None else procfs.faults(pid)

    def below(self, roots: Collection[int]) -> list[int]:
        """The members that are one of some processes or come from one of them."""
        below: dict[int, None] = {}
        for pid, member in self._members.items():  # parents come before children
            if pid in roots or member.parent in below:
                below[pid] = None
        return list(below)

    def _follow(self) -> None:
        """Take in the processes that have come."""
        last, former = _last_number(self._load.read()), self._last
        if (
            not self._is_told
            or time.monotonic() >= self._next_listing
            or not former <= last <= former + len(self._members)
        ):
            self._list(last)
            return
        waiting = self._unborn | dict.fromkeys(range(former + 1, last + 1), _TRIES)
        self._last, self._before, self._unborn = last, last, {}
        for number, tries in waiting.items():
            if status := procfs.contents(f"/proc/{number}/status"):
                self._meet(number, status)
            elif tries > 1:
                self._unborn[number] = tries - 1

    def _meet(self, number: int, status: bytes) -> None:
        """Take in a new process, if its parent is of the family; the number may be a thread's."""
        parent = procfs.parent_in(status)
        is_new = procfs.leader_in(status) == number and number not in self._members
        if is_new and (parent in self._members or parent == self._adopter):
            self._add(number, parent)

    def _list(self, last: int) -> None:
        """List the whole tree, and no longer believe in numbers that did not tell of a process.

        A process that was given its number since the reading before may not be in its parent's
        list yet: the next reading looks at these numbers.
        """
        listed = list(procfs.tree(self.root))
        for child in procfs.children(self._adopter) if self._adopter else ():
            listed += procfs.tree(child) if child not in listed else ()
        is_settled = last == self._last == _last_number(self._load.read())
        for pid in listed:
            if pid not in self._members and self._add(pid, procfs.parent(pid)):
                self._is_told &= not is_settled or pid in self._unborn
        for pid in self._members.keys() - set(listed):
            self._members.pop(pid).close()
        self._members = {pid: self._members[pid] for pid in listed if pid in self._members}
        for member in self._members.values():
            member.forget()
        self._lines = []
        self._has_swap = procfs.contents("/proc/swaps").count(b"\n") != 1
        self._last, self._before, self._unborn = self._before, last, {}
        self._next_listing = time.monotonic() + _LISTING_SECONDS

    def _add(self, number: int, parent: int) -> bool:
        """Take in a process; whether it is there, and ours to read."""
        member = _Member(number, parent)
        if member.read():
            self._members[number] = member
            return True
        member.close()
        return False

    def _is_twin(self, member: _Member, line: bytes) -> bool:
        """Whether a process still uses the memory of its parent, as between vfork and exec."""
        parent = self._members.get(member.parent)
        if parent is None or parent.line != line:
            return False
        own, others = (
            procfs.address_space(procfs.contents(f"/proc/{pid}/status"))
            for pid in (member.pid, member.parent)
        )
        return own is not None and own == others


class _Member:
    """One process: its open file, and what it has mapped.

    Attributes:
        line: the sizes by which `reading` was found; empty when it has to be read anew.
        reading: what the process has mapped.
    """

    def __init__(self, pid: int, parent: int) -> None:
        self.pid = pid
        self.parent = parent
        self.line = b""
        self.reading = Reading(0)
        self._file = KeptFile(f"/proc/{pid}/statm")
        self._stat: KeptFile | None = None
        self._mapped_files = b""

    def close(self) -> None:
        self._file.close()
        if self._stat is not None:
            self._stat.close()

    def read(self) -> bytes:
        """Its sizes now, in one line; empty when it is gone."""
        return self._file.read()

    def faults(self) -> int:
        """How often it touched a page; its file, which few processes need, stays open from now."""
        if self._stat is None:
            self._stat = KeptFile(f"/proc/{self.pid}/stat")
        return procfs.faults_in(self._stat.read())

    def forget(self) -> None:
        """Have all its figures read anew."""
        self.line = self._mapped_files = b""

    def update(self, line: bytes, count: Count, has_swap: bool) -> Reading:
        """What it has mapped, by a line that differs from the last one.

        The third size is that of mapped files and of shared memory together. While it stays what it
        was, so does shared memory; and what is resident besides that is anonymous.
        """
        _, resident, mapped_files, _ = line.split(b" ", 3)
        if mapped_files == self._mapped_files and not has_swap:
            pages = int(resident) - (int(mapped_files) if count == "held" else 0)
            shared = self.reading.shared
            anonymous = pages * meter.PAGE_BYTES - (shared if count == "rss" else 0)
            self.reading = Reading(anonymous, shared)
        else:
            self.reading = procfs.reading(self.pid, count)
            self._mapped_files = mapped_files
        self.line = line
        return self.reading


def _last_number(load: bytes) -> int:
    """The number that was given out last, by the text of /proc/loadavg; 0: nobody knows."""
    number = load.rpartition(b" ")[2].strip()
    return int(number) if number.isdigit() else 0


@cache
def _numbers_tell() -> bool:
    """Whether /proc/loadavg tells of what starts: it has to tell of a thread."""
    numbers: list[int] = []
    thread = threading.Thread(target=lambda: numbers.append(threading.get_native_id()))
    before = _last_number(procfs.contents(_LOAD))
    try:
        thread.start()
    except RuntimeError:  # no thread may be started; and so perhaps no process
        return False
    thread.join()
    return before < numbers[0] <= _last_number(procfs.contents(_LOAD))
