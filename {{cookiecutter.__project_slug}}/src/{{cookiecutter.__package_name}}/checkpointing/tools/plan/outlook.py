"""The outlook: the plan of a whole graph with its declared boundaries, and with the best cuts.

It is for a run from the beginning that reuses nothing. All sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Literal

from ...graph.graph import Graph
from ...graph.steps import Segment
from ...memory.cuts import Blocks, Choice, Cuts
from ...memory.forecast import Forecast, PartForecast
from ...memory.ordering import Ordering
from ...memory.plan import Plan, budget_for, plan, usable

# A budget is shown beside a smaller one if it saves this share of all transfers that can be saved,
# and is larger by this share.
_SAVED = 0.2
_LARGER = 0.02
_UNLIMITED = 1 << 60

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
        orders: other orders of a segment's steps that pay; `taken` are those that a run takes, and
            that the plans here are made for.
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
    orders: tuple[Ordering, ...] = ()
    taken: tuple[Ordering, ...] = ()

    @cached_property
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

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """The steps that were never measured."""
        return self.forecast.unknown(range(len(self.forecast.graph.steps)))

    def why(
        self, part_forecast: PartForecast
    ) -> Literal["segment", "sink", "before sink", "items", "memory"]:
        """Why a part of `plans` begins where it does: `sink` is behind one."""
        graph, start = self.forecast.graph, part_forecast.steps.start
        if start in self._beginnings:
            return "segment"
        if graph.steps[start].each or graph.steps[start - 1].each:
            return "items"
        if graph.steps[start - 1].is_sink:
            return "sink"
        return "before sink" if graph.steps[start].is_sink else "memory"

    @cached_property
    def _beginnings(self) -> frozenset[int]:
        """The first step of each segment."""
        return frozenset(planned.parts[0].steps.start for planned in self.plans.values())

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
    graph, blocks = forecast.graph, Blocks(forecast)
    every = range(len(graph.steps))
    spans = {segment: graph.span(segment) for segment in graph.segments}
    sent = {each.segment for each in elsewhere}
    here = [spans[segment] for segment in graph.segments if segment not in sent]
    declared = {
        segment: plan(forecast, span, budget, headroom, blocks=blocks)
        for segment, span in spans.items()
        if segment not in sent
    }
    highest = max((planned.peak for planned in declared.values()), default=0)
    sinks = forecast.must_cut(every)
    by_segment = _cuts(blocks, here, sinks)
    freely = _cuts(blocks, _joined(here), sinks)
    least: tuple[int, int] | None = None
    if declared:
        misfit = by_segment.first_misfit(by_segment.least_peak - 1)
        assert misfit is not None, "some step makes it the least"
        least = by_segment.least_peak, misfit
    return Outlook(
        forecast,
        budget,
        headroom,
        declared,
        _best(forecast, blocks, _joined(here), budget, headroom),
        freely.choose(max(usable(budget, headroom), highest)).transfers,
        _boundaries(
            forecast,
            blocks,
            [pair for pair in pairwise(spans.values()) if not sent & _between(graph, pair)],
            budget,
            headroom,
        ),
        _others(by_segment, freely, headroom) if declared else (),
        least,
        elsewhere,
    )


def _cuts(blocks: Blocks, runs: Iterable[range], must_cut: Collection[int]) -> Cuts:
    return Cuts([block for run in runs for block in blocks.of(run, must_cut).blocks])


def _joined(spans: Iterable[range]) -> list[range]:
    """Spans in their order, those that touch as one."""
    joined: list[range] = []
    for span in spans:
        if joined and joined[-1].stop == span.start:
            span = range(joined.pop().start, span.stop)
        joined.append(span)
    return joined


def _best(
    forecast: Forecast, blocks: Blocks, runs: Sequence[range], budget: int, headroom: float
) -> Plan:
    """The plan of all steps that run here, where no boundary but that of a run counts."""
    plans = [plan(forecast, run, budget, headroom, blocks=blocks) for run in runs]
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
    forecast: Forecast,
    blocks: Blocks,
    pairs: Sequence[tuple[range, range]],
    budget: int,
    headroom: float,
) -> tuple[Boundary, ...]:
    """Boundaries, judged each by the two segments that it separates: it changes no other part."""
    live = _live_bytes(forecast)
    boundaries = []
    for former, latter in pairs:
        both = range(former.start, latter.stop)
        boundaries.append(
            Boundary(
                latter.start,
                plan(forecast, both, budget, headroom, {latter.start}, blocks=blocks),
                plan(forecast, both, budget, headroom, blocks=blocks),
                live[latter.start],
                latter.start in forecast.must_cut(both),
                forecast.unknown(both),
            )
        )
    return tuple(boundaries)


def _live_bytes(forecast: Forecast) -> list[int]:
    """For each step, the bytes of all values that are kept if there is a cut before it."""
    change = [0] * (len(forecast.graph.steps) + 2)
    for step in forecast.graph.steps:
        if step.name in forecast.measures:
            crossed = forecast.graph.crossed(step.name)
            change[crossed.start] += forecast.measures[step.name].file_bytes
            change[crossed.stop] -= forecast.measures[step.name].file_bytes
    return list(accumulate(change))


def _others(declared: Cuts, best: Cuts, headroom: float) -> tuple[OtherBudget, ...]:
    """The budgets that are worth showing, of both ways to cut, with the plans of each."""

    def within(cuts: Cuts, budget: int) -> Choice | None:
        return cuts.within(usable(budget, headroom))

    budgets = {
        budget for cuts in (declared, best) for budget in _worth_showing(cuts, within, headroom)
    }
    return tuple(
        OtherBudget(budget, within(declared, budget), within(best, budget))
        for budget in sorted(budgets)
    )


def _worth_showing(
    cuts: Cuts, within: Callable[[Cuts, int], Choice | None], headroom: float
) -> list[int]:
    """The smallest budget that is enough, the smallest that makes a plan as good as with any
    memory, and those between that make one that clearly differs.

    More memory never moves more bytes, nor are its parts more: each is found by halving.
    """
    shown = [rounded_up(budget_for(cuts.least_peak, headroom))]
    lowest, highest = within(cuts, shown[0]), cuts.choose(_UNLIMITED)
    last = rounded_up(budget_for(highest.peak, headroom))
    assert lowest is not None, "it was made for it"
    worth, former = (lowest.transfers - highest.transfers) * _SAVED, lowest
    while former.transfers - highest.transfers > worth:

        def is_worth_it(budget: int, former: Choice = former) -> bool:
            choice = within(cuts, budget)
            assert choice is not None, "a smaller budget is enough"
            is_larger = choice.peak > former.peak * (1 + _LARGER)
            return is_larger and former.transfers - choice.transfers > worth

        if not is_worth_it(last):
            break
        shown.append(_first_budget(is_worth_it, shown[-1], last))
        choice = within(cuts, shown[-1])
        assert choice is not None, "a smaller budget is enough"
        former = choice
    return [*shown, last]


def _first_budget(is_enough: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest rounded budget above `low` that is enough, as `high` is."""
    while (middle := rounded_up((low + high + 1) // 2)) < high:
        if is_enough(middle):
            high = middle
        else:
            low = middle
    while (below := _rounded_down(high - 1)) > low and is_enough(below):
        high = below
    return high


def _rounded_down(count: int) -> int:
    """The next smaller size with at most three significant digits."""
    unit = int(10 ** max(0, len(str(count)) - 3))
    return count // unit * unit


def rounded_up(count: int) -> int:
    """The next size with at most three significant digits, as sizes are shown."""
    unit = int(10 ** max(0, len(str(count)) - 3))
    return -(-count // unit) * unit
