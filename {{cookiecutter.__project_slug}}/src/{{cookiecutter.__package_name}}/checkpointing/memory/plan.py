"""The plan of some steps, a value to show and compare: where to cut, so that all parts fit.

Of the parts that fit a memory limit, these move the fewest bytes. All sizes are bytes.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from .cuts import Blocks
from .forecast import Forecast, PartForecast


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
    *,
    blocks: Blocks | None = None,
) -> Plan:
    """The best cuts of a range of steps.

    Args:
        budget: bytes that the process tree may hold.
        headroom: the share of it to leave free if possible.
        boundaries: step numbers with a cut before them in any case; each sink has one after it.
        blocks: those of the forecast, if more than one plan is made of it.
    """
    blocks = blocks or Blocks(forecast)
    cuts = blocks.of(steps, forecast.must_cut(steps) | set(boundaries))
    choice = cuts.choose(usable(budget, headroom))
    misfit = cuts.first_misfit(budget) if choice.peak > budget else None
    parts = tuple(map(blocks.part, choice.parts))
    return Plan(parts, budget, choice.limit, misfit)


def peak_step(forecast: Forecast, part: PartForecast) -> str | None:
    """The step of a part that is expected to hold the most; None when that is its commit."""
    number = part.steps.start + part.peaks.index(part.peak)
    return forecast.graph.steps[number].name if number in part.steps else None
