"""The outlook: the plan of a whole graph with its declared boundaries, and with the best cuts.

It is for a run from the beginning that reuses nothing. All sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ...codecs.several import value_of
from ...graph.graph import Graph
from ...graph.steps import Segment
from ...memory.forecast import Forecast, PartForecast
from ...memory.plan import (
    Choice,
    Plan,
    budget_for,
    choose,
    first_misfit,
    ladder,
    least_peak,
    plan,
    usable,
)

# A budget is shown beside a smaller one if it saves this share of all transfers that can be saved,
# and is larger by this share.
_SAVED = 0.2
_LARGER = 0.02

Verdict = Literal["sink", "needed", "free", "costs", "hinders"]


@dataclass(frozen=True)
class Boundary:
    """A declared boundary: the two segments that meet there, planned with it and without it.

    Attributes:
        before: the number of the first step after the boundary.
        kept: the plan of both segments' steps with the boundary.
        without: the plan of the same steps where this cut is not required.
        live: the bytes of all values that are kept across the boundary.
        is_at_sink: whether a cut is required there in any case.
        unknown: steps of the two segments that were never measured, and count as nothing.
    """

    before: int
    kept: Plan
    without: Plan
    live: int
    is_at_sink: bool
    unknown: tuple[str, ...]

    @property
    def cost(self) -> int:
        """The bytes that are written and read only because of this boundary."""
        return self.kept.transfers - self.without.transfers

    @property
    def instead(self) -> tuple[int, ...]:
        """The numbers of the steps before which a plan without this boundary would cut."""
        return tuple(cut for cut in self.without.cuts if cut not in self.kept.cuts)

    @property
    def verdict(self) -> Verdict:
        """The value of the boundary for memory and disk.

        - sink: it is required, because a step beside it is a sink, which is a part of its own.
        - hinders: without it the steps would need less memory; loading a value may need more than
          making it.
        - costs: without it fewer bytes would be written and read.
        - needed: without it there would be a cut at the same place, or another that moves as much.
        - free: without it there would be one part less, but as many bytes written and read.
        """
        if self.is_at_sink:
            return "sink"
        if self.without.limit < self.kept.limit:
            return "hinders"
        if self.cost > 0:
            return "costs"
        return "needed" if len(self.without.parts) == len(self.kept.parts) else "free"

    @property
    def pays(self) -> bool:
        return self.verdict in ("sink", "needed", "free")


@dataclass(frozen=True)
class OtherBudget:
    """The plans for another budget, with the same headroom; None where a step does not fit.

    `declared` respects the declared boundaries, `best` does not.
    """

    budget: int
    declared: Choice | None
    best: Choice | None


@dataclass(frozen=True)
class Elsewhere:
    """The plan of a segment that runs on an executor, under the memory of that."""

    segment: Segment
    executor: str
    planned: Plan


@dataclass(frozen=True)
class Outlook:
    """The plans of a pipeline under a budget. Of segments that run elsewhere, just `elsewhere`
    speaks: they hold nothing here, and there is a cut before and after them.

    Attributes:
        declared: the plan of each segment, in the order of the segments.
        best: the plan of all steps if no boundary were declared; a sink still is a part of its own.
        lower_bound: the fewest bytes that any parts write and read within the memory of `best` or,
            where that is more, of the declared ones.
        boundaries: the declared ones, each judged while the others remain.
        others: other budgets, the smallest first; none if no segment runs here.
        least: the budget below which a declared segment does not fit, headroom or not, and the
            number of the step that then cannot run; None if no segment runs here.
    """

    forecast: Forecast
    budget: int
    headroom: float
    declared: dict[Segment, Plan]
    best: Plan
    lower_bound: int
    boundaries: tuple[Boundary, ...]
    others: tuple[OtherBudget, ...]
    least: tuple[int, int] | None
    elsewhere: tuple[Elsewhere, ...] = ()

    @property
    def plans(self) -> dict[Segment, Plan]:
        """The plan of each segment, wherever it runs, in the order of the segments."""
        plans = self.declared | {each.segment: each.planned for each in self.elsewhere}
        return {segment: plans[segment] for segment in self.forecast.graph.segments}

    @property
    def peak(self) -> int:
        return max((planned.peak for planned in self.declared.values()), default=0)

    @property
    def written(self) -> int:
        return sum(planned.written for planned in self.declared.values())

    @property
    def read(self) -> int:
        return sum(planned.read for planned in self.declared.values())

    @property
    def fixed(self) -> int:
        """Memory that is in use before any step: Python, its libraries, the runtime's processes."""
        baselines = self.forecast.baselines
        here = (segment.name for segment in self.declared)
        return max((baselines[name] for name in here if name in baselines), default=0)

    @property
    def usable(self) -> int:
        return usable(self.budget, self.headroom)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The steps that were never measured."""
        return self.forecast.unknown(range(len(self.forecast.graph.steps)))

    def why(
        self, part_forecast: PartForecast
    ) -> Literal["segment", "sink", "before sink", "items", "memory"]:
        """Why a part of `plans` begins where it does: `sink` is behind one."""
        graph, start = self.forecast.graph, part_forecast.steps.start
        if any(start == planned.parts[0].steps.start for planned in self.plans.values()):
            return "segment"
        if graph.steps[start].each or graph.steps[start - 1].each:
            return "items"
        if graph.steps[start - 1].is_sink:
            return "sink"
        return "before sink" if graph.steps[start].is_sink else "memory"

    @property
    def elastic(self) -> tuple[str, ...]:
        """The steps that were measured to take what memory there is, of which little counts."""
        measures = self.forecast.measures
        names = (step.name for step in self.forecast.graph.steps)
        return tuple(name for name in names if name in measures and measures[name].is_elastic)

    @property
    def is_measured(self) -> bool:
        """Whether anything is known at all."""
        return len(self.unknown) < len(self.forecast.graph.steps)


def outlook_of(
    forecast: Forecast, budget: int, headroom: float, elsewhere: tuple[Elsewhere, ...] = ()
) -> Outlook:
    """Plan a pipeline under a budget, in all the ways that are worth comparing.

    Args:
        headroom: the share of the budget that stays free where possible.
        elsewhere: the segments that run elsewhere.
    """
    graph = forecast.graph
    every = range(len(graph.steps))
    spans = {segment: graph.span(segment) for segment in graph.segments}
    away = [spans[each.segment] for each in elsewhere]
    costs = forecast.costs(every).without({number for span in away for number in span})
    walls = {edge for span in away for edge in (span.start, span.stop)} - {0, every.stop}
    sinks = forecast.must_cut(every) | walls
    fixed_cuts = sinks | {span.start for span in spans.values() if span.start}
    sent = {each.segment for each in elsewhere}
    declared = {
        s: plan(forecast, span, budget, headroom) for s, span in spans.items() if s not in sent
    }
    highest = max((planned.peak for planned in declared.values()), default=0)
    others: tuple[OtherBudget, ...] = ()
    least: tuple[int, int] | None = None
    if declared:
        others = _others(ladder(costs, fixed_cuts), ladder(costs, sinks), headroom)
        lowest = least_peak(costs, fixed_cuts)
        misfit = first_misfit(costs, fixed_cuts, lowest - 1)
        assert misfit is not None, "some step makes it the least"
        least = lowest, misfit
    return Outlook(
        forecast,
        budget,
        headroom,
        declared,
        _best(forecast, _joined(spans[segment] for segment in declared), budget, headroom),
        choose(costs, sinks, max(usable(budget, headroom), highest)).transfers,
        _boundaries(
            forecast,
            [pair for pair in pairwise(spans.values()) if not sent & _between(graph, pair)],
            budget,
            headroom,
        ),
        others,
        least,
        elsewhere,
    )


def _joined(spans: Iterable[range]) -> list[range]:
    """Spans in their order, those that touch as one."""
    joined: list[range] = []
    for span in spans:
        if joined and joined[-1].stop == span.start:
            span = range(joined.pop().start, span.stop)
        joined.append(span)
    return joined


def _best(forecast: Forecast, runs: Sequence[range], budget: int, headroom: float) -> Plan:
    """The plan of all steps that run here, where no boundary but that of a run counts."""
    plans = [plan(forecast, run, budget, headroom) for run in runs]
    misfits = [planned.misfit for planned in plans if planned.misfit is not None]
    return Plan(
        tuple(part for planned in plans for part in planned.parts),
        budget,
        max((planned.limit for planned in plans), default=usable(budget, headroom)),
        min(misfits, default=None),
    )


def _between(graph: Graph, pair: tuple[range, range]) -> set[Segment]:
    return {graph.producer(graph.steps[span.start].name) for span in pair}


def _boundaries(
    forecast: Forecast, pairs: Sequence[tuple[range, range]], budget: int, headroom: float
) -> tuple[Boundary, ...]:
    """Boundaries, judged each by the two segments that it separates: it changes no other part."""
    graph = forecast.graph
    boundaries = []
    for former, latter in pairs:
        both = range(former.start, latter.stop)
        without = plan(forecast, both, budget, headroom)
        kept = plan(forecast, both, budget, headroom, {latter.start})
        live = {value_of(name) for name in graph.kept(range(latter.start))}
        boundaries.append(
            Boundary(
                latter.start,
                kept,
                without,
                sum(forecast.measures[v].file_bytes for v in live if v in forecast.measures),
                latter.start in forecast.must_cut(both),
                forecast.unknown(both),
            )
        )
    return tuple(boundaries)


def _others(
    declared: Sequence[Choice], best: Sequence[Choice], headroom: float
) -> tuple[OtherBudget, ...]:
    """The budgets of two ladders that are worth showing, with the plans of each."""
    budgets = {
        rounded_up(budget_for(choice.peak, headroom))
        for choices in (declared, best)
        for choice in _worth_showing(choices)
    }
    return tuple(
        OtherBudget(
            budget,
            _chosen(declared, usable(budget, headroom)),
            _chosen(best, usable(budget, headroom)),
        )
        for budget in sorted(budgets)
    )


def _worth_showing(choices: Sequence[Choice]) -> list[Choice]:
    """The lowest and the highest choice of a ladder, and those between that clearly differ."""
    worth = (choices[-1].transfers - choices[0].transfers) * _SAVED
    shown = [choices[-1]]
    for choice in reversed(choices[1:]):
        is_larger = choice.peak > shown[-1].peak * (1 + _LARGER)
        if is_larger and shown[-1].transfers - choice.transfers > worth:
            shown.append(choice)
    return [*shown, choices[0]]


def _chosen(choices: Sequence[Choice], limit: int) -> Choice | None:
    return next((choice for choice in choices if choice.peak <= limit), None)


def rounded_up(count: int) -> int:
    """The next size with at most three significant digits, as sizes are shown."""
    unit = int(10 ** max(0, len(str(count)) - 3))
    return -(-count // unit) * unit
