"""Plans: how steps are cut into parts under a budget, as a value to be shown and compared."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from .forecast import Forecast, PartForecast
from .planner import choose, first_misfit


@dataclass(frozen=True)
class Plan:
    """The parts with the least bytes written and read that fit; sizes in bytes.

    `limit` is what no part is planned above: the budget less the headroom or, where a step needs
    more than that whatever the cuts, what it needs. `misfit` is the number of the first step that
    would exceed the whole budget; the parts are then those that come nearest.
    """

    parts: tuple[PartForecast, ...]
    budget: int
    limit: int
    misfit: int | None

    @property
    def peak(self) -> int:
        return max(part.peak for part in self.parts)

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
        """The numbers of the steps that a part begins with, but for the first."""
        return tuple(part.part.start for part in self.parts[1:])


def usable(budget: int, headroom: float) -> int:
    """The bytes of a budget that parts are planned to hold: all but the headroom."""
    return int(budget * (1 - headroom))


def budget_for(peak: int, headroom: float) -> int:
    """The budget of which so many bytes are usable."""
    budget = math.ceil(peak / (1 - headroom))
    while usable(budget, headroom) < peak:  # floats round
        budget += 1
    return budget


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
        headroom: the share of it that is left free where that can be.
        boundaries: numbers of steps before which a cut is given; after a sink one always is.
    """
    costs = forecast.costs(steps)
    given = {n - steps.start for n in forecast.must_cut(steps) | set(boundaries) if n in steps}
    choice = choose(costs, given - {0}, usable(budget, headroom))
    misfit = None
    if choice.peak > budget:
        found = first_misfit(costs, given - {0}, budget)
        misfit = None if found is None else steps.start + found
    parts = (
        forecast.part(range(steps.start + part.start, steps.start + part.stop))
        for part in choice.parts
    )
    return Plan(tuple(parts), budget, choice.limit, misfit)


def peak_step(forecast: Forecast, part: PartForecast) -> str | None:
    """The step of a part that is expected to hold the most; None when that is its commit."""
    number = part.part.start + part.peaks.index(part.peak)
    return forecast.graph.steps[number].name if number in part.part else None
