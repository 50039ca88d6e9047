"""The gauge: the held memory of a process tree, with shared memory counted once.

`procfs` reads single processes: what each has mapped, which is cheap, and its share of what it has
mapped, for which the kernel walks all its pages. Here the two become one figure over time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

from . import meter, procfs, sharing
from .family import Family
from .procfs import Reading
from .sharing import Look, mapped_bytes

if TYPE_CHECKING:  # for real it would load pydantic before the fork server is started
    from ..base.units import Count

LOOKING = 0.1  # the most of the time that a watch spends on looking
LOOKING_AT_LIMIT = 0.5  # where a process may already hold too much
_COUNTING = 0.001  # and the most that it spends on counting faults, to know whether to look
LOOKING_BETWEEN_STEPS = 0.5  # a reading there is one of few
_WIDE = 0.2  # bounds that lie so far apart, as a share of what may be held, get all of it
_CLOSE = 0.01  # and those that are so close are as good as a look
_FRUITLESS = 5  # looks in a row that found nothing new and made the next one wait twice as long
_KNOWN = 16  # of what cannot exceed a peak that is known already, a look is worth so much less
_PRESUMED_SECONDS = 0.005  # what a look is expected to take before the first
_PAUSES = (0.0, 0.001, 0.004, 0.016, 0.064)  # seconds before each look until one is not blurred


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
    looked at again, and one whose bounds lie below the peak of its step hardly ever. Before the
    first look, whatever may be shared is taken to be. Nothing is above the limit unless a look at
    that moment says so, for which no answer of the kernel is taken for granted (`sharing`).
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
        beside: tells the workers of the tree whose own memory, and that of their descendants, does
            not count.
        objects: tells the size of the objects of shared memory that the tree has made, in bytes.
        between_steps: there a reading is one of few, so more of the time may go into looks, and it
            looks whenever a process came or ended: what a pool shared is its parent's now.
        family: reads the same tree, counted in the same way, for a gauge that samples all the time;
            otherwise the tree is listed for each sample.
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
        family: Family | None = None,
        beside: Callable[[], frozenset[int]] = frozenset,
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
        self._beside = beside
        self._family = family
        self._faults = family.faults if family is not None else procfs.faults
        self._last = Look()
        self._bounds = _Bounds({}, 0, 0, 0, 0)
        self._looked_at = self._counted_at = -float("inf")
        self._look_seconds, self._count_seconds = _PRESUMED_SECONDS, 0.0
        self._fruitless = 0
        self._peak = 0

    def begin(self) -> None:
        """Forget the peak so far: another step begins, which has one of its own."""
        self._peak = 0

    def sample(self) -> int:
        """What is held now, in bytes: the least that is certain, by the last look or a new one."""
        now, objects = self._readings(), self._objects()
        if not self._sees_sharing:
            self._bounds = _mapped_alone(now, objects, self._others(now))
            return self._bounds.least
        if not (self._last.mapped or self._between_steps or self._origin or self._beside()):
            self._presume(now)
        if (now, objects) != (self._bounds.now, self._bounds.objects):
            self._bound(now, objects)
        least, mapped = self._bounds.least, self._bounds.mapped
        if self.limit is not None and least > self.limit:
            with meter.paused(self._suspect) if self._suspect else nullcontext():
                least = self._look_again(is_final=True)
        # What is mapped tells at once that there is little to find; faults take some more reading.
        elif self._is_due(mapped) and self._may_count(mapped) and self._is_due(self._most()):
            least = self._look_again()
        self._peak = max(self._peak, least)
        return least

    @property
    def beside_bytes(self) -> int:
        """What the workers beside held of their own at the last sample."""
        return self._bounds.beside

    def unmapped(self) -> int:
        """What the objects of shared memory add to what is mapped, in bytes."""
        if not (objects := self._objects()):
            return 0
        now = self._readings()
        if not self._sees_sharing:
            return mapped_bytes(now, objects) - mapped_bytes(now)
        return self._last.least(now, objects) - self._last.least(now)

    def _readings(self) -> dict[int, Reading]:
        if self._family is not None:
            return self._family.readings()
        readings = meter.tree_readings(self._root, self._count)
        for pid in procfs.children(self._adopter) if self._adopter else ():
            if pid not in readings:
                readings |= meter.tree_readings(pid, self._count)
        return readings

    def _presume(self, now: dict[int, Reading]) -> None:
        if (presumed := sharing.presumed(now, self._root)) is not None:
            self._last, self._looked_at = presumed, time.monotonic()

    def _bound(self, now: dict[int, Reading], objects: int) -> None:
        beside = self._last.own(self._others(now), now)
        least = max(0, self._last.least(now, objects) - beside)
        self._bounds = _Bounds(now, objects, least, mapped_bytes(now, objects) - beside, beside)

    def _others(self, now: dict[int, Reading]) -> list[int]:
        """The processes whose own memory does not count."""
        roots = self._beside()
        if not roots:
            return []
        if self._family is not None:
            return self._family.below(roots)
        return [pid for root in roots for pid in procfs.tree(root) if pid in now]

    def _most(self) -> int:
        """The most that can be held, by the pages that were touched since the last look."""
        started = time.thread_time()
        doubt = self._last.doubt(self._bounds.now, self._faults)
        most = min(self._bounds.least + doubt, self._bounds.mapped)
        self._count_seconds = time.thread_time() - started
        self._counted_at = time.monotonic()
        return most

    def _may_count(self, mapped: int) -> bool:
        """Whether it is time to count the pages that were touched."""
        is_at_limit = self.limit is not None and mapped > self.limit
        share = LOOKING if self._between_steps or is_at_limit else _COUNTING
        return (time.monotonic() - self._counted_at) * share >= self._count_seconds

    def _look_again(self, *, is_final: bool = False) -> int:
        """Look, and tell what is held.

        A blurred look is of no use, unless it is all there is. Between steps it is repeated, for
        the next reading may be that of the next step.
        """
        started = time.thread_time()
        for pause in _PAUSES if self._between_steps else _PAUSES[:1]:
            time.sleep(pause)
            look, now = sharing.look(
                self._readings(), self._root, self._readings, origin=self._origin, ask_all=is_final
            )
            if is_clear := look.blur <= _CLOSE * mapped_bytes(now):
                break
        self._look_seconds = time.thread_time() - started
        self._looked_at = time.monotonic()
        self._fruitless = 0 if look.differs_from(self._last) else self._fruitless + 1
        if is_clear or is_final:
            self._last = look
        elif self._between_steps and not self._last.mapped:
            presumed = None if self._beside() else sharing.presumed(now, self._root)
            self._last = presumed or look
        self._bound(now, self._objects())
        return self._bounds.least

    def _is_due(self, most: int) -> bool:
        """Whether the bounds are wide enough for the time that has passed since the last look."""
        least = self._bounds.least
        if most <= least:
            return False
        if self._between_steps and self._last.mapped.keys() != self._bounds.now.keys():
            return True
        doubt = (most - least) / most
        if self.limit is not None and most > self.limit:
            share = LOOKING_AT_LIMIT
        elif doubt > _CLOSE:
            share = self._looking * min(1.0, doubt / _WIDE) / 2 ** min(self._fruitless, _FRUITLESS)
            share /= _KNOWN if most <= self._peak and not self._between_steps else 1
        else:
            return False
        return (time.monotonic() - self._looked_at) * share >= self._look_seconds


class _Bounds(NamedTuple):
    """Between what the truth lies when so much is mapped; sizes in bytes."""

    now: dict[int, Reading]
    objects: int
    least: int
    mapped: int
    beside: int


def _mapped_alone(now: dict[int, Reading], objects: int, others: list[int]) -> _Bounds:
    """What is mapped, where nothing tells what of it is shared."""
    beside = mapped_bytes({pid: now[pid] for pid in others if pid in now})
    alone = mapped_bytes(now, objects) - beside
    return _Bounds(now, objects, alone, alone, beside)
