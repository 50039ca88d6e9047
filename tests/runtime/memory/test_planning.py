"""A plan: the parts that move the fewest bytes within a budget, as a value."""

from __future__ import annotations

import itertools

import pytest
from flight_delays.checkpointing.memory.forecast import Forecast
from flight_delays.checkpointing.memory.plan import Plan, plan
from hypothesis import given, settings
from hypothesis import strategies as st

from .graphs import NAMES, forecast, forecasts, graph, measure

A, B, C, D = NAMES[:4]
BUDGETS = st.integers(1, 1500)


def of(found: Forecast, budget: int, headroom: float = 0.0, **more: object) -> Plan:
    """The plan of the whole pipeline of a forecast."""
    steps = range(len(found.graph.steps))
    return plan(found, steps, budget, headroom, **more)  # type: ignore[arg-type]


def every_cutting(count: int, forced: set[int]) -> list[list[range]]:
    """All ways to cut so many steps into parts, those without a forced cut left out."""
    found = []
    for chosen in range(1 << (count - 1)):
        cuts = {n + 1 for n in range(count - 1) if chosen >> n & 1}
        if forced <= cuts:
            ends = [0, *sorted(cuts), count]
            found.append([range(a, b) for a, b in itertools.pairwise(ends)])
    return found


@given(forecasts(), BUDGETS, st.sampled_from([0.0, 0.2, 0.5]))
@settings(max_examples=60, deadline=None)
def test_all_steps_are_planned_once_and_in_order(
    found: Forecast, budget: int, headroom: float
) -> None:
    planned = of(found, budget, headroom)
    steps = range(len(found.graph.steps))
    assert [n for part in planned.parts for n in part.steps] == list(steps)
    assert planned.cuts == tuple(part.steps.start for part in planned.parts[1:])
    assert found.must_cut(steps) <= set(planned.cuts)
    assert planned.parts == tuple(found.part(part.steps) for part in planned.parts)


@given(forecasts(), BUDGETS, st.sampled_from([0.0, 0.2, 0.5]))
@settings(max_examples=40, deadline=None)
def test_no_other_cuts_within_the_limit_move_fewer_bytes(
    found: Forecast, budget: int, headroom: float
) -> None:
    planned = of(found, budget, headroom)
    steps = range(len(found.graph.steps))
    costs = found.costs(steps)
    ways = every_cutting(len(steps), found.must_cut(steps))
    least = min(max(map(costs.peak, parts)) for parts in ways)
    assert planned.limit == max(int(budget * (1 - headroom)), least)
    fitting = [parts for parts in ways if max(map(costs.peak, parts)) <= planned.limit]
    assert planned.peak <= planned.limit
    moved = min(sum(map(costs.transfer, parts)) for parts in fitting)
    assert planned.written + planned.read == moved


@given(forecasts(), BUDGETS, BUDGETS)
@settings(max_examples=60, deadline=None)
def test_a_larger_budget_never_moves_more_bytes(found: Forecast, one: int, other: int) -> None:
    smaller, larger = of(found, min(one, other)), of(found, max(one, other))
    assert larger.written + larger.read <= smaller.written + smaller.read


@given(forecasts(), BUDGETS, st.sampled_from([0.0, 0.2]))
@settings(max_examples=60, deadline=None)
def test_a_misfit_is_named_only_where_no_cuts_would_do(
    found: Forecast, budget: int, headroom: float
) -> None:
    planned = of(found, budget, headroom)
    assert (planned.misfit is None) == (planned.peak <= budget)
    if planned.misfit is not None:
        alone = range(planned.misfit, planned.misfit + 1)
        assert found.part(alone).peak > budget


@given(forecasts(), BUDGETS, st.sets(st.integers(1, 11)))
@settings(max_examples=40, deadline=None)
def test_given_boundaries_are_kept(found: Forecast, budget: int, given_cuts: set[int]) -> None:
    inside = {cut for cut in given_cuts if cut < len(found.graph.steps)}
    assert inside <= set(of(found, budget, boundaries=given_cuts).cuts)


@given(forecasts(), BUDGETS, st.data())
@settings(max_examples=40, deadline=None)
def test_the_rest_of_a_segment_is_planned_like_a_segment(
    found: Forecast, budget: int, data: st.DataObject
) -> None:
    count = len(found.graph.steps)
    start = data.draw(st.integers(0, count - 1))
    steps = range(start, count)
    planned = plan(found, steps, budget, 0.1)
    assert [n for part in planned.parts for n in part.steps] == list(steps)
    assert start not in planned.cuts
    assert planned.misfit is None or planned.misfit in steps


# a and b are held until c; each is 40 and c needs nothing more.
PAIR = [(), (), (0, 1), (2,)]
MEASURES = {
    A: measure(value=40, file=40),
    B: measure(value=40, file=40),
    C: measure(),
    D: measure(),
}


def test_headroom_is_left_free_where_that_can_be() -> None:
    found = forecast(graph(PAIR), MEASURES, baseline=10)
    assert of(found, budget=100).cuts == ()
    assert of(found, budget=100, headroom=0.2).cuts == (1,)
    assert of(found, budget=100, headroom=0.2).limit == 80


def test_a_step_that_needs_the_headroom_gets_it() -> None:
    measures = MEASURES | {D: measure(transient=85)}
    planned = of(forecast(graph(PAIR), measures, baseline=10), budget=100, headroom=0.2)
    assert planned.limit == planned.peak == 95
    assert planned.misfit is None


def test_the_first_step_that_cannot_fit_is_named() -> None:
    measures = MEASURES | {B: measure(transient=120, value=40), D: measure(transient=300)}
    planned = of(forecast(graph(PAIR), measures, baseline=10), budget=100)
    assert planned.misfit == 1
    assert of(forecast(graph(PAIR), measures, baseline=10), budget=200).misfit == 3


@pytest.mark.parametrize("budget", [1, 100, 10**12])
def test_steps_that_were_never_measured_are_planned_as_one_part(budget: int) -> None:
    planned = of(forecast(graph(PAIR), {}), budget)
    assert planned.cuts == ()
    assert planned.parts[0].unknown == (A, B, C, D)
    assert planned.misfit is None
