"""Who stops a part that exceeds its budget: the kernel where it may, else the watchdog alone.

Where a control group of version 2 with the memory controller is ours to divide, each worker runs
in a group of its own (`guard`), above whose limit the kernel lets it take no page. A group that is
divided has no process of its own (cgroups(7), "no internal processes"), so what is in ours moves
into a group beside those of the workers. It stays there, and the next run begins there.

Ours to divide is what this user may write to, but for a unit of systemd's that systemd has not
delegated and said so: nobody else is to change these.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import meter
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
    is_whole_system = not (folder / "cgroup.events").exists()  # it may have processes of its own
    return _Place(folder, frozenset() if is_whole_system else _members(folder))


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
