"""What each part of a segment may hold, and what of it a step gets that takes what there is."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from ..graph.steps import Step
from ..memory.batching import Allotment
from ..memory.budget import EffectiveBudget
from ..memory.forecast import PartForecast
from ..memory.profile import StepMeasure
from ..worker.engines import is_elastic
from .shares import Share
from .verdicts import Exceeded
from .watch import PartWatch

_SHRINKING = 8
_MOST_SHRUNK = 64  # so a step is tried three times


class Allotting:
    """The memory of the parts of one segment.

    A step that takes batches, or uses an engine, gets what there is. If it exceeds the budget all
    the same, with a process of its own, it is tried again with a part of that.

    Args:
        budget: of the run.
        headroom: the share of it to leave free.
    """

    def __init__(self, budget: EffectiveBudget, headroom: float) -> None:
        self._budget = budget.bytes
        self._granted = budget.granted
        self._headroom = headroom
        self._shrunk: dict[str, int] = {}

    def needed(self, forecast: PartForecast) -> int | None:
        """The bytes to keep free for a part: as much above its forecast as a plan leaves free."""
        if forecast.unknown:
            return None
        return min(self._budget, math.ceil(forecast.peak / (1 - self._headroom)))

    def of(
        self, steps: Collection[Step], measures: Mapping[str, StepMeasure], grant: Share
    ) -> Allotment:
        """What a part of some steps may hold; all that is left, if a step takes what there is."""
        if any(map(is_elastic, steps)):
            grant.widen(self._budget)
        return Allotment(
            grant.bytes,
            self._headroom,
            {s.name: measures[s.name].row_bytes for s in steps if s.name in measures},
            max((self._shrunk.get(step.name, 1) for step in steps), default=1),
            self._granted * grant.bytes // self._budget,
        )

    def shrink(self, watch: PartWatch, exceeded: Exceeded) -> bool:
        """Whether the step that ran may be tried again, with less at once."""
        step = watch.step
        if step is None or not watch.is_elastic or exceeded.in_engine:
            return False
        shrunk = self._shrunk.get(step, 1) * _SHRINKING
        if shrunk > _MOST_SHRUNK:
            return False
        self._shrunk[step] = shrunk
        return True
