"""Memory limits that the machine, its container and Slurm set.

`meter` reads what processes hold, this file what they may hold, and how often the kernel killed
because too much was held. What is not there sets no limit, so no system needs a case of its own.

RLIMIT_AS and RLIMIT_DATA (`ulimit`) are left out on purpose: they count address space, which mapped
checkpoints and thread stacks take without holding memory, and they count it for each process, while
a budget is for a process and all that it starts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from operator import itemgetter
from pathlib import Path, PurePosixPath

import psutil

_Found = tuple[int, str]  # bytes, and where they come from, for people


@dataclass(frozen=True)
class Limit:
    """One limit on memory, in bytes, and where it comes from, for people."""

    bytes: int
    source: str

    of_machine: bool = False
    """Whether it is of this machine alone: an engine that works on others may take more there."""


@dataclass(frozen=True)
class _Version:
    """One version of control groups: the files that tell limits and kills, and the keys in them."""

    name: str
    limits: tuple[tuple[str, str], ...]
    kills: str


# Kernel documentation, admin-guide/cgroup-v2 and admin-guide/cgroup-v1/memory. Above memory.high
# nothing is killed, but the kernel throttles every allocation: a run is done sooner if it is cut
# than if it crawls. Limits on swap are left out: they come on top of those on RAM, and a budget
# that counted on swap would plan for it.
_V2 = _Version("cgroup v2", (("memory.max", ""), ("memory.high", "")), "memory.events")
# In v1 a group's memory.stat also knows the limits of the groups above that no mount shows.
_V1 = _Version(
    "cgroup v1",
    (("memory.limit_in_bytes", ""), ("memory.stat", "hierarchical_memory_limit")),
    "memory.oom_control",
)
BESIDE = "checkpointing-beside"
"""The group below its own to which a process moves that makes groups for its workers there."""

_NO_LIMIT = 1 << 60  # cgroup v1 writes "no limit" as a number near 2**63

# Lines of /proc/self/cgroup, see cgroups(7), and of /proc/self/mountinfo, see proc(5): `top` is the
# folder of the file system that is mounted, `point` the folder that it is mounted on.
_GROUP = re.compile(r"\d+:(?P<controllers>[^:]*):(?P<group>/.*)")
_MOUNT = re.compile(
    r"\d+ \d+ [^ ]+ (?P<top>/[^ ]*) (?P<point>/[^ ]*) [^ ]+ (?:[^ ]+ )*?- (?P<type>[^ ]+) .*"
)
_ESCAPED = re.compile(r"\\([0-7]{3})")  # how mountinfo writes spaces and backslashes

# What Slurm grants on this node: so much for each, and how many there are. See sbatch(1).
_SLURM = {
    "SLURM_MEM_PER_NODE": "",
    "SLURM_MEM_PER_CPU": "SLURM_CPUS_ON_NODE",
    "SLURM_MEM_PER_GPU": "SLURM_GPUS_ON_NODE",
}
_SLURM_SIZE = re.compile(r"([0-9]{1,18})(?:([KMGT])B?)?", re.ASCII | re.IGNORECASE)
_SLURM_COUNT = re.compile(r"[0-9]{1,9}")
_SLURM_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def machine_limits(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> list[Limit]:
    """The limits that this machine, its container and Slurm set, as far as they set any.

    Args:
        root: the folder that holds the system's own folders `proc` and `sys`.
        environ: the environment, in which Slurm says what it granted.
    """
    machine = (int(psutil.virtual_memory().total), "this machine's RAM")
    container = sorted(_container(root), key=itemgetter(0))[:1]
    return [Limit(*limit) for limit in (machine, *container, *_slurm(environ))]


def oom_kills(root: Path = Path("/")) -> int:
    """How many processes the kernel has killed here, for lack of memory, until now.

    Two readings tell whether it struck between them. The count is that of the control group in
    which this process and its workers are; it has every kill, whether the group or the machine
    was out of memory. Without such a group it is the machine's, and 0 where that is not known.
    """
    for version, folders in _groups(root):
        for folder in folders:
            if (
                folder.name != BESIDE
                and (kills := _number(folder / version.kills, "oom_kill")) is not None
            ):
                return kills
    return _number(root / "proc/vmstat", "oom_kill") or 0


def own_groups(root: Path = Path("/")) -> list[Path]:
    """The folders of this process's control group of version 2 and of those above that are visible.

    Its own comes first. Empty if there is none.
    """
    return next((folders for version, folders in _groups(root) if version is _V2), [])


def _container(root: Path) -> Iterator[_Found]:
    """Every limit on the control group of this process and on those above it that are visible.

    Of equal ones the first says best where it was set.
    """
    for version, folders in _groups(root):
        for name, key in version.limits:
            for folder in folders:
                limit = _number(folder / name, key)
                if limit is not None and 0 < limit < _NO_LIMIT:
                    file = f"/{(folder / name).relative_to(root).as_posix()}"
                    where = f"{file}: {key}" if key else file
                    yield limit, f"the container's limit, {version.name}'s {where}"


def _slurm(environ: Mapping[str, str]) -> Iterator[_Found]:
    """What Slurm's variables grant on this node: in MiB, or in the unit that a user wrote for srun.

    0 grants all memory of the node. Per CPU, Slurm leaves out threads of a core that the job may
    not use, yet counts them as CPUs: the product may be too high. Where Slurm enforces limits by
    control groups, those are exact.
    """
    for variable, counted in _SLURM.items():
        size = _SLURM_SIZE.fullmatch(environ.get(variable, ""))
        count = _SLURM_COUNT.fullmatch(environ.get(counted, "") if counted else "1")
        if size is None or count is None:
            continue
        limit = int(size[1]) * _SLURM_UNITS[(size[2] or "M").upper()] * int(count[0])
        if limit > 0:
            yield limit, f"Slurm's {variable} × {counted}" if counted else f"Slurm's {variable}"


def _groups(root: Path) -> Iterator[tuple[_Version, list[Path]]]:
    """The folders of this process's memory control group and of those above it, its own first.

    Each mount that shows any of them gives its own list.
    """
    mounts = [_MOUNT.fullmatch(line) for line in _lines(root / "proc/self/mountinfo")]
    groups = [_GROUP.fullmatch(line) for line in _lines(root / "proc/self/cgroup")]
    for group, mount in product(filter(None, groups), filter(None, mounts)):
        if (version := _version(group["controllers"], mount["type"])) is not None:
            top, point = (PurePosixPath(_unescaped(mount[name])) for name in ("top", "point"))
            place = root / point.relative_to("/")
            yield version, [place / folder for folder in _shown(PurePosixPath(group["group"]), top)]


def _version(controllers: str, file_system: str) -> _Version | None:
    """The version by which such a mount may rule memory for a group with these controllers.

    In v1 each controller may have a mount of its own; only memory's has files that are asked for.
    """
    if file_system == "cgroup2" and not controllers:
        return _V2
    if file_system == "cgroup" and "memory" in controllers.split(","):
        return _V1
    return None


def _shown(group: PurePosixPath, top: PurePosixPath) -> list[PurePosixPath]:
    """A group and those above it, as far as a mount of the folder `top` shows them, from there.

    Both paths start at the root of the cgroup namespace. Where `..` leads out of it, the names on
    the way back in are not shown (see cgroup_namespaces(7)): then the mount's own folder is
    certainly above the group, and the folders in between are not known.
    """
    if group.is_relative_to(top) and ".." not in (inner := group.relative_to(top)).parts:
        return [inner, *inner.parents]
    steps_up = len(top.parts) - 1
    if set(top.parts) == {"/", ".."} and steps_up > group.parts.count(".."):
        return [PurePosixPath()]
    return []


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda escape: chr(int(escape[1], 8)), text)


def _number(path: Path, key: str = "") -> int | None:
    """The number behind a key in a file of such lines, or without a key a file's only number.

    None when there is no number: cgroup v2 writes "max" for no limit.
    """
    for line in _lines(path):
        name, _, number = line.rpartition(" ")
        if name == key and number.isdecimal():
            return int(number)
    return None


def _lines(path: Path) -> list[str]:
    """The lines of a file of the system; none when it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8", "replace").split("\n")
    except OSError:
        return []
