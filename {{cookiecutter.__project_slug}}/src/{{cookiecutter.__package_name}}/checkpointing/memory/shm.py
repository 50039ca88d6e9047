"""Shared memory that has a name: it outlives the processes that made it, unless it is removed.

On Linux that is what lies in /dev/shm (objects of shared memory, named semaphores, plain files and
folders) and the segments of System V. Elsewhere nothing lists it.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from . import procfs
from .kept import KeptFile

FOLDER = "/dev/shm"
_SEGMENTS = "/proc/sysvipc/shm"
_SEGMENT = "System V segment "
_MAPPED = re.compile(  # whether to write, the inode (of a segment: its id), and the path
    rb"^\S+ .(w?)\S+ \S+ \S+ (\d+) +(?:(/dev/shm/[^/\n]+)|/SYSV)", re.MULTILINE
)
_OPEN = re.compile(r"/dev/shm/[^/]+")
_BLOCK_BYTES = 512  # the unit of st_blocks
_REMOVE = 0  # IPC_RMID of linux/ipc.h


class Object(NamedTuple):
    """A piece of shared memory. A name that was given up and taken again is another one."""

    place: str
    """Its path, or the id of a segment."""

    number: int
    """Its inode, or the id of a segment."""

    @property
    def name(self) -> str:
        """By which `shm_unlink` removes it; empty of a segment."""
        return "" if self.place.startswith(_SEGMENT) else self.place.removeprefix(FOLDER)

    @property
    def bytes(self) -> int:
        """The memory that it takes; 0 when it is gone."""
        if self.place.startswith(_SEGMENT):
            return sum(row["rss"] + row["swap"] for row in _rows() if row["shmid"] == self.number)
        return _size(Path(self.place))

    def remove(self) -> None:
        """Free its name; its memory is free as soon as no process has it open."""
        if self.place.startswith(_SEGMENT):
            ctypes.CDLL(None).shmctl(self.number, _REMOVE, None)
            return
        with suppress(OSError):
            if _is_folder(path := Path(self.place)):
                shutil.rmtree(path)
            else:
                path.unlink()


def stamp() -> tuple[object, ...]:
    """Changes whenever an object comes, goes, or takes more or less memory.

    The clock of the file system may stand still for 10 ms, and the first number with it.
    """
    try:
        usage = os.statvfs(FOLDER)
        folder = os.stat(FOLDER).st_mtime_ns, usage.f_bfree, usage.f_ffree
    except OSError:
        folder = 0, 0, 0
    return *folder, _segments()


def objects() -> set[Object]:
    """This user's objects."""
    own = os.geteuid() if hasattr(os, "geteuid") else -1
    present = {_segment(row["shmid"]) for row in _rows() if row["cuid"] == own}
    with suppress(OSError), os.scandir(FOLDER) as entries:
        for entry in entries:
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if status.st_uid == own:
                    present.add(Object(entry.path, status.st_ino))
    return present


def used(pids: Iterable[int], *, to_write: bool = False) -> set[str]:
    """The places of the objects that any of these processes has mapped or open (`to_write` only).

    The segments that it made are among them. The kernel tells of this user's processes only.
    """
    members = set(pids)
    places = {_segment(row["shmid"]).place for row in _rows() if row["cpid"] in members}
    for pid in members:
        with suppress(OSError):
            for writes, number, path in _mapped(pid):
                if writes or not to_write:
                    places.add(os.fsdecode(path) if path else _segment(int(number)).place)
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    match = _OPEN.match(os.readlink(descriptor.path))
                    mode = descriptor.stat(follow_symlinks=False).st_mode  # as it was opened
                    if match and (mode & stat.S_IWUSR or not to_write):
                        places.add(match[0])
    return places


def _mapped(pid: int) -> list[tuple[bytes, bytes, bytes]]:
    """Each object that a process has mapped: `w` or nothing, its inode, its path or nothing."""
    lines = procfs.contents(f"/proc/{pid}/maps")
    is_worth_it = b" /dev/shm/" in lines or b" /SYSV" in lines
    return _MAPPED.findall(lines) if is_worth_it else []


def _segment(number: int) -> Object:
    return Object(f"{_SEGMENT}{number}", number)


def _segments() -> bytes:
    beginning = _kept_segments().read()
    has_any = bool(beginning.partition(b"\n")[2])  # behind the heading, perhaps not all of a line
    return procfs.contents(_SEGMENTS) if has_any else beginning


@cache
def _kept_segments() -> KeptFile:
    return KeptFile(_SEGMENTS)


def _rows() -> Iterator[dict[str, int]]:
    """The segments of System V, by the kernel's own names of what it tells."""
    heading, _, lines = _segments().decode("ascii").partition("\n")
    for line in lines.splitlines():
        yield dict(zip(heading.split(), map(int, line.split()), strict=True))


def _size(path: Path) -> int:
    try:
        total = os.lstat(path).st_blocks * _BLOCK_BYTES
        return total + sum(map(_size, path.iterdir() if _is_folder(path) else ()))
    except OSError:
        return 0


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
