"""The gauge: the held memory of a process tree, with shared memory counted once.

`procfs` reads single processes: what each has mapped, which is cheap, and its share of what it has
mapped, for which the kernel walks all its pages. Here the two become one figure over time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import meter, procfs
from .procfs import Reading, Share

if TYPE_CHECKING:  # for real it would load pydantic before the fork server is started
    from ..base.units import Count

_NOTHING = Reading(0)
LOOKING = 0.1  # the most of the time that a watch spends on looking
LOOKING_AT_LIMIT = 0.5  # where a process may already hold too much
LOOKING_BETWEEN_STEPS = 0.5  # a reading there is one of few
_WIDE = 0.2  # bounds that lie so far apart, as a share of what may be held, get all of it
_CLOSE = 0.01  # and those that are so close are as good as a look
_FEW = 1 << 20  # bytes that are not worth to be asked for
_FRUITLESS = 4  # looks in a row that found nothing new and made the next one wait twice as long


@dataclass(frozen=True)
class _Look:
    """How the processes of a tree shared memory at one moment; sizes in bytes.

    Attributes:
        mapped: what each had mapped.
        spared: how much less than that is held, since they share anonymous pages.
        shared: what they held of memory that is shared on purpose.
        faults: of those that share pages, and may so come to copy them.
        blur: by how much this may be wrong because processes came, ended or let go of pages
            meanwhile: a page read as half of one process is then read as all of another.
    """

    mapped: dict[int, Reading] = field(default_factory=dict)
    spared: int = 0
    shared: int = 0
    faults: dict[int, int] = field(default_factory=dict)
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

    def most(self, now: dict[int, Reading], objects: int = 0) -> int:
        """The most that can be held when this is mapped, by the pages that were touched since."""
        held = self.least(now, objects)
        for pid in self.mapped.keys() | now.keys():
            seen, reading = self.mapped.get(pid, _NOTHING), now.get(pid, _NOTHING)
            if pid in self.faults:
                held += (procfs.faults(pid) - self.faults[pid]) * meter.PAGE_BYTES
            if pid not in self.mapped or pid not in now:
                held += seen.bytes + reading.bytes
            else:
                held += abs(reading.shared - seen.shared)
        return min(held, _mapped(now, objects))

    def differs_from(self, former: _Look) -> bool:
        """Whether others share, or share otherwise, than in a former look."""
        change = abs(self.spared - former.spared) + abs(self.shared - former.shared)
        is_more = change > _CLOSE * _mapped(self.mapped)
        return is_more or self.mapped.keys() != former.mapped.keys()


class Gauge:
    """Held memory of a process and all its descendants, in bytes.

    `sample` is called every 10 ms by the parent of a part, and by its worker where a step begins
    and ends. It reads what each process has mapped. Added up, a page counts once for each process
    that maps it: a forked pool seems to hold its parent's memory many times over. To *look* tells
    the truth, but takes about 1.5 ms a process and 10 ms a gigabyte. So between two looks the truth
    lies between bounds:

    - at least what is mapped by the processes that the last look saw, less what they shared then:
      what is new to a process is its own, and what it shared can only have become less;
    - at most that and all that others map, and a page for every fault since: the copy of a shared
      page, on its first write, is one.

    A sample is the lower bound: more is never said to be held than is certain. The wider the bounds
    are, the sooner comes the next look; a process that only computes has no faults and is not
    looked at again. Nothing is above the limit unless a look at that moment says so.
    Pages that a process outside of the tree maps too count by the share of the tree, but shared
    memory never less than the most that one process of the tree maps, nor than the objects of the
    tree take, which may be mapped by no process.

    Args:
        root: the process.
        count: how memory is counted. Resident memory is what schedulers add up that know nothing
            of sharing; it is added up here as well, and there is no look.
        limit: bytes above which `suspect` is about to be killed. It is held still for the look that
            decides it: a process fills 8 MB in a millisecond.
        alone: count all that the tree has mapped, also what it shares with the process from which
            `root` was forked.
        adopter: the process to whose children what the tree detaches belongs; 0 if that is in the
            tree, or nobody knows. All its children count.
        objects: tells the size of the objects of shared memory that the tree has made, in bytes.
        between_steps: there a reading is one of few, so more of the time may go into looks, and it
            looks whenever a process came or ended: what a pool shared is its parent's now.
    """

    def __init__(
        self,
        root: int,
        count: Count = "held",
        *,
        limit: int | None = None,
        suspect: int | None = None,
        alone: bool = False,
        adopter: int = 0,
        between_steps: bool = False,
        objects: Callable[[], int] = lambda: 0,
    ) -> None:
        self._root = root
        self._count: Count = count
        self.limit = limit
        self._suspect = suspect
        self._between_steps = between_steps
        self._looking = LOOKING_BETWEEN_STEPS if between_steps else LOOKING
        self._sees_sharing = meter.ON_LINUX and count == "held"
        self._origin = procfs.parent(root) if alone and self._sees_sharing else 0
        self._adopter = adopter
        self._objects = objects
        self._last = _Look()
        self._looked_at = -float("inf")
        self._look_seconds = 0.0
        self._fruitless = 0

    def sample(self) -> int:
        """What is held now, in bytes: the least that is certain, by the last look or a new one."""
        now, objects = self._readings(self._count), self._objects()
        if not self._sees_sharing:
            return _mapped(now, objects)
        least = self._last.least(now, objects)
        if self.limit is not None and least > self.limit:
            with meter.paused(self._suspect) if self._suspect else nullcontext():
                return self._look_again(is_final=True)
        # What is mapped tells at once that there is little to find; faults take some more reading.
        mapped = _mapped(now, objects)
        if self._is_due(now, least, mapped) and self._is_due(
            now, least, self._last.most(now, objects)
        ):
            return self._look_again()
        return least

    def unmapped(self) -> int:
        """What the objects of shared memory add to what is mapped, in bytes."""
        if not (objects := self._objects()):
            return 0
        now = self._readings(self._count)
        if not self._sees_sharing:
            return _mapped(now, objects) - _mapped(now)
        return self._last.least(now, objects) - self._last.least(now)

    def _readings(self, count: Count = "held") -> dict[int, Reading]:
        readings = meter.tree_readings(self._root, count)
        for pid in procfs.children(self._adopter) if self._adopter else ():
            if pid not in readings:
                readings |= meter.tree_readings(pid, count)
        return readings

    def _look_again(self, *, is_final: bool = False) -> int:
        """Look, and tell what is held. A blurred look is of no use, unless it is all there is."""
        look, now = self._look()
        self._fruitless = 0 if look.differs_from(self._last) else self._fruitless + 1
        if is_final or look.blur <= _CLOSE * _mapped(now):
            self._last = look
        return self._last.least(now, self._objects())

    def _is_due(self, now: dict[int, Reading], least: int, most: int) -> bool:
        """Whether the bounds are wide enough for the time that has passed since the last look."""
        if most <= least:
            return False
        if self._between_steps and self._last.mapped.keys() != now.keys():
            return True
        doubt = (most - least) / most
        if self.limit is not None and most > self.limit:
            share = LOOKING_AT_LIMIT
        elif doubt > _CLOSE:
            share = self._looking * min(1.0, doubt / _WIDE) / 2 ** min(self._fruitless, _FRUITLESS)
        else:
            return False
        return (time.monotonic() - self._looked_at) * share >= self._look_seconds

    def _look(self) -> tuple[_Look, dict[int, Reading]]:
        """Ask the kernel how processes share memory; where it does not say, all counts.

        Also returns what is mapped after the kernel has answered.
        """
        started = time.thread_time()
        mapped = self._readings()
        faults = {pid: procfs.faults(pid) for pid in mapped}
        shares = {
            pid: procfs.share(pid) or Share(shared=reading.shared)
            for pid, reading in mapped.items()
        }
        spared = sum(share.spared for share in shares.values())
        if self._origin:
            spared -= (procfs.share(self._origin) or Share()).common
        now = self._readings()
        blur = sum((mapped.get(pid) or now[pid]).bytes for pid in mapped.keys() ^ now.keys())
        for pid in mapped.keys() & now.keys():
            let_go = mapped[pid].bytes - now[pid].bytes
            blur += max(0, min(let_go, shares[pid].spared + shares[pid].common))
        look = _Look(
            mapped,
            spared,
            sum(share.shared for share in shares.values()),
            {pid: count for pid, count in faults.items() if shares[pid].spared > _FEW},
            blur,
        )
        self._look_seconds = time.thread_time() - started
        self._looked_at = time.monotonic()
        return look, now


def _mapped(readings: dict[int, Reading], objects: int = 0) -> int:
    shared = sum(reading.shared for reading in readings.values())
    return sum(reading.anonymous for reading in readings.values()) + max(shared, objects)
