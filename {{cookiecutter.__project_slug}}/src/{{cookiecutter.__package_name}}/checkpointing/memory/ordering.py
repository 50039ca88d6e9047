"""In which order the steps of a segment run, where that is free: so that less is held and moved.

Steps that do not read from each other may run in any order, and the order decides how much is live
at once. The best one is hard to find: with cuts it is a scheduling problem that S/C states for
materialized views (https://arxiv.org/abs/2303.09774). So a few orders that tend to be good are
tried, and what is near the best of them; each is judged by the plan that it leads to. The order in
which the steps are written is one of them, so the answer is never worse.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..graph.graph import Graph
from ..graph.steps import Segment
from .forecast import UNKNOWN, Forecast
from .plan import Plan, plan

_MOST_TRIED = 60
"""The orders of a segment that are tried where memory needs cuts."""

_MOST_STEPS = 12_000
"""The steps that are planned for all of them together: a long pipeline gets fewer tries each."""

_FEWEST_TRIED = 5

_MOST_LOOKED_AHEAD = 40
"""The steps of a segment in which each is judged by what can follow it."""

_LOWER = 0.05
"""A peak that is lower by this share is worth another order, if nothing else is."""

_NOISE = 0.02
"""Sizes that differ by less than this share, of the largest one, are the same."""

Order = tuple[str, ...]


@dataclass(frozen=True)
class Ordering:
    """A segment in the order in which it is written, and in another one that pays."""

    segment: Segment
    names: Order
    written: Plan
    planned: Plan


def better_order(
    forecast: Forecast,
    segment: Segment,
    budget: int,
    headroom: float,
    fixed: Collection[str] = (),
    *,
    only_if_cut: bool = False,
) -> Ordering | None:
    """An order of a segment's steps that pays; None if there is none, or none was found.

    A segment that was not measured as a whole has none. What runs before and after a sink, a step
    that runs for each item, one that runs in each run, and those in `fixed` stays as it is written:
    they may change what others see.

    Args:
        fixed: the names of steps that keep their place among the others.
        only_if_cut: look for one only where memory needs cuts, and for no peak alone.
    """
    if forecast.unknown(forecast.graph.span(segment)):
        return None
    needs = _needs(forecast.graph, segment, fixed)
    if not _is_free(needs):
        return None
    search = _Search(forecast, segment, budget, headroom, needs)
    if only_if_cut and search.is_whole:
        return None
    names = search.best()
    written, planned = search.plans[search.written], search.plans[names]
    if not _pays(planned, written) or (only_if_cut and _cost(planned) == _cost(written)):
        return None
    return Ordering(segment, names, written, planned)


def _cost(planned: Plan) -> tuple[int, int, int]:
    """By which plans of the same steps compare, the best first."""
    return planned.limit, planned.transfers, len(planned.parts)


def _pays(planned: Plan, written: Plan) -> bool:
    if _cost(planned) != _cost(written):
        return _cost(planned) < _cost(written)
    return planned.peak <= written.peak * (1 - _LOWER)


def better_orders(
    forecast: Forecast,
    budget: int,
    headroom: float,
    fixed: Mapping[str, Collection[str]],
    away: Collection[str] = (),
    *,
    only_if_cut: bool = False,
) -> tuple[Ordering, ...]:
    """The same for every segment but those that run elsewhere; `fixed` is by segment."""
    found = (
        better_order(
            forecast, segment, budget, headroom, fixed[segment.name], only_if_cut=only_if_cut
        )
        for segment in forecast.graph.segments
        if segment.name not in away
    )
    return tuple(ordering for ordering in found if ordering is not None)


def in_order(graph: Graph, orderings: Iterable[Ordering]) -> Graph:
    """The graph in which some segments run in another order."""
    for ordering in orderings:
        graph = graph.reordered(ordering.segment, ordering.names)
    return graph


class _Search:
    """The orders of one segment that were tried so far, each with its plan."""

    def __init__(
        self,
        forecast: Forecast,
        segment: Segment,
        budget: int,
        headroom: float,
        needs: Mapping[str, set[str]],
    ) -> None:
        self._forecast = forecast
        self._graph = forecast.graph
        self._segment = segment
        self._budget = budget
        self._headroom = headroom
        self.written: Order = tuple(step.name for step in segment.steps)
        self._steps = {step.name: step for step in segment.steps}
        self._needs = needs
        self.plans: dict[Order, Plan] = {}
        self._reads = {
            step.name: {p.source for p in self._graph.values_of(step)} for step in segment.steps
        }
        largest = max(map(self._size, self.written))
        self._grain = max(1, round(largest * _NOISE))
        self._readers = {name: self._readers_of(name) for name in self.written}
        tries = _MOST_STEPS // max(len(self._graph.steps), len(segment.steps) ** 2)
        self._left = max(_FEWEST_TRIED, min(_MOST_TRIED, tries))
        self._try(self.written)

    @property
    def is_whole(self) -> bool:
        """Whether the steps need no cut but those that any order has."""
        span = self._graph.span(self._segment)
        forced = self._forecast.must_cut(span)
        return len(self.plans[self.written].parts) == 1 + len(forced - {span.start})

    def best(self) -> Order:
        """The best order that was found."""
        for candidate in self._candidates():
            self._try(candidate)
        best = min(self.plans, key=self._rank_of)
        while self._left > 0 and not self.is_whole:
            near = self._first_better(best)
            if near is None:
                break
            best = near
        return best

    def _first_better(self, order: Order) -> Order | None:
        """An order near to this one, with one step in another place, that is better."""
        for near in self._near(order):
            if self._left <= 0:
                return None
            self._try(near)
            if self._rank_of(near) < self._rank_of(order):
                return near
        return None

    def _rank_of(self, order: Order) -> tuple[int, int, int, int]:
        """Its cost, then its peak, of which small differences are noise; the first tried wins."""
        noise = max(1, round(self.plans[self.written].peak * _NOISE))
        return *_cost(self.plans[order]), self.plans[order].peak // noise

    def _near(self, order: Order) -> Iterator[Order]:
        """Each step as early, and as late, as what it reads and what reads it allow."""
        for place, name in enumerate(order):
            first = max((n + 1 for n in range(place) if order[n] in self._needs[name]), default=0)
            behind = range(place + 1, len(order))
            last = min((n for n in behind if name in self._needs[order[n]]), default=len(order))
            others = order[:place] + order[place + 1 :]
            for target in {first, last - 1} - {place}:
                yield (*others[:target], name, *others[target:])

    def _try(self, order: Order) -> None:
        if order in self.plans:
            return
        self._left -= 1
        graph = self._graph
        if order != self.written:
            graph = graph.reordered(self._segment, order)
        there = copy.copy(self._forecast)
        there.graph = graph
        span = graph.span(self._segment)
        self.plans[order] = plan(there, span, self._budget, self._headroom)

    # Orders that tend to be good

    def _candidates(self) -> Iterator[Order]:
        yield self._in_turn(lambda name, done: self._growth(name, done))
        if len(self.written) <= _MOST_LOOKED_AHEAD:
            yield self._in_turn(lambda name, done: self._growth_ahead(name, done))
        yield self._in_turn(lambda name, done: -self._newest(name, done) * self._grain)
        yield self._backwards()

    def _in_turn(self, rank: Callable[[str, Sequence[str]], int]) -> Order:
        """Of the steps that can run, always one of the lowest rank; of those the first written."""
        done: list[str] = []
        while len(done) < len(self.written):
            ranks = {name: rank(name, done) for name in self._ready(done)}
            most = min(ranks.values()) + self._grain - 1
            done.append(next(name for name, own in ranks.items() if own <= most))
        return tuple(done)

    def _ready(self, done: Sequence[str]) -> list[str]:
        """The steps that can run next, as they are written."""
        known = set(done)
        return [n for n in self.written if n not in known and self._needs[n] <= known]

    def _growth(self, name: str, done: Sequence[str]) -> int:
        """By how many bytes more, or fewer, are held once a step has run."""
        ran = {*done, name}
        freed = sum(
            self._size(value)
            for value in self._reads[name]
            if value in self._steps and not self._stays(value) and self._readers[value] <= ran
        )
        return (self._size(name) if self._readers[name] or self._stays(name) else 0) - freed

    def _growth_ahead(self, name: str, done: Sequence[str]) -> int:
        """The same, with what the best step that can follow makes of it."""
        after = [*done, name]
        following = (self._growth(other, after) for other in self._ready(after))
        return self._growth(name, done) + min(0, min(following, default=0))

    def _newest(self, name: str, done: Sequence[str]) -> int:
        """How late the last value was made that a step reads: what is held goes first."""
        read = self._reads[name]
        return max((place for place, other in enumerate(done, 1) if other in read), default=0)

    def _backwards(self) -> Order:
        """Each step right after what it reads, and before that what takes the most to make."""
        done: dict[str, None] = {}
        needed = {name for names in self._needs.values() for name in names}
        waiting = [name for name in reversed(self.written) if name not in needed]
        while waiting:
            first = self._needs[waiting[-1]] - done.keys()
            if first:
                waiting += sorted(first, key=self._rank)
            else:
                done.setdefault(waiting.pop())
        return tuple(done)

    def _rank(self, name: str) -> tuple[int, int]:
        measure = self._forecast.measures.get(name, UNKNOWN)
        return measure.needed_bytes - measure.value_bytes, -self.written.index(name)

    def _size(self, name: str) -> int:
        return self._forecast.measures.get(name, UNKNOWN).value_bytes

    def _readers_of(self, name: str) -> set[str]:
        """The steps of the segment that read a value."""
        return {other for other in self.written if name in self._reads[other]}

    def _stays(self, name: str) -> bool:
        """Whether a value is held until the end of its part in any order."""
        graph = self._graph
        is_read_later = graph.last_use(name) >= graph.span(self._segment).stop
        return is_read_later or graph.is_output(name) or name in graph.read_again


def _is_free(needs: Mapping[str, set[str]]) -> bool:
    """Whether steps, in the order in which they are written, have another order at all."""
    return any(former not in needs[name] for former, name in pairwise(needs))


def _needs(graph: Graph, segment: Segment, fixed: Collection[str]) -> dict[str, set[str]]:
    """For each step of a segment the steps of it that have to run before."""
    needs: dict[str, set[str]] = {}
    barrier: str | None = None
    since: set[str] = set()
    for step in segment.steps:
        own = {p.source for p in graph.values_of(step)} & needs.keys()
        if barrier is not None:
            own.add(barrier)
        if step.is_alone or step.always or step.name in fixed:
            own |= since
            barrier, since = step.name, set()
        else:
            since.add(step.name)
        needs[step.name] = own
    return needs
