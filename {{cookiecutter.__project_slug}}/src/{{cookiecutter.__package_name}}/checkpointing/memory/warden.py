"""Who stops a part that exceeds its budget: the kernel where it may, else the watchdog alone.

Where a control group of version 2 with the memory controller is ours to divide, each worker runs
in a group of its own (`guard`), above whose limit the kernel lets it take no page. A group that is
divided has no process of its own (cgroups(7), "no internal processes"), so what is in ours moves
into a group beside those of the workers. It stays there, and the next run begins there.

Ours to divide is what somebody has given us: a group that is marked as delegated, as systemd does;
a container's own, the topmost that can be seen; and another that belongs to this user, unless it
is a unit of systemd's without a mark, or the user is root, to whom all groups belong.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import meter
from .limits import BESIDE, own_groups

GROUPS = "checkpointing"
"""How the names of our groups begin."""

_MEMORY = b"memory"
_PROCESSES = "cgroup.procs"
_DIVIDED = "cgroup.subtree_control"
_UNITS = (".scope", ".service", ".slice")
_DELEGATED = ("user.delegate", "trusted.delegate")
_WAY = "`systemd-run --user --scope --property=Delegate=yes` starts a command in one that is"
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
    groups = own_groups(root) if meter.ON_LINUX else []
    if not groups:
        return _Refused("this process is in no control group of version 2")
    own, *above = groups
    folder = above[0] if own.name == BESIDE and above else own
    if _MEMORY not in _words(folder / "cgroup.controllers"):
        return _Refused(f"{folder} has no memory controller of version 2")
    if not all(os.access(folder / name, os.W_OK) for name in (".", _PROCESSES, _DIVIDED)):
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return _Refused(f"{folder} is mounted read-only, as in most containers")
        return _Refused(f"{folder} is not this user's to divide; {_WAY}")
    if _MEMORY in _words(folder / _DIVIDED):
        return _Place(folder)
    if not (any(_has(folder, name) for name in _DELEGATED) or _is_given(folder, groups[-1])):
        return _Refused(f"nobody has delegated {folder}; {_WAY}")
    is_whole_system = not (folder / "cgroup.events").exists()  # it may have processes of its own
    return _Place(folder, frozenset() if is_whole_system else _members(folder))


def _is_given(folder: Path, topmost: Path) -> bool:
    """Whether a group without a mark is ours all the same."""
    is_own = os.geteuid() != 0 and not folder.name.endswith(_UNITS)
    return folder == topmost or is_own


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
    if pid:
        with suppress(OSError):  # it has ended, or may not be moved, as the next step shows
            (folder / _PROCESSES).write_text(str(pid))


def _members(folder: Path) -> frozenset[int]:
    """The processes of a group; 0 is one that cannot be seen from here."""
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
