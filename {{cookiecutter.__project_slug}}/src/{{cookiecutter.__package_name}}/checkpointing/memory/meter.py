"""Memory as the operating system counts it: the only OS-specific module.

*Held* memory is RssAnon + RssShmem + VmSwap: pages that the kernel cannot simply drop, so none of
a mapped checkpoint. *rss* counts those too, for schedulers that do. Both count a page in full for
each process that maps it; `gauge` counts it once. On Linux `procfs` reads /proc; elsewhere psutil
gives the nearest figure. `limits` reads what the system allows.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from . import procfs
from .procfs import Reading

if TYPE_CHECKING:  # for real it would load pydantic before the fork server is started
    from ..base.units import Count

PORTABLE = "CHECKPOINTING_PORTABLE"
"""This environment variable, if not empty, makes Linux behave as other systems: for our tests."""

ON_LINUX = sys.platform == "linux" and not os.environ.get(PORTABLE)
START_METHOD: Literal["forkserver", "spawn"] = "forkserver" if ON_LINUX else "spawn"

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if ON_LINUX else 4096

_LIBC = ctypes.CDLL(None) if ON_LINUX else None
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_MADV_DONTNEED = 4  # linux/mman.h
_STOP: int | None = getattr(signal, "SIGSTOP", None)
_CONTINUE: int | None = getattr(signal, "SIGCONT", None)
_TRACKER = "resource_tracker import main"
_KILL: int = getattr(signal, "SIGKILL", signal.SIGTERM)


def tree_bytes(pid: int, count: Count = "held") -> int:
    """Memory of a process and all its descendants, in bytes. A process that is gone counts 0.

    Shared pages count for each process; `gauge` counts them once.
    """
    return sum(reading.bytes for reading in tree_readings(pid, count).values())


def tree_readings(pid: int, count: Count = "held") -> dict[int, Reading]:
    """The mapped memory of a process and each of its descendants, by process id."""
    if ON_LINUX:
        return procfs.readings(pid, count)
    return {member: Reading(_portable_bytes(member, count)) for member in process_tree(pid)}


def process_bytes(pid: int, count: Count = "held") -> int:
    """Memory of one process, in bytes; 0 when it is gone. Shared pages count in full."""
    return procfs.reading(pid, count).bytes if ON_LINUX else _portable_bytes(pid, count)


def process_tree(pid: int) -> Iterator[int]:
    """The process and its descendants, parents first."""
    if ON_LINUX:
        yield from procfs.tree(pid)
        return
    yield pid
    with suppress(psutil.Error):
        yield from (child.pid for child in psutil.Process(pid).children(recursive=True))


def kill_tree(pid: int, *, patient: bool = False) -> None:
    """Kill a process and all its descendants.

    Args:
        patient: leave the trackers of resources: each removes what its processes registered as
            soon as these have ended, and then ends itself.
    """
    _kill(process_tree(pid), patient=patient)


def kill_children(pid: int, *, patient: bool = False) -> None:
    """Kill all descendants of a process, but not the process itself; `patient` as above."""
    _kill((member for member in process_tree(pid) if member != pid), patient=patient)


def stop_tree(pid: int) -> None:
    """Hold a process and all its descendants still, which are about to be killed."""
    _stopped(process_tree(pid))


def _kill(members: Iterable[int], *, patient: bool) -> None:
    stopped = _stopped(members)
    spared = [member for member in stopped if patient and _is_tracker(member)]
    _send([member for member in stopped if member not in spared], _KILL)
    _send(spared, _CONTINUE)


def _stopped(members: Iterable[int]) -> list[int]:
    """Stop processes that come parents first.

    Each is stopped before its children are listed, so that it cannot start another meanwhile, or
    end and hand its children to another parent.
    """
    stopped = []
    for member in members:
        _send([member], _STOP)
        stopped.append(member)
    return stopped


def _is_tracker(pid: int) -> bool:
    """Whether a process is a tracker of resources, of multiprocessing or of joblib."""
    try:
        return _TRACKER in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process and all its descendants, and let them continue at the end."""
    members = list(process_tree(pid))
    _send(members, signal.SIGSTOP)
    try:
        yield
    finally:
        _send(members, signal.SIGCONT)


def mapped_ranges(folder: Path, only: bytes = b"") -> list[tuple[int, int]]:
    """The address ranges (start, stop) at which this process maps files below a folder.

    With `only`, those whose permissions begin so in /proc/self/maps.
    Empty where the system does not say; mapped files then count as held memory.
    """
    if not ON_LINUX:
        return []
    try:
        lines = Path("/proc/self/maps").read_bytes().splitlines()
    except OSError:
        return []
    inside = os.fsencode(folder.resolve()) + b"/"
    spans = [
        line.split(None, 1)[0].split(b"-") for line in lines if inside in line and only in line
    ]
    return [(int(start, 16), int(stop, 16)) for start, stop in spans]


def let_go_of_mapped(folder: Path) -> None:
    """Tell the kernel that no page of the mapped files below a folder is needed for now.

    They count no more as resident; what is read of them again is mapped again. Files that are
    mapped to be written, or as a copy, stay as they are.
    """
    if _LIBC is None or (advise := getattr(_LIBC, "madvise", None)) is None:
        return
    for start, stop in mapped_ranges(folder, only=b" r--"):
        advise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), _MADV_DONTNEED)


def letting_go(folder: Path, count: Count) -> Callable[[], None] | None:
    """What lets go of the mapped files below a folder, where mapped pages count; else None."""
    return partial(let_go_of_mapped, folder) if count == "rss" else None


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the process that forked it ends.

    That is the fork server, which ends when its pipe is closed. Every process that it forks gets
    a copy of the pipe, and would keep the server alive: so this closes the copy.
    """
    if _LIBC is not None:
        from multiprocessing import forkserver

        server: Any = forkserver._forkserver
        if server._forkserver_alive_fd is not None:
            os.close(server._forkserver_alive_fd)
            server._forkserver_alive_fd = None
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Ask the kernel to make this process the parent of its descendants whose parent has ended."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def give_back_memory() -> None:
    """Return unused memory of this process to the system.

    Cycles of Python objects keep columns alive: each accessor of pandas, such as `.str`, makes
    one. And glibc keeps freed blocks that lie between used ones.
    """
    gc.collect()
    trim()


def trim() -> None:
    """Return the blocks to the system that glibc keeps though they are free."""
    if ON_LINUX and (trim := getattr(_LIBC, "malloc_trim", None)) is not None:
        trim(0)


def _send(members: list[int], number: int | None) -> None:
    """Send a signal, if the system has it, to processes, some of which may be gone."""
    if number is None:
        return
    for member in members:
        with suppress(OSError):
            os.kill(member, number)


def _portable_bytes(pid: int, count: Count) -> int:
    try:
        process = psutil.Process(pid)
        if count == "held":
            return int(process.memory_full_info().uss)
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
