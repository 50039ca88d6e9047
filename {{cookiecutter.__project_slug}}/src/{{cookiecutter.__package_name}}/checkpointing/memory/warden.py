"""Who stops a part that exceeds its budget: the kernel where it may, else the watchdog alone.

Where a control group of version 2 with the memory controller is ours to divide, each worker runs
in a group of its own (`guard`), above whose limit the kernel lets it take no page. A group that is
divided has no process of its own (cgroups(7), "no internal processes"), so what is in ours goes
into a group beside those of the workers. That is done only if all of it belongs to the run: its
processes, and those that have started it. It stays so, and the next run begins there.

A group of systemd's is divided if systemd has delegated it, and has said so.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from . import meter, procfs
from .limits import BESIDE, own_group

GROUPS = "checkpointing"
"""How the names of our groups begin."""

_MEMORY = b"memory"
_PROCESSES = "cgroup.procs"
_DIVIDED = "cgroup.subtree_control"
_UNITS = (".scope", ".service", ".slice")
_DELEGATED = ("user.delegate", "trusted.delegate")
_SCOPE = "systemd-run --user --scope --property=Delegate=yes"
_TRIES = 5


@dataclass(frozen=True)
class Warden:
    """Who stops a part above its budget, and why it is that one, for people."""

    kind: Literal["kernel", "watchdog"]
    why: str


@dataclass(frozen=True)
class _Refused:
    """Why a group may not be divided."""

    why: str


@dataclass(frozen=True)
class _Place:
    """A group that is divided, or may be; and the processes that have to go beside first."""

    folder: Path
    members: frozenset[int] = frozenset()


def warden(root: Path = Path("/")) -> Warden:
    """Who would stop a part of this process, as far as can be seen; nothing is changed.

    Args:
        root: the folder that holds the system's own folders `proc` and `sys`.
    """
    place = _place(root)
    if isinstance(place, _Refused):
        return Warden("watchdog", place.why)
    return Warden("kernel", f"each worker gets a memory limit of its own below {place.folder}")


def divided(root: Path = Path("/")) -> Path | None:
    """The group in which groups for workers can be made, divided now if it was not.

    None if there is none, or if it cannot be divided after all; then all is as it was.
    """
    place = _place(root)
    if isinstance(place, _Refused):
        return None
    try:
        _divide(place)
    except OSError:
        _undo(place)
        return None
    return place.folder


def _place(root: Path) -> _Place | _Refused:
    own = own_group(root) if meter.ON_LINUX else None
    if own is None:
        return _Refused("this process is in no control group of version 2")
    folder = own.parent if own.name == BESIDE else own
    if _MEMORY not in _words(folder / "cgroup.controllers"):
        return _Refused(f"{folder} has no memory controller of version 2")
    if not all(os.access(folder / name, os.W_OK) for name in (".", _PROCESSES, _DIVIDED)):
        is_fixed = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
        why = "is mounted read-only" if is_fixed else "is not this user's to divide"
        return _Refused(f"{folder} {why}; `{_SCOPE}` starts a command in a group that is")
    if _MEMORY in _words(folder / _DIVIDED):
        return _Place(folder)
    if folder.name.endswith(_UNITS) and not any(_has(folder, name) for name in _DELEGATED):
        return _Refused(
            f"systemd has not delegated {folder}; `{_SCOPE}` starts a command in a group that is"
        )
    members = _members(folder)
    if not (folder / "cgroup.events").exists():
        return _Place(folder)  # the group of the whole system may have processes of its own
    if strangers := members - _family():
        return _Refused(f"{folder} has other processes too, such as {_name(min(strangers))}")
    return _Place(folder, members)


def _divide(place: _Place) -> None:
    """Move what is in a group beside, and let groups below it have limits. Raises OSError."""
    if _MEMORY in _words(place.folder / _DIVIDED):
        return
    if place.members:
        beside = place.folder / BESIDE
        beside.mkdir(exist_ok=True)
        for _ in range(_TRIES):  # what is moved may fork meanwhile
            for pid in _members(place.folder):
                _move(pid, beside)
    (place.folder / _DIVIDED).write_text("+memory")


def _undo(place: _Place) -> None:
    for pid in place.members:
        _move(pid, place.folder)
    with suppress(OSError):
        (place.folder / BESIDE).rmdir()


def _move(pid: int, folder: Path) -> None:
    with suppress(OSError):  # it has ended, or may not be moved, as the next step shows
        (folder / _PROCESSES).write_text(str(pid))


def _family() -> set[int]:
    """This process, those that have started it, and those that it has started."""
    family, above = set(meter.process_tree(os.getpid())), os.getpid()
    while (above := procfs.parent(above)) > 0:
        family.add(above)
    return family


def _members(folder: Path) -> frozenset[int]:
    return frozenset(map(int, _words(folder / _PROCESSES)))


def _words(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split()
    except OSError:
        return []


def _has(folder: Path, attribute: str) -> bool:
    try:
        return os.getxattr(folder, attribute) == b"1"
    except OSError:
        return False


def _name(pid: int) -> str:
    with suppress(psutil.Error, ValueError):
        return f"process {pid} ({psutil.Process(pid).name()})"
    return f"process {pid}"
