"""The forecast says what any part of a pipeline would hold, write and read."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing.graph.steps import Segment
from flight_delays.checkpointing.memory.arrays import arrays_of
from flight_delays.checkpointing.memory.forecast import Forecast, forecast_of
from flight_delays.checkpointing.memory.profile import Profile, SegmentProfile, StepMeasure
from flight_delays.checkpointing.memory.residency import Shared
from flight_delays.checkpointing.pipeline import Pipeline
from hypothesis import given, settings
from hypothesis import strategies as st

from .. import builders
from .graphs import MOST_STEPS, NAMES, Simulation, forecast, forecasts, graph, measure, step

A, B, C, D = NAMES[:4]
# a → b, c; b → c; c → d
CHAIN = [(), (0,), (0, 1), (2,)]


def parts(count: int) -> list[range]:
    """Every part of so many steps."""
    return [range(i, j) for i in range(count) for j in range(i + 1, count + 1)]


@given(forecasts())
@settings(max_examples=100, deadline=None)
def test_every_part_of_a_graph_takes_what_a_plain_simulation_of_it_takes(found: Forecast) -> None:
    for part in parts(len(found.graph.steps)):
        simulated, told = Simulation(found, part), found.part(part)
        assert list(told.peaks) == simulated.peaks()
        assert (told.written, told.read) == (simulated.written(), simulated.read())


@given(forecasts(), st.sets(st.integers(0, MOST_STEPS - 1), max_size=2))
@settings(max_examples=25, deadline=None)
def test_the_costs_of_a_range_of_steps_are_those_of_each_part_of_it(
    found: Forecast, skipped: set[int]
) -> None:
    found.graph = found.graph.without({n for n in skipped if n < len(found.graph.steps)})
    for steps in parts(len(found.graph.steps)):
        for costs in (found.costs(steps), arrays_of(found, steps)):
            for part in parts(len(steps)):
                told = found.part(steps[part.start : part.stop])
                assert costs.peak(part) == told.peak
                assert costs.transfer(part) == told.written + told.read


def test_a_step_s_peak_is_the_baseline_what_is_live_and_what_the_step_itself_adds() -> None:
    measures = {A: measure(value=10), B: measure(value=5, transient=20), C: measure(), D: measure()}
    found = forecast(graph(CHAIN), measures, baseline=100)
    assert found.part(range(2)).peaks == (110, 130, 115)


def test_a_value_is_gone_after_its_last_use_even_when_the_part_goes_on() -> None:
    measures = {A: measure(value=10), B: measure(value=5), C: measure(value=1), D: measure()}
    found = forecast(graph(CHAIN), measures)
    assert found.part(range(4)).peaks == (10, 15, 15, 1, 0)


def test_memory_that_two_values_share_counts_once_and_for_as_long_as_one_of_them_is_live() -> None:
    reads: list[tuple[int, ...]] = [(), (0,), (), (1, 2)]
    measures = {A: measure(value=50), B: measure(), C: measure(value=1), D: measure()}
    view = forecast(graph(reads), measures, shared=(Shared(A, (B,), 50),))
    copy = forecast(graph(reads), measures)
    assert view.part(range(3)).peaks == (50, 50, 51, 51)
    assert copy.part(range(3)).peaks == (50, 50, 1, 1)


def test_a_view_of_a_value_that_was_loaded_holds_nothing() -> None:
    measures = {A: measure(value=50), B: measure(), C: measure(), D: measure()}
    found = forecast(graph(CHAIN), measures, shared=(Shared(A, (B, C), 50),))
    assert found.part(range(1, 4)).peaks == (0, 0, 0, 0)


def test_what_loading_takes_is_held_from_the_first_use_in_the_part_to_the_last() -> None:
    reads: list[tuple[int, ...]] = [(), (0,), (), (0,), ()]
    measures = {name: measure() for name in NAMES[:5]}
    found = forecast(graph(reads), measures, loads={A: 7})
    assert found.part(range(1, 5)).peaks == (7, 7, 7, 0, 0)
    assert found.part(range(2, 5)).peaks == (0, 7, 0, 0)


def test_a_step_that_was_stopped_needs_at_least_what_it_had_when_it_was_stopped() -> None:
    found = forecast(graph([()]), {A: measure(transient=3, stopped=30)})
    assert found.part(range(1)).peak == 30


def test_memory_that_a_step_found_free_is_not_expected_where_nothing_was_freed() -> None:
    """It made do with what an earlier step left in the heap: elsewhere there is none."""
    measures = {A: measure(drift=8), B: measure(value=9, drift=-8)}
    found = forecast(graph([(), ()]), measures)
    assert found.part(range(2)).peaks == (8, 9, 9)
    assert found.part(range(1, 2)).peaks == (9, 9)


def test_outputs_stay_until_the_commit_and_writing_takes_what_it_took() -> None:
    measures = {A: measure(value=10, file=4), B: measure(value=5, file=2)}
    found = forecast(graph([(), ()]), measures, writes={A: 3, B: 1})
    assert found.part(range(2)).peaks == (10, 15, 18)
    assert found.part(range(2)).written == 0, "outputs are written however the segment is cut"


def test_keeping_all_values_writes_each_after_its_step_and_counts_it_once() -> None:
    measures = {A: measure(value=10, file=4), B: measure(value=5, file=2), C: measure(file=1)}
    found = forecast(graph([(), (0,), (1,)]), measures, writes={A: 3, B: 9, C: 2}, keep_all=True)
    assert found.part(range(3)).peaks == (13, 14, 5, 2)
    assert found.part(range(3)).written == 7
    assert found.part(range(1, 3)).written == 3


def test_a_step_that_never_ran_to_its_end_is_named_as_unknown() -> None:
    stopped = StepMeasure("now", "same", stopped_bytes=9, finished=False)
    measures = {A: measure(), B: stopped}
    found = forecast(graph(CHAIN), measures)
    assert found.part(range(4)).unknown == (B, C, D)
    assert found.part(range(1)).unknown == ()


def test_the_rise_that_a_step_is_expected_to_make_counts_what_it_has_to_load() -> None:
    measures = {A: measure(), B: measure(transient=4, stopped=6)}
    found = forecast(graph(CHAIN), measures, loads={A: 10})
    second, third = found.graph.steps[1:3]
    assert found.rise(second, unloaded={A}, otherwise=99) == 16
    assert found.rise(second, unloaded=set(), otherwise=99) == 6
    assert found.rise(third, unloaded={A}, otherwise=99) == 109


def test_every_sink_is_a_part_of_its_own() -> None:
    found = forecast(graph([(), (), (), ()], sinks=(0, 2, 3)), {})
    assert found.must_cut(range(4)) == {1, 2, 3}
    assert found.must_cut(range(1, 3)) == {2}


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        pytest.param("", 0, id="a mapped file takes nothing"),
        pytest.param('[checkpoints]\nformat = "parquet"\n', 40, id="Parquet is not mapped"),
        pytest.param('[budget]\ncount = "rss"\n', 40, id="mapped pages count"),
    ],
)
def test_loading_that_was_never_seen_is_expected_to_take_the_size_of_the_value(
    tmp_path: Path, memory: str, expected: int
) -> None:
    source = """
    @step
    def made() -> pd.DataFrame: ...
    @step
    def read(made: pd.DataFrame) -> pd.DataFrame: ...
    """
    pipeline = builders.pipeline(tmp_path, source, memory=builders.MEMORY_BUDGET + memory)
    known = SegmentProfile(1, 0, {"made": measure(file=40)})
    assert Forecast(pipeline, {"s01": known}, pipeline.settings.memory).load("made") == expected
    seen = SegmentProfile(1, 0, {"made": measure(file=40)}, loads={"made": 3})
    assert Forecast(pipeline, {"s01": seen}, pipeline.settings.memory).load("made") == 3


def test_a_segment_that_never_ran_is_expected_to_start_like_the_largest_other() -> None:
    pipeline = graph([(), (), ()], lengths=(1, 1, 1))
    profile = Profile({})
    profile.learn("segment1", SegmentProfile(1, 50, {A: measure()}))
    profile.learn("segment2", SegmentProfile(1, 70, {B: measure()}))
    found = forecast_of(pipeline, profile, pipeline.settings.memory)
    assert [found.baseline(number) for number in range(3)] == [50, 70, 70]


def test_segments_know_of_each_other_s_values() -> None:
    pipeline = Pipeline(Segment("one", [step(0, ())]), Segment("two", [step(1, (0,))]), name="two")
    profile = Profile({})
    profile.learn("one", SegmentProfile(1, 50, {A: measure(file=8)}))
    profile.learn("two", SegmentProfile(1, 60, {B: measure(transient=1)}, loads={A: 8}))
    found = forecast_of(pipeline, profile, pipeline.settings.memory).part(range(1, 2))
    assert (found.peaks, found.read) == ((69, 60), 8)


def test_a_forecast_is_for_the_size_of_input_that_is_nearest() -> None:
    pipeline = graph([()])
    profile = Profile({})
    for size, value in ((1000, 10), (100_000, 1000)):
        profile.learn("segment1", SegmentProfile(size, 1, {A: measure(str(size), value=value)}))
    [segment] = pipeline.segments
    for size, value in ((900, 10), (5000, 10), (50_000, 1000), (10**9, 1000)):
        found = forecast_of(pipeline, profile, pipeline.settings.memory, {segment: size})
        assert found.measures[A].value_bytes == value
