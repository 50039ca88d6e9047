"""The gauge: what a process tree holds, memory that its processes share counted once.

`procfs` reads single processes: what each has mapped, which is cheap, and its share of what it has
mapped, for which the kernel walks all its pages. Here the two become one figure over time.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import meter, procfs
from .procfs import Reading, Share

if TYPE_CHECKING:  # for real it would load pydantic before the fork server is started
    from .settings import Count

_NOTHING = Reading(0)
LOOKING = 0.1  # the most of the time that a watch spends on looking
LOOKING_BETWEEN_STEPS = 0.5  # there a reading is not one of many
_WIDE = 0.2  # bounds that lie so far apart, as a share of what may be held, get all of it
_CLOSE = 0.01  # and those that are so close are as good as a look
_FEW = 1 << 20  # bytes that are not worth to be asked for
_FRUITLESS = 4  # looks in a row that found nothing new and made the next one wait twice as long


@dataclass(frozen=True)
class _Look:
    """What was held at one moment, in bytes, and what was mapped before and after.

    Attributes:
        faults: up to `before`, of the processes that share pages and may so come to copy them.
        spared: how much more they would hold if they shared no anonymous pages.
        blur: by how much `held` may be wrong because processes came, ended or let go of shared
            memory meanwhile: what was told as a half of one is then told as all of another.
    """

    held: int = 0
    before: dict[int, Reading] = field(default_factory=dict)
    after: dict[int, Reading] = field(default_factory=dict)
    faults: dict[int, int] = field(default_factory=dict)
    spared: int = 0
    blur: int = 0

    def differs_from(self, former: _Look) -> bool:
        """Whether this look saw others share, or share otherwise, than a former one."""
        mapped, formerly = (sum(r.shared for r in look.before.values()) for look in (self, former))
        change = abs(self.spared - former.spared) + abs(mapped - formerly)
        return self.before.keys() != former.before.keys() or change > _CLOSE * self.held


class Gauge:
    """Held memory of a process and all its descendants, in bytes.

    `sample` is called every 10 ms by the parent of a part, and by its worker where a step begins
    and ends. It reads what each process has mapped. Added up, a page counts once for each process
    that maps it: a forked pool seems to hold its parent's memory many times over. To *look* tells
    the truth, but takes about 1.5 ms a process and 10 ms a gigabyte. So between two looks the truth
    lies between bounds:

    - at least what the last look saw, and what the processes that it saw have mapped since: what
      is new to a process is its own, and what it shared can only have become less;
    - at most what is mapped, all in all, or else what the last look saw, what was mapped since,
      and a page for every fault since: a copy of a shared page, on its first write, is a fault.

    A sample is the lower bound: more is never said to be held than is certain. The wider the bounds
    are, the sooner comes the next look; a process that only computes has no faults and is not
    looked at again. Nothing is above the limit unless a look at that moment says so.
    Pages that a process outside of the tree maps too count by the share of the tree.

    Args:
        root: the process.
        count: how memory is counted. Resident memory is what schedulers add up that know nothing
            of sharing; it is added up here as well, and there is no look.
        limit: bytes above which `suspect` is about to be killed. It is held still for the look that
            decides it: a process fills 8 MB in a millisecond.
        alone: count all that the tree has mapped, also what it shares with the process from which
            `root` was forked.
        looking: the most of the time that may go into looks.
    """

    def __init__(
        self,
        root: int,
        count: Count = "held",
        *,
        limit: int | None = None,
        suspect: int | None = None,
        alone: bool = False,
        looking: float = LOOKING,
    ) -> None:
        self._root = root
        self._count: Count = count
        self._limit = limit
        self._suspect = suspect
        self._looking = looking
        self._sees_sharing = meter.ON_LINUX and count == "held"
        self._origin = procfs.parent(root) if alone and self._sees_sharing else 0
        self._last = _Look()
        self._looked_at = -float("inf")
        self._look_seconds = 0.0
        self._fruitless = 0

    def sample(self) -> int:
        """What is held now, in bytes: seen by a look, or the least that is certain."""
        now = meter.tree_readings(self._root, self._count)
        mapped = sum(reading.bytes for reading in now.values())
        if not self._sees_sharing:
            return mapped
        least = self._least(now)
        if self._limit is not None and least > self._limit:
            with meter.paused(self._suspect) if self._suspect else nullcontext():
                self._last = self._look()
            return self._last.held
        # What is mapped tells at once that there is little to find; faults take some more reading.
        if not (self._is_due(least, mapped) and self._is_due(least, min(mapped, self._most(now)))):
            return least
        look = self._look()
        is_new = look.differs_from(self._last)
        self._fruitless = 0 if is_new else min(_FRUITLESS, self._fruitless + 1)
        if look.blur > _CLOSE * look.held:
            return least
        self._last = look
        return look.held

    def _is_due(self, least: int, most: int) -> bool:
        """Whether the bounds are wide enough for the time that has passed since the last look."""
        if most <= least:
            return False
        doubt = (most - least) / most
        share = self._looking
        if self._limit is None or most <= self._limit:
            share *= min(1.0, doubt / _WIDE) / 2**self._fruitless if doubt > _CLOSE else 0.0
        return (time.monotonic() - self._looked_at) * share >= self._look_seconds

    def _least(self, now: dict[int, Reading]) -> int:
        """The least that can be held, by what is mapped now.

        What the look saw of a process that has ended since goes as a whole, though others may
        still hold some of it. Shared memory that grew may be another's, mapped once more.
        """
        seen = self._last.after
        change = -sum(reading.bytes for reading in seen.values())
        for pid in seen.keys() & now.keys():
            change += now[pid].anonymous + min(now[pid].shared, seen[pid].shared)
        return max(0, self._last.held + change)

    def _most(self, now: dict[int, Reading]) -> int:
        """The most that can be held, by what was mapped and touched since the last look."""
        seen, found = self._last.before, self._last.held
        for pid, reading in now.items():
            former = seen.get(pid)
            if former is None:
                found += reading.bytes
            else:
                found += max(0, reading.bytes - former.bytes)
            if pid in self._last.faults:
                found += (procfs.faults(pid) - self._last.faults[pid]) * meter.PAGE_BYTES
        return found

    def _look(self) -> _Look:
        """Have the kernel tell each process's share. What it will not tell counts in full."""
        started = time.thread_time()
        before = meter.tree_readings(self._root)
        faults = {pid: procfs.faults(pid) for pid in before}
        shares = {
            pid: procfs.share(pid) or Share(reading.bytes, reading.bytes)
            for pid, reading in before.items()
        }
        held = sum(share.bytes for share in shares.values())
        if self._origin:
            of_origin = procfs.share(self._origin) or Share(0)
            held += max(0, of_origin.bytes - of_origin.private)
        after = meter.tree_readings(self._root)
        blur = sum(after[pid].bytes for pid in after.keys() - before.keys())
        for pid, reading in before.items():
            let_go = reading.bytes - after.get(pid, _NOTHING).bytes
            blur += max(0, min(let_go, reading.bytes - shares[pid].private))
        self._look_seconds = time.thread_time() - started
        self._looked_at = time.monotonic()
        return _Look(
            held,
            before,
            {pid: after.get(pid, _NOTHING) for pid in before},
            {pid: count for pid, count in faults.items() if shares[pid].spared > _FEW},
            sum(share.spared for share in shares.values()),
            blur,
        )
