"""Another order of steps: it is one that the steps allow, and never worse than the written one."""

from __future__ import annotations

import itertools

import pytest
from flight_delays.checkpointing.graph.graph import Graph
from flight_delays.checkpointing.memory.forecast import Forecast
from flight_delays.checkpointing.memory.ordering import Ordering, better_order, in_order
from flight_delays.checkpointing.memory.plan import Plan, plan
from flight_delays.checkpointing.memory.profile import StepMeasure
from hypothesis import given, settings
from hypothesis import strategies as st

from .graphs import NAMES, forecast, forecasts, graph, measure

BUDGETS = st.integers(1, 1500)


def better(found: Forecast, budget: int, **more: object) -> Ordering | None:
    """Another order of the first segment."""
    [first, *_] = found.graph.segments
    return better_order(found, first, budget, 0.1, **more)  # type: ignore[arg-type]


def reordered(found: Forecast, ordering: Ordering) -> Forecast:
    """The forecast of the pipeline in that order, from the beginning."""
    graph_then = in_order(found.graph, [ordering])
    then = Forecast(graph_then, {}, found.settings)
    then.__dict__ |= {**found.__dict__, "graph": graph_then}
    return then


def planned(found: Forecast, budget: int) -> Plan:
    [first, *_] = found.graph.segments
    return plan(found, found.graph.span(first), budget, 0.1)


def cost(of: Plan) -> tuple[int, int, int]:
    return of.limit, of.transfers, len(of.parts)


@given(forecasts(), BUDGETS)
@settings(max_examples=120, deadline=None)
def test_a_planned_order_is_topological_and_its_plan_is_better(
    found: Forecast, budget: int
) -> None:
    ordering = better(found, budget)
    if ordering is None:
        return
    place = {name: number for number, name in enumerate(ordering.names)}
    steps = found.graph.steps

    assert sorted(ordering.names) == sorted(step.name for step in steps)
    for step in steps:
        assert all(place[p.source] < place[step.name] for p in found.graph.values_of(step))
    assert ordering.written == planned(found, budget)
    assert cost(ordering.planned) <= cost(ordering.written)
    is_lower = ordering.planned.peak <= ordering.written.peak * 0.95
    assert is_lower or cost(ordering.planned) < cost(ordering.written)
    assert ordering.planned == planned(reordered(found, ordering), budget)


@given(forecasts())
@settings(max_examples=60, deadline=None)
def test_sinks_and_what_is_fixed_keep_their_place_among_all_others(found: Forecast) -> None:
    fixed = [step.name for step in found.graph.steps][::3]
    ordering = better(found, 40, fixed=fixed)
    if ordering is None:
        return
    walls = {step.name for step in found.graph.steps if step.is_sink} | {*fixed}
    written = [step.name for step in found.graph.steps]
    for wall in walls:
        assert {*written[: written.index(wall)]} == {*ordering.names[: ordering.names.index(wall)]}


@given(forecasts(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_graph_in_another_order_is_the_one_that_is_built_so(found: Forecast, rng: object) -> None:
    whole = found.graph
    [segment] = whole.segments
    names: list[str] = []
    while len(names) < len(whole.steps):
        ready = [
            step.name
            for step in whole.steps
            if step.name not in names and {p.source for p in whole.values_of(step)} <= {*names}
        ]
        names.append(rng.choice(ready))  # type: ignore[attr-defined]
    other = whole.reordered(segment, names)
    built = Graph(other.segments, whole.name, whole.published)

    span = range(len(names))
    assert [step.name for step in other.steps] == names
    assert other.outputs(span) == built.outputs(span)
    for cut in range(1, len(names)):
        assert other.kept(range(cut)) == built.kept(range(cut))
        assert other.loaded(range(cut, len(names))) == built.loaded(range(cut, len(names)))
    for name in names:
        assert other.last_use(name) == built.last_use(name)
        assert other.number(name) == built.number(name)
        assert other.producer(name) == built.producer(name)
    assert other.segments[0].written == segment.written


# Frames are made first and used one by one: at most one of them needs to be live.
COUNT = 4
FRAMES = NAMES[:COUNT]
SUMS = NAMES[COUNT : 2 * COUNT]
LAST = NAMES[2 * COUNT]
READS: list[tuple[int, ...]] = [
    *[()] * COUNT,
    *[(n,) for n in range(COUNT)],
    tuple(range(COUNT, 2 * COUNT)),
]
SIZES: dict[str, StepMeasure] = {
    **{name: measure(value=100, file=100) for name in FRAMES},
    **{name: measure(value=1, file=1) for name in SUMS},
    LAST: measure(value=1, file=1),
}


def test_each_frame_is_used_before_the_next_one_is_made() -> None:
    found = forecast(graph(READS), SIZES)
    ordering = better(found, 250)

    assert ordering is not None
    pairs = itertools.chain.from_iterable(zip(FRAMES, SUMS, strict=True))
    assert ordering.names == (*pairs, LAST)
    assert (ordering.written.transfers, ordering.planned.transfers) == (400, 0)
    assert (len(ordering.written.parts), len(ordering.planned.parts)) == (2, 1)


def test_where_all_fits_another_order_is_worth_a_lower_peak_alone() -> None:
    found = forecast(graph(READS), SIZES)
    ordering = better(found, 10_000)

    assert ordering is not None
    assert (ordering.written.peak, ordering.planned.peak) == (400, 103)
    assert better(found, 10_000, only_if_cut=True) is None


def test_what_runs_in_a_chain_has_one_order() -> None:
    found = forecast(graph([(), (0,), (1,)]), {name: measure(value=9) for name in NAMES[:3]})
    assert better(found, 10) is None


def test_steps_that_were_never_measured_stay_as_they_are_written() -> None:
    known = {name: SIZES[name] for name in SIZES if name != LAST}
    assert better(forecast(graph(READS), known), 250) is None


@pytest.mark.parametrize("name", [FRAMES[1], SUMS[0]])
def test_a_step_that_may_change_what_others_use_is_passed_by_none(name: str) -> None:
    found = forecast(graph(READS), SIZES)
    ordering = better(found, 250, fixed=[name])
    before = {*NAMES[: NAMES.index(name)]}

    assert ordering is None or {*ordering.names[: ordering.names.index(name)]} == before


def test_values_of_an_earlier_segment_keep_their_numbers() -> None:
    pipeline = graph([(), (0,), (0,), (1,)], lengths=(1, 3))
    second = pipeline.segments[1]
    other = pipeline.reordered(second, [NAMES[2], NAMES[1], NAMES[3]])

    assert [other.number(name) for name in NAMES[:4]] == [0, 2, 1, 3]
    assert (pipeline.last_use(NAMES[0]), other.last_use(NAMES[0])) == (2, 2)
    assert (pipeline.last_use(NAMES[1]), other.last_use(NAMES[1])) == (3, 3)
    assert other.loaded(range(1, 4)) == (NAMES[0],)
