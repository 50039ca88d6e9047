"""How the processes of a tree share memory, found out with as few questions as can be.

The kernel walks through all pages of a process to tell its share of them: about 1.5 ms a process
and 10 ms a gigabyte. Most of that is needless, because anonymous pages are shared by fork alone:

- a process that began a program of its own shares none, until it forks (`procfs.Stat.origin`);
- of two that share with each other and with nobody else, the one knows what the other does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from . import meter, procfs
from .procfs import Reading, Share, Stat

_NOTHING = Reading(0)
_CLOSE = 0.01  # a share of what is mapped that is not worth a question
_FEW = 1 << 20  # bytes that are not worth to be asked for


@dataclass(frozen=True)
class Look:
    """How the processes of a tree shared memory at one moment; sizes in bytes.

    Attributes:
        mapped: what each had mapped.
        spared: how much less than that is held, since they share anonymous pages.
        shared: what they held of memory that is shared on purpose.
        faults: of those that share pages, and may so come to copy them.
        copied: the most that each of these may come to copy.
        common: of each, its anonymous pages that others map, too: what is less is its own.
        blur: by how much this may be wrong because processes came, ended or let go of pages
            meanwhile: a page read as half of one process is then read as all of another.
    """

    mapped: dict[int, Reading] = field(default_factory=dict)
    spared: int = 0
    shared: int = 0
    faults: dict[int, int] = field(default_factory=dict)
    copied: dict[int, int] = field(default_factory=dict)
    common: dict[int, int] = field(default_factory=dict)
    blur: int = 0

    def least(self, now: dict[int, Reading], objects: int = 0) -> int:
        """The least that is held when this is mapped; all of it is, unless sharing has changed.

        `objects` is the size of the objects of shared memory, which are held mapped or not.

        What a process has mapped since is its own, and what it shared can only have become less.
        A process that came since counts as nothing. Of a process that has ended nothing counts,
        though others may still hold some of its pages. Shared memory that grew may be another's,
        mapped once more; but what a single process maps of it is held.
        """
        own, shared = -self.spared, self.shared
        for pid, seen in self.mapped.items():
            reading = now.get(pid, _NOTHING)
            own += reading.anonymous
            shared -= max(0, seen.shared - reading.shared)
        largest = max((reading.shared for reading in now.values()), default=0)
        return max(0, own) + max(shared, largest, objects)

    def own(self, pids: Iterable[int], now: dict[int, Reading]) -> int:
        """What `least` counts of some processes that nobody else has mapped."""
        members = [(pid, now[pid]) for pid in pids if pid in self.mapped and pid in now]
        anonymous = (max(0, r.anonymous - self.common.get(pid, 0)) for pid, r in members)
        return sum(anonymous) + max((reading.shared for _, reading in members), default=0)

    def doubt(self, now: dict[int, Reading], faults: Callable[[int], int] = procfs.faults) -> int:
        """By how much more than `least` may be held, by the pages that were touched since.

        It may be that more than all that is mapped. `faults` tells those of a process, so far.
        """
        more = 0
        for pid, before in self.faults.items():
            pages = max(0, faults(pid) - before)
            more += min(pages * meter.PAGE_BYTES, self.copied[pid])
        for pid in self.mapped.keys() | now.keys():
            seen, reading = self.mapped.get(pid, _NOTHING), now.get(pid, _NOTHING)
            if pid not in self.mapped or pid not in now:
                more += seen.bytes + reading.bytes
            else:
                more += abs(reading.shared - seen.shared)
        return more

    def differs_from(self, former: Look) -> bool:
        """Whether others share, or share otherwise, than in a former look."""
        change = abs(self.spared - former.spared) + abs(self.shared - former.shared)
        is_more = change > _CLOSE * mapped_bytes(self.mapped)
        return is_more or self.mapped.keys() != former.mapped.keys()


def mapped_bytes(readings: Mapping[int, Reading], objects: int = 0) -> int:
    """What processes have mapped, each page as often as it is mapped; the objects once."""
    shared = sum(reading.shared for reading in readings.values())
    return sum(reading.anonymous for reading in readings.values()) + max(shared, objects)


def presumed(mapped: dict[int, Reading], root: int) -> Look | None:
    """How a tree shares memory that was never looked at: all that it may share, it shares.

    Of processes that come from each other by fork the largest counts, and of shared memory what the
    largest has: so much is held for certain. The kernel walks through no page for that. None if
    that is not certain, for the tree may share with processes outside.
    """
    stats = {pid: procfs.stat(pid) for pid in mapped}
    groups = _groups(stats, root)
    if not all(group.is_closed for group in groups):
        return None
    spared = 0
    faults: dict[int, int] = {}
    copied: dict[int, int] = {}
    for group in groups:
        sizes = [mapped[pid].anonymous for pid in group.members]
        spared += sum(sizes) - max(sizes)
        if len(sizes) > 1:
            faults |= dict.fromkeys(group.members, 0)  # each since its start may have made a copy
            copied |= {pid: mapped[pid].anonymous for pid in group.members}
    shared = max((reading.shared for reading in mapped.values()), default=0)
    return Look(mapped, spared, shared, faults, copied)


def look(
    mapped: dict[int, Reading],
    root: int,
    again: Callable[[], dict[int, Reading]],
    *,
    origin: int = 0,
    ask_all: bool = False,
) -> tuple[Look, dict[int, Reading]]:
    """Ask the kernel how processes share what they have mapped; where it does not say, all counts.

    Args:
        root: of the tree.
        again: reads what is mapped after the kernel has answered.
        origin: the process from which `root` was forked, if what both share counts in full.
        ask_all: take no answer for granted. It is right for a root that shares pages with
            processes outside of the tree that it did not come from, too.

    Returns the look, and what is mapped then.
    """
    stats = {pid: procfs.stat(pid) for pid in mapped}
    if ask_all or origin:
        shares = {pid: _share(pid, reading) for pid, reading in mapped.items()}
    else:
        shares = _shares(mapped, stats, root)
    spared = sum(share.spared for share in shares.values())
    if origin:
        spared -= (procfs.share(origin) or Share()).common
    now = again()
    blur = sum((mapped.get(pid) or now[pid]).bytes for pid in mapped.keys() ^ now.keys())
    for pid in mapped.keys() & now.keys():
        let_go = mapped[pid].bytes - now[pid].bytes
        blur += max(0, min(let_go, shares[pid].spared + shares[pid].common))
    sharing = [pid for pid, share in shares.items() if share.spared > _FEW]
    return (
        Look(
            mapped,
            spared,
            sum(share.shared for share in shares.values()),
            {pid: stats[pid].faults for pid in sharing},
            {pid: 2 * shares[pid].spared for pid in sharing},
            {pid: s.spared + max(0, s.common - s.shared) for pid, s in shares.items()},
            blur,
        ),
        now,
    )


@dataclass(frozen=True)
class _Group:
    """Processes of a tree that may share anonymous pages, and whether with no process outside."""

    members: list[int]
    is_closed: bool


def _groups(stats: Mapping[int, Stat], root: int) -> list[_Group]:
    """The processes of a tree by the program run from which they came by fork.

    Of a process whose origin the kernel does not tell, any may be a relative.
    """
    if not all(stat.origin for stat in stats.values()):
        return [_Group(list(stats), is_closed=False)]
    groups = defaultdict(list)
    for pid, stat in stats.items():
        groups[stat.origin].append(pid)
    above = procfs.stat(stats[root].parent).origin if root in stats else ()
    return [
        _Group(members, root not in members or above not in ((), origin))
        for origin, members in groups.items()
    ]


def _shares(mapped: dict[int, Reading], stats: Mapping[int, Stat], root: int) -> dict[int, Share]:
    """How each process shares what it has mapped, by as few questions as tell."""
    asked: dict[int, int] = {}
    for group in _groups(stats, root):
        if group.is_closed and len(group.members) in (1, 2):
            _, *child = group.members  # of whose libraries it has touched less, so it is quicker
            asked |= {pid: answering for answering in child for pid in group.members}
        else:
            asked |= {pid: pid for pid in group.members}
    large = [pid for pid, reading in mapped.items() if reading.shared > _FEW]
    answers = {pid: _share(pid, mapped[pid]) for pid in {*asked.values(), *large[1:], *large[:-1]}}
    shares = {}
    for pid, reading in mapped.items():
        share = answers[asked[pid]] if pid in asked else Share()
        if pid in large:
            shared = reading.shared if len(large) == 1 else answers[pid].shared
            shares[pid] = share._replace(shared=shared)
        else:
            shares[pid] = share._replace(shared=0)
    return shares


def _share(pid: int, reading: Reading) -> Share:
    return procfs.share(pid) or Share(shared=reading.shared)
