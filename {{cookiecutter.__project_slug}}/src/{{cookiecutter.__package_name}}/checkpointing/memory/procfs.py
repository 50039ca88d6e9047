"""/proc on Linux: the memory that a process maps, its share of shared pages, and its children.

Read hundreds of times a second, so by few system calls. A process may end at any moment: then
there is nothing to read, and nothing that it holds. See proc(5); all sizes there are in KiB.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # for real it would load pydantic before the fork server is started
    from ..base.units import Count

# A name begins a line: a process may call itself "PPid:", but not with a line break.
_COUNTED = {
    "held": (b"\nRssAnon:", b"\nRssShmem:", b"\nVmSwap:"),
    "rss": (b"\nVmRSS:", b"\nVmSwap:"),
}
_SHARED = b"\nRssShmem:"
_PARENT = b"\nPPid:"
_LEADER = b"\nTgid:"
_ORIGIN = slice(23, 26)  # of the fields after the name: startcode, endcode, startstack
_SHARE = re.compile(
    rb"^(?:Pss_Anon|Pss_Shmem|Private_Dirty|Anonymous|Swap|SwapPss): +(\d+)", re.MULTILINE
)


class Reading(NamedTuple):
    """What a process has mapped, in bytes.

    `shared` is what several map on purpose; `anonymous` is all else that counts: memory of its
    own, or that it shares with processes by fork, and for "rss" also pages of mapped files.
    """

    anonymous: int
    shared: int = 0

    @property
    def bytes(self) -> int:
        return self.anonymous + self.shared


class Stat(NamedTuple):
    """What /proc/PID/stat tells of a process.

    Attributes:
        parent: the process that started or adopted it.
        faults: how often it touched a page that was not there, or not its own to write to.
        origin: where its program, and its first stack, lie in memory. The kernel chooses that at
            random when a process begins a program, and a fork has it from its parent: processes
            with different origins share no anonymous page. Empty where the kernel does not say.
    """

    parent: int = 0
    faults: int = 0
    origin: tuple[bytes, ...] = ()


class Share(NamedTuple):
    """How a process shares its held memory, in bytes.

    Attributes:
        spared: what it would hold more if all its anonymous pages were its own: of a page that n
            processes map, all but 1/n.
        shared: what others map on purpose too, by the same share.
        common: its share of all pages that it does not map alone.
    """

    spared: int = 0
    shared: int = 0
    common: int = 0


def readings(root: int, count: Count) -> dict[int, Reading]:
    """What a process and each of its descendants has mapped, by their numbers."""
    readings: dict[int, Reading] = {}
    seen: dict[bytes, int] = {}
    for pid in tree(root):
        status = contents(f"/proc/{pid}/status")
        if (sizes := address_space(status)) is None:
            continue  # it is gone, or a zombie
        if sizes in seen and seen[sizes] == parent_in(status):
            continue
        seen[sizes] = pid
        readings[pid] = reading_in(status, count)
    return readings


def address_space(status: bytes) -> bytes | None:
    """The figures of what a process has mapped; None if it has nothing mapped any more.

    Between vfork and exec a child has all of its parent's memory, and it is the same memory, to the
    last figure. After a fork those differ: pages of files are not taken over.
    """
    if b"\nRssAnon:" not in status:
        return None
    return status[status.index(b"\nVmPeak:") : status.index(b"\nVmSwap:")]


def reading(pid: int, count: Count) -> Reading:
    """What a process has mapped."""
    status = contents(f"/proc/{pid}/status")
    return reading_in(status, count) if b"\nRssAnon:" in status else Reading(0)


def stat(pid: int) -> Stat:
    """What the kernel tells of a process in one line; nothing when it is gone."""
    line = contents(f"/proc/{pid}/stat")
    numbers = _behind_name(line).split()
    if not numbers:
        return Stat()
    origin = tuple(numbers[_ORIGIN])
    is_told = all(origin) and origin[0] not in (b"0", b"1")  # 0, or 1 of another user's process
    return Stat(int(numbers[1]), faults_in(line), origin if is_told else ())


def faults(pid: int) -> int:
    """`Stat.faults` alone; 0 when the process is gone."""
    return faults_in(contents(f"/proc/{pid}/stat"))


def share(pid: int) -> Share | None:
    """How a process shares what it has mapped; nothing when it is gone.

    The kernel walks through all its pages for that: 1 ms, and 10 ms for each gigabyte. None when
    it does not tell: of another user's process, or before Linux 5.4.
    """
    try:
        fields = _SHARE.findall(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return Share()
    except OSError:
        return None
    if len(fields) != 6:
        return None
    anonymous, shared, private, whole, swapped, swap_share = (int(field) << 10 for field in fields)
    held = anonymous + shared + swap_share
    spared = whole - anonymous + swapped - swap_share
    return Share(spared, shared, max(0, held - private - swap_share))


def parent(pid: int) -> int:
    """The process that a process was forked from; 0 when it is gone."""
    status = contents(f"/proc/{pid}/status")
    return parent_in(status) if status else 0


def tree(root: int) -> Iterator[int]:
    """A process and its descendants, parents first."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children(pid)


def children(pid: int) -> list[int]:
    """The processes that a process has started or adopted, those that ended unnoticed too."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []  # it ended while we looked
    found: list[int] = []
    for task in tasks:
        found += map(int, contents(f"/proc/{pid}/task/{task}/children").split())
    return found


def reading_in(status: bytes, count: Count) -> Reading:
    """What a process has mapped, by the text of its status."""
    shared = _bytes(status, _SHARED)
    return Reading(sum(_bytes(status, name) for name in _COUNTED[count]) - shared, shared)


def _bytes(status: bytes, name: bytes) -> int:
    start = status.index(name) + len(name)
    return int(status[start : status.index(b" kB", start)]) << 10


def faults_in(line: bytes) -> int:
    """`Stat.faults`, by the beginning of the line at least; 0 if there is none."""
    numbers = _behind_name(line).split(None, 10)
    return int(numbers[7]) + int(numbers[9]) if numbers else 0


def _behind_name(line: bytes) -> bytes:
    return line.rpartition(b")")[2]  # a name may hold spaces


def parent_in(status: bytes) -> int:
    """The parent of a process, by the text of its status."""
    return _number(status, _PARENT)


def leader_in(status: bytes) -> int:
    """The process of a thread, by the text of its status."""
    return _number(status, _LEADER)


def _number(status: bytes, name: bytes) -> int:
    start = status.index(name) + len(name)
    return int(status[start : status.index(b"\n", start)])


def contents(path: str) -> bytes:
    """What a file of the kernel says now; nothing if it is gone, or not for us."""
    parts = []
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return b"".join(parts)
