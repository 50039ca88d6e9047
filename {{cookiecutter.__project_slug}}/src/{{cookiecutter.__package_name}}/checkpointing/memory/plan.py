"""Where to cut: the parts that move the fewest bytes among those that fit a memory limit.

First the search, on plain numbers: steps are numbered from 0 within the range that is to be cut,
and `must_cut` are steps that begin a part at any cost, such as the first of a segment, or one that
follows a sink. Then the plan, a value to show and compare. All sizes are bytes.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from .forecast import Costs, Forecast, PartForecast


@dataclass(frozen=True)
class Choice:
    """The parts of a range of steps, the highest of their peaks and the sum of their transfers.

    They are the best for every limit from `peak` up to `limit`, for which they were chosen.
    """

    parts: tuple[range, ...]
    limit: int
    peak: int
    transfers: int


class _Prefix(NamedTuple):
    """The best parts for the steps before some step; of two, the smaller tuple is the better.

    `start` is where the last of these parts begins.
    """

    transfers: int
    parts: int
    peak: int
    start: int


def best_parts(costs: Costs, must_cut: Collection[int], limit: int) -> tuple[range, ...] | None:
    """The parts that move the fewest bytes while none holds more than `limit`; None if none fit.

    Among equals it takes the fewest parts, then the lowest peak. A larger limit never moves more
    bytes, for what fits a limit fits a larger one.

    Values are immutable, loaded before their first use in a part, freed after their last, and
    written once, by the part that made them, if a later part uses them. So what a part holds and
    moves depends on where it starts and stops and on no other cut, and transfers add up. The best
    parts for the steps before `stop` then end with some part `start … stop`, and before it stand
    the best parts for the steps before `start`:

        best(stop) = min over start < stop of best(start) + transfer(start … stop),
                     for parts with a peak within the limit and no forced cut inside

    Every start is tried, for a longer part may hold less: loading a value can take more memory
    than making it did. With n steps that makes n (n + 1) / 2 parts to look at.
    """
    best = _prefixes(costs, must_cut, limit)
    stop = len(costs.peaks)
    if stop not in best:
        return None
    parts: list[range] = []
    while stop:
        parts.append(range(best[stop].start, stop))
        stop = best[stop].start
    return tuple(reversed(parts))


def least_peak(costs: Costs, must_cut: Collection[int]) -> int:
    """The smallest limit for which there are parts that fit.

    The recurrence of `best_parts` with the highest peak in place of the sum of transfers.
    """
    least = [0]
    for stop in range(1, len(costs.peaks) + 1):
        ending = _parts_ending(stop, must_cut)
        least.append(min(max(least[part.start], costs.peak(part)) for part in ending))
    return least[-1]


def choose(costs: Costs, must_cut: Collection[int], usable: int) -> Choice:
    """The best parts within `usable` bytes; if none fit, those within the smallest limit that does.

    The answer fits if its `peak` is within `usable`, and otherwise nothing does.
    """
    limit = max(usable, least_peak(costs, must_cut))
    choice = _choice(costs, must_cut, limit)
    assert choice is not None, "some parts fit the least peak"
    return choice


def first_misfit(costs: Costs, must_cut: Collection[int], limit: int) -> int | None:
    """The number of the first step that no part can hold within `limit`; None if all steps fit.

    The steps before it fit, but however they are cut, a part that reaches this one does not.
    """
    reached = max(_prefixes(costs, must_cut, limit))
    return None if reached == len(costs.peaks) else reached


def ladder(costs: Costs, must_cut: Collection[int]) -> tuple[Choice, ...]:
    """Every choice that some limit leads to, from unlimited memory down to the least peak.

    Each is the best for a limit one byte below the former's peak. So on the way down peaks fall,
    and transfers never do; where transfers stay the same there are more parts.
    """
    rungs: list[Choice] = []
    choice = _choice(costs, must_cut, max(map(max, costs.peaks), default=0))
    while choice is not None:
        rungs.append(choice)
        choice = _choice(costs, must_cut, choice.peak - 1)
    return tuple(rungs)


def _choice(costs: Costs, must_cut: Collection[int], limit: int) -> Choice | None:
    parts = best_parts(costs, must_cut, limit)
    if parts is None:
        return None
    peak = max(map(costs.peak, parts), default=0)
    return Choice(parts, limit, peak, sum(map(costs.transfer, parts)))


def _prefixes(costs: Costs, must_cut: Collection[int], limit: int) -> dict[int, _Prefix]:
    """The best parts for the steps before each number, where some fit.

    Comparing by transfers, parts and peak in this order is exact: no part added to both of two
    prefixes makes the better one the worse.
    """
    best = {0: _Prefix(transfers=0, parts=0, peak=0, start=0)}
    for stop in range(1, len(costs.peaks) + 1):
        candidates = [
            _Prefix(
                former.transfers + costs.transfer(part),
                former.parts + 1,
                max(former.peak, costs.peak(part)),
                part.start,
            )
            for part in _parts_ending(stop, must_cut)
            if (former := best.get(part.start)) is not None and costs.peak(part) <= limit
        ]
        if candidates:
            best[stop] = min(candidates)
    return best


def _parts_ending(stop: int, must_cut: Collection[int]) -> list[range]:
    """Every part that ends before step `stop` and has no forced cut inside."""
    earliest = max((cut for cut in must_cut if cut < stop), default=0)
    return [range(start, stop) for start in range(earliest, stop)]


@dataclass(frozen=True)
class Plan:
    """The parts with the least bytes written and read that fit; sizes in bytes.

    If no parts fit the budget, these are the parts with the least peak.
    """

    parts: tuple[PartForecast, ...]
    budget: int

    limit: int
    """No part is planned above it: the budget without the headroom, or the need of the largest
    step if that is more."""

    misfit: int | None
    """The number of the first step that would exceed the whole budget, however it is cut."""

    @property
    def peak(self) -> int:
        return max((part.peak for part in self.parts), default=0)

    @property
    def written(self) -> int:
        return sum(part.written for part in self.parts)

    @property
    def read(self) -> int:
        return sum(part.read for part in self.parts)

    @property
    def transfers(self) -> int:
        return self.written + self.read

    @property
    def cuts(self) -> tuple[int, ...]:
        """The number of the first step of each part but the first."""
        return tuple(part.steps.start for part in self.parts[1:])


def usable(budget: int, headroom: float) -> int:
    """The bytes of a budget that parts are planned to hold: all but the headroom."""
    return math.floor(budget * _share(headroom))


def budget_for(peak: int, headroom: float) -> int:
    """The budget of which so many bytes are usable."""
    return math.ceil(peak / _share(headroom))


def _share(headroom: float) -> Fraction:
    """What is left of a budget, exactly: a float would round the bytes of a large one."""
    return 1 - Fraction(str(headroom))


def plan(
    forecast: Forecast,
    steps: range,
    budget: int,
    headroom: float,
    boundaries: Collection[int] = (),
) -> Plan:
    """The best cuts of a range of steps.

    Args:
        budget: bytes that the process tree may hold.
        headroom: the share of it to leave free if possible.
        boundaries: step numbers with a cut before them in any case; each sink has one after it.
    """
    costs = forecast.costs(steps)
    given = {n - steps.start for n in forecast.must_cut(steps) | set(boundaries) if n in steps}
    choice = choose(costs, given - {0}, usable(budget, headroom))
    misfit = None
    if choice.peak > budget:
        offset = first_misfit(costs, given - {0}, budget)
        misfit = None if offset is None else steps.start + offset
    parts = (
        forecast.part(range(steps.start + part.start, steps.start + part.stop))
        for part in choice.parts
    )
    return Plan(tuple(parts), budget, choice.limit, misfit)


def peak_step(forecast: Forecast, part: PartForecast) -> str | None:
    """The step of a part that is expected to hold the most; None when that is its commit."""
    number = part.steps.start + part.peaks.index(part.peak)
    return forecast.graph.steps[number].name if number in part.steps else None
