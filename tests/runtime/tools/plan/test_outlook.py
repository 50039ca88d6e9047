"""The outlook of a whole pipeline, compared with every possible way to cut it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.units import size
from flight_delays.checkpointing.memory.forecast import Forecast
from flight_delays.checkpointing.memory.plan import budget_for, usable
from flight_delays.checkpointing.tools.plan.outlook import (
    Boundary,
    Outlook,
    outlook_of,
    rounded_up,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ...memory.forecasts import BASELINE, Told, graphs, least_transfers, sums
from ...memory.forecasts import forecast as make_forecast

HEADROOM = 0.2
thorough = settings(deadline=None, database=None, max_examples=60)
budgets = st.integers(BASELINE, BASELINE + 900)
graph_and_budget = given(segments=graphs(), budget=budgets)


def in_some_folder(segments: list[dict[str, Told]]) -> Forecast:
    with tempfile.TemporaryDirectory() as folder:
        return make_forecast(Path(folder), segments)


def starts(forecast: Forecast) -> set[int]:
    spans = [forecast.graph.span(segment) for segment in forecast.graph.segments]
    return {span.start for span in spans if span.start}


def every_step(forecast: Forecast) -> range:
    return range(len(forecast.graph.steps))


def moved(outlook: Outlook) -> int:
    return outlook.written + outlook.read


# Properties, against brute force


@thorough
@graph_and_budget
def test_declared_and_best_plans_have_the_least_io_there_is(
    segments: list[dict[str, Told]], budget: int
) -> None:
    forecast = in_some_folder(segments)
    outlook = outlook_of(forecast, budget, HEADROOM)

    for segment, planned in outlook.declared.items():
        ways = sums(forecast, forecast.graph.span(segment), set())
        assert (planned.limit, planned.transfers) == least_transfers(ways, outlook.usable)
    ways = sums(forecast, every_step(forecast), set())
    assert (outlook.best.limit, outlook.best.transfers) == least_transfers(ways, outlook.usable)


@thorough
@graph_and_budget
def test_no_cuts_have_less_io_than_the_lower_bound(
    segments: list[dict[str, Told]], budget: int
) -> None:
    forecast = in_some_folder(segments)
    outlook = outlook_of(forecast, budget, HEADROOM)

    within = max(outlook.usable, outlook.peak, outlook.best.peak)
    ways = [way for way in sums(forecast, every_step(forecast), set()) if way.peak <= within]
    assert outlook.lower_bound == min(way.transfers for way in ways)
    assert outlook.lower_bound <= moved(outlook)


@thorough
@graph_and_budget
def test_a_boundary_is_judged_as_if_all_ways_without_it_had_been_tried(
    segments: list[dict[str, Told]], budget: int
) -> None:
    forecast = in_some_folder(segments)
    boundary_starts = starts(forecast)
    outlook = outlook_of(forecast, budget, HEADROOM)

    assert [boundary.before for boundary in outlook.boundaries] == sorted(boundary_starts)
    spans = [forecast.graph.span(segment) for segment in forecast.graph.segments]
    for boundary, former, latter in zip(outlook.boundaries, spans, spans[1:], strict=False):
        both = range(former.start, latter.stop)
        kept_limit, kept = least_transfers(sums(forecast, both, {boundary.before}), outlook.usable)
        limit, without = least_transfers(sums(forecast, both, set()), outlook.usable)
        if boundary.is_at_sink:
            assert (kept_limit, kept) == (limit, without)
        elif limit < kept_limit:
            assert boundary.verdict == "hinders"
        else:
            assert boundary.cost == kept - without
            assert (boundary.verdict == "costs") == (kept > without)
        assert boundary.pays == (limit == kept_limit and kept == without)


@thorough
@graph_and_budget
def test_what_a_boundary_costs_is_what_the_whole_pipeline_would_save(
    segments: list[dict[str, Told]], budget: int
) -> None:
    forecast = in_some_folder(segments)
    outlook = outlook_of(forecast, budget, HEADROOM)
    # Otherwise each segment is planned to a limit of its own.
    assume(outlook.peak <= outlook.usable)

    for boundary in outlook.boundaries:
        others = starts(forecast) - {boundary.before}
        _, without = least_transfers(sums(forecast, every_step(forecast), others), outlook.usable)
        assert boundary.cost == moved(outlook) - without


@thorough
@given(segments=graphs(), budget=budgets, more=st.integers(0, 500))
def test_a_larger_budget_never_costs_more_io(
    segments: list[dict[str, Told]], budget: int, more: int
) -> None:
    forecast = in_some_folder(segments)
    smaller, larger = (outlook_of(forecast, b, HEADROOM) for b in (budget, budget + more))

    assert moved(larger) <= moved(smaller)
    assert larger.best.transfers <= smaller.best.transfers


@thorough
@given(segments=graphs(), headroom=st.sampled_from([0.0, 0.05, 0.2, 0.9]))
def test_other_budgets_lead_to_what_a_plan_for_them_says(
    segments: list[dict[str, Told]], headroom: float
) -> None:
    forecast = in_some_folder(segments)
    outlook = outlook_of(forecast, 1000, headroom)

    for other in outlook.others:
        there = outlook_of(forecast, other.budget, headroom)
        for choice, transfers, peak, count in (
            (other.best, there.best.transfers, there.best.peak, len(there.best.parts)),
            (
                other.declared,
                moved(there),
                there.peak,
                sum(len(planned.parts) for planned in there.declared.values()),
            ),
        ):
            assert (choice is None) == (peak > there.usable)
            if choice is not None:
                assert (choice.transfers, len(choice.parts)) == (transfers, count)
    ever = outlook_of(forecast, 10**6, headroom)
    last = outlook.others[-1]
    assert last.declared is not None
    assert last.best is not None
    assert (last.declared.transfers, last.best.transfers) == (moved(ever), ever.best.transfers)


@thorough
@given(segments=graphs(), headroom=st.sampled_from([0.0, 0.05, 0.2]))
def test_nothing_fits_a_smaller_budget_than_the_first_that_is_shown(
    segments: list[dict[str, Told]], headroom: float
) -> None:
    forecast = in_some_folder(segments)
    outlook = outlook_of(forecast, 1000, headroom)

    first = next(other for other in outlook.others if other.declared)
    for budget, does_fit in ((first.budget, True), (_smaller(first.budget), False)):
        there = outlook_of(forecast, budget, headroom)
        assert (there.peak <= there.usable) == does_fit
    assert outlook.others[0].best is not None
    there = outlook_of(forecast, _smaller(outlook.others[0].budget), headroom)
    assert there.best.peak > there.usable


def _smaller(budget: int) -> int:
    """The next smaller budget with at most three significant digits."""
    return budget - int(10 ** max(0, len(str(budget - 1)) - 3))


@thorough
@given(segments=graphs())
def test_below_the_least_budget_the_step_that_is_named_does_not_fit(
    segments: list[dict[str, Told]],
) -> None:
    forecast = in_some_folder(segments)
    outlook = outlook_of(forecast, 1000, HEADROOM)
    assert outlook.least is not None
    least, step = outlook.least

    assert all(p.misfit is None for p in outlook_of(forecast, least, HEADROOM).declared.values())
    misfits = [p.misfit for p in outlook_of(forecast, least - 1, HEADROOM).declared.values()]
    assert next(misfit for misfit in misfits if misfit is not None) == step


@thorough
@given(peak=st.integers(1, 10**15), headroom=st.floats(0, 0.99))
def test_a_budget_for_a_peak_has_room_for_it_beside_the_headroom(
    peak: int, headroom: float
) -> None:
    budget = budget_for(peak, headroom)

    assert usable(budget, headroom) >= peak
    assert usable(budget - 1, headroom) < peak


@thorough
@given(count=st.integers(1, 10**15))
def test_a_rounded_size_is_no_smaller_and_shown_in_full(count: int) -> None:
    rounded = rounded_up(count)

    assert count <= rounded <= count * 1.011 + 1
    units = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
    number, unit = size(rounded).split()
    assert round(float(number) * units[unit]) == rounded


# Examples that can be calculated by hand: BASELINE is 100 bytes


def boundary(folder: Path, first: dict[str, Told], second: dict[str, Told], held: int) -> Boundary:
    """The boundary between two segments, if parts may use `held` bytes more than the baseline."""
    [judged] = outlook_of(make_forecast(folder, [first, second]), BASELINE + held, 0.0).boundaries
    return judged


def test_a_boundary_that_memory_does_not_need_costs_what_crosses_it(tmp_path: Path) -> None:
    judged = boundary(
        tmp_path, {"a": Told(value=30)}, {"b": Told(("a",), value=5), "c": Told(("a", "b"))}, 200
    )

    assert (judged.verdict, judged.cost, judged.live) == ("costs", 60, 30)
    assert judged.instead == ()


def test_a_boundary_is_needed_where_memory_has_to_be_set_free(tmp_path: Path) -> None:
    first = {"a": Told(value=60)}
    second = {"b": Told(value=50), "c": Told(("a", "b"))}

    assert boundary(tmp_path, first, second, 80).verdict == "needed"
    assert boundary(tmp_path, first, second, 110).verdict == "costs"


def test_a_boundary_in_the_wrong_place_is_shown_with_a_better_one(tmp_path: Path) -> None:
    first = {"a": Told(value=60)}  # an output, so it stays in memory until its part ends
    second = {"b": Told(("a",), value=10), "c": Told(("b",), value=50)}
    forecast = make_forecast(tmp_path, [first, second], '[outputs]\na = "a.json"')
    [judged] = outlook_of(forecast, BASELINE + 80, 0.0).boundaries

    assert (judged.verdict, judged.cost) == ("costs", 2 * 60 - 2 * 10)
    assert judged.instead == (2,)


def test_a_boundary_beside_a_cut_that_memory_needs_is_not_needed(tmp_path: Path) -> None:
    first = {"a": Told(value=60)}
    second = {"b": Told(("a",), value=10), "c": Told(("b",), value=50, extra=20)}
    judged = boundary(tmp_path, first, second, 75)

    assert (judged.verdict, judged.cost) == ("costs", 2 * 60)
    assert judged.kept.cuts == (1, 2)
    assert judged.instead == ()


def test_a_boundary_that_nothing_crosses_is_free(tmp_path: Path) -> None:
    judged = boundary(tmp_path, {"a": Told(value=9)}, {"b": Told(value=8)}, 100)

    assert (judged.verdict, judged.cost, judged.pays) == ("free", 0, True)


def test_a_boundary_hinders_when_loading_takes_more_than_making_did(tmp_path: Path) -> None:
    judged = boundary(tmp_path, {"a": Told(value=40, load=90)}, {"b": Told(("a",), value=10)}, 60)

    assert (judged.verdict, judged.pays) == ("hinders", False)
    assert (judged.kept.limit, judged.without.limit) == (BASELINE + 100, BASELINE + 60)


def test_a_boundary_after_a_sink_is_there_in_any_case(tmp_path: Path) -> None:
    judged = boundary(
        tmp_path,
        {"a": Told(value=9), "told": Told(("a",), is_sink=True)},
        {"b": Told(("a",), value=8)},
        100,
    )

    assert (judged.verdict, judged.cost, judged.pays) == ("sink", 0, True)


def test_steps_that_were_never_measured_are_named_wherever_they_count(tmp_path: Path) -> None:
    forecast = make_forecast(
        tmp_path,
        [
            {"a": Told(value=30)},
            {"b": Told(("a",), measured=False), "c": Told(("b",), value=5)},
            {"d": Told(("c",), value=5)},
            {"e": Told(("d",), value=5)},
        ],
    )
    outlook = outlook_of(forecast, 1000, HEADROOM)

    assert outlook.is_measured
    assert outlook.unknown == ("b",)
    assert [judged.unknown for judged in outlook.boundaries] == [("b",), ("b",), ()]


def test_nothing_is_known_of_a_pipeline_that_never_ran(tmp_path: Path) -> None:
    forecast = make_forecast(
        tmp_path, [{"a": Told(measured=False)}, {"b": Told(("a",), measured=False)}]
    )
    outlook = outlook_of(forecast, 1000, HEADROOM)

    assert not outlook.is_measured
    assert [len(planned.parts) for planned in outlook.declared.values()] == [1, 1]


def test_the_list_of_other_budgets_is_short_for_a_pipeline_of_many_steps(tmp_path: Path) -> None:
    steps = {f"v{n}": Told((f"v{n - 1}",) if n else (), value=100 + n) for n in range(60)}
    reader = {"end": Told(tuple(f"v{n}" for n in range(0, 60, 3)), value=1)}
    outlook = outlook_of(make_forecast(tmp_path, [steps, reader]), 10**5, HEADROOM)

    assert 2 <= len(outlook.others) <= 12


def test_budgets_that_are_nearly_the_same_are_shown_once(tmp_path: Path) -> None:
    steps: dict[str, Told] = {}
    for name, size_ in (("a", 1000), ("b", 1010), ("c", 1500)):  # each pair fits, or costs a cut
        steps[f"{name}1"] = Told(value=1000)
        steps[f"{name}2"] = Told(value=size_)
        steps[name] = Told((f"{name}1", f"{name}2"))
    outlook = outlook_of(make_forecast(tmp_path, [steps]), 10**5, 0.0)

    assert [(other.budget, len(other.best.parts)) for other in outlook.others if other.best] == [
        (BASELINE + 1500, 4),
        (BASELINE + 2000, 3),
        (BASELINE + 2500, 1),
    ]


@pytest.mark.parametrize("headroom", [0.0, 0.2])
def test_a_pipeline_of_one_segment_has_no_boundary_to_judge(
    tmp_path: Path, headroom: float
) -> None:
    outlook = outlook_of(make_forecast(tmp_path, [{"a": Told(value=10)}]), 1000, headroom)

    assert outlook.boundaries == ()
    assert outlook.best.parts == next(iter(outlook.declared.values())).parts
