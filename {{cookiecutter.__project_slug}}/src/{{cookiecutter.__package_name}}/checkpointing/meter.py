"""Memory as the operating system counts it: the one file that knows which system this is.

*Held* memory is RssAnon + RssShmem + VmSwap: what the kernel cannot simply drop. Pages of a mapped
checkpoint are not in it. *rss* counts those too, for schedulers that do. Linux is read from /proc;
elsewhere psutil gives the nearest figure. What the system allows is read in `limits`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

if TYPE_CHECKING:  # for real it would load pydantic before the fork server is started
    from .settings import Count

ON_LINUX = sys.platform == "linux"
START_METHOD: Literal["forkserver", "spawn"] = "forkserver" if ON_LINUX else "spawn"

_COUNTED = {
    "held": (b"RssAnon:", b"RssShmem:", b"VmSwap:"),
    "rss": (b"VmRSS:", b"VmSwap:"),
}
_LIBC = ctypes.CDLL(None) if ON_LINUX else None
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_STOP: int | None = getattr(signal, "SIGSTOP", None)
_KILL: int = getattr(signal, "SIGKILL", signal.SIGTERM)


def tree_bytes(pid: int, count: Count = "held") -> int:
    """Memory of a process and all its descendants, in bytes. A process that is gone counts 0."""
    return sum(process_bytes(member, count) for member in process_tree(pid))


def process_bytes(pid: int, count: Count = "held") -> int:
    """Memory of one process, in bytes; 0 when it is gone."""
    if not ON_LINUX:
        return _portable_bytes(pid, count)
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return 0
    fields = _COUNTED[count]
    return (
        sum(int(line.split()[1]) for line in status.splitlines() if line.startswith(fields)) << 10
    )


def process_tree(pid: int) -> Iterator[int]:
    """The process and its descendants, parents first."""
    if not ON_LINUX:
        yield pid
        try:
            yield from (child.pid for child in psutil.Process(pid).children(recursive=True))
        except psutil.Error:
            return
        return
    waiting = [pid]
    while waiting:
        member = waiting.pop()
        yield member
        try:
            for task in os.scandir(f"/proc/{member}/task"):
                waiting += map(int, Path(task.path, "children").read_bytes().split())
        except OSError:
            continue  # it ended while we looked


def kill_tree(pid: int) -> None:
    """Kill a process and everything that it started."""
    _kill(process_tree(pid))


def kill_children(pid: int) -> None:
    """Kill everything that a process started, and spare the process itself."""
    _kill(member for member in process_tree(pid) if member != pid)


def _kill(members: Iterable[int]) -> None:
    """Kill processes that come parents first.

    Each is stopped before its children are looked up: none is missed that it starts meanwhile, or
    that would be handed on to another parent by its end.
    """
    stopped = []
    for member in members:
        _signal(member, _STOP)
        stopped.append(member)
    for member in stopped:
        _signal(member, _KILL)


def _signal(pid: int, number: int | None) -> None:
    """Send a signal that the system has to a process that may be gone."""
    with contextlib.suppress(OSError):
        if number is not None:
            os.kill(pid, number)


def mapped_ranges(folder: Path) -> list[tuple[int, int]]:
    """Where this process has files below a folder mapped: from address, to address.

    Empty where the system does not tell; mapped files then count as held memory.
    """
    try:
        lines = Path("/proc/self/maps").read_bytes().splitlines()
    except OSError:
        return []
    inside = os.fsencode(folder.resolve()) + b"/"
    spans = [line.split(None, 1)[0].split(b"-") for line in lines if inside in line]
    return [(int(start, 16), int(stop, 16)) for start, stop in spans]


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the process that forked it ends.

    That is the fork server, which ends when nobody holds its pipe any more. Every process that it
    forks is given a copy of the pipe, and would so keep alive what it is to die with.
    """
    if _LIBC is not None:
        from multiprocessing import forkserver

        server: Any = forkserver._forkserver
        if server._forkserver_alive_fd is not None:
            os.close(server._forkserver_alive_fd)
            server._forkserver_alive_fd = None
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def give_back_memory() -> None:
    """Return to the system what this process holds and does not use.

    Cycles of Python objects hold on to columns: the accessors of pandas, such as `.str`, make one
    each. And glibc keeps freed blocks that lie between used ones.
    """
    gc.collect()
    if ON_LINUX and (trim := getattr(_LIBC, "malloc_trim", None)) is not None:
        trim(0)


def _portable_bytes(pid: int, count: Count) -> int:
    try:
        process = psutil.Process(pid)
        if count == "held":
            return int(process.memory_full_info().uss)
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
