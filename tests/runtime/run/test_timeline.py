"""Memory over time stays small however long a run is, and loses no peak."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.run.events import (
    Noticed,
    PartCut,
    PartEnded,
    PartStarted,
    RunStarted,
    Sampled,
    SegmentStarted,
)
from flight_delays.checkpointing.run.record import TIMELINE
from flight_delays.checkpointing.run.timeline import MOST_SAMPLES, Peaks, Timeline
from flight_delays.checkpointing.worker.messages import CommitStarted, StepStarted
from hypothesis import given
from hypothesis import strategies as st

STARTED = RunStarted("demo", 100, "--budget", (("s01", 2),), "run.log")
samples_over_time = st.lists(
    st.tuples(st.floats(0, 1e6, allow_nan=False), st.integers(0, 10**12)), max_size=200
).map(sorted)


class Clock:
    """A clock that a test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def observed(events: list[tuple[float, Any]]) -> dict[str, Any]:
    """The timeline of events at seconds after the run's start."""
    clock = Clock()
    timeline = Timeline(lambda event: None, clock)
    for seconds, event in [(5.0, STARTED), *((5.0 + at, event) for at, event in events)]:
        clock.now = 1000.0 + seconds
        timeline.observe(event)
    return timeline.as_json()


def kept(samples: list[tuple[float, int]], most: int) -> list[tuple[float, int]]:
    peaks = Peaks(most)
    for sample in samples:
        peaks.add(*sample)
    return peaks.samples()


@given(samples_over_time, st.integers(1, 20))
def test_no_more_samples_are_kept_than_asked_for_and_all_are_real(
    samples: list[tuple[float, int]], most: int
) -> None:
    found = kept(samples, most)

    assert len(found) <= most
    assert set(found) <= set(samples)
    assert found == sorted(found, key=lambda sample: sample[0])


@given(samples_over_time, st.integers(1, 20))
def test_a_sample_that_is_left_out_has_a_larger_neighbour(
    samples: list[tuple[float, int]], most: int
) -> None:
    """Within the length of one interval: twice what spreading `most` over the time would give."""
    found = kept(samples, most)
    interval = max(0.002, 2 * (samples[-1][0] + 0.01) / most) if samples else 0.0

    for at, held in samples:
        near = [there for moment, there in found if abs(moment - at) <= interval]
        assert max(near) >= held


@given(samples_over_time, st.integers(1, 20))
def test_the_highest_peak_keeps_its_moment(samples: list[tuple[float, int]], most: int) -> None:
    found = kept(samples, most)
    highest = max((held for _, held in samples), default=0)
    moments = {at for at, held in samples if held == highest}

    assert not samples or {at for at, held in found if held == highest} & moments


def test_what_is_sampled_more_often_than_the_clock_ticks_is_one_sample() -> None:
    assert kept([(1.0, 5), (1.0, 9), (1.0, 7)], 100) == [(1.0, 9)]


def test_a_long_run_keeps_a_bounded_number_of_samples_over_all_its_time() -> None:
    found = observed([(n * 0.01, Sampled(n % 977)) for n in range(50_000)])

    assert MOST_SAMPLES / 2 <= len(found["seconds"]) <= MOST_SAMPLES
    assert len(found["held_bytes"]) == len(found["seconds"])
    assert found["seconds"] == sorted(found["seconds"])
    assert max(found["held_bytes"]) == 976
    assert found["seconds"][0] < 1
    assert found["seconds"][-1] > 499


def test_a_short_run_keeps_every_sample() -> None:
    found = observed([(0.0, Sampled(3)), (0.01, Sampled(9)), (0.02, Sampled(1))])

    assert found == {"seconds": [0.0, 0.01, 0.02], "held_bytes": [3, 9, 1], "marks": []}


def test_the_turns_of_a_run_are_marked_with_their_segments() -> None:
    found = observed(
        [
            (0.0, SegmentStarted("s01", ())),
            (0.1, PartStarted("s01", "flights")),
            (0.2, StepStarted("flights", {})),
            (0.3, PartCut("s01", "late", "over budget")),
            (0.4, PartStarted("s01", "flights")),
            (0.5, StepStarted("flights", {})),
            (0.6, CommitStarted({})),
            (0.7, PartEnded("s01")),
            (0.8, PartStarted("s02", "late")),
            (0.9, StepStarted("late", {})),
        ]
    )
    marks = [(m["seconds"], m["kind"], m["segment"], m["name"]) for m in found["marks"]]

    assert marks == [
        (0.1, "part", "s01", "flights"),
        (0.2, "step", "s01", "flights"),
        (0.3, "cut", "s01", "late"),
        (0.4, "part", "s01", "flights"),
        (0.5, "step", "s01", "flights"),
        (0.6, "commit", "s01", ""),
        (0.7, "end", "s01", ""),
        (0.8, "part", "s02", "late"),
        (0.9, "step", "s02", "late"),
    ]


def test_a_step_belongs_to_the_segment_that_started_last() -> None:
    found = observed([(0.0, SegmentStarted("s07", ())), (0.1, StepStarted("late", {}))])

    assert found["marks"] == [{"seconds": 0.1, "kind": "step", "segment": "s07", "name": "late"}]


def test_every_event_is_passed_on() -> None:
    passed: list[Any] = []
    timeline = Timeline(passed.append)
    events = [STARTED, Sampled(1), Noticed("something")]
    for event in events:
        timeline.observe(event)

    assert passed == events


def test_a_run_in_which_nothing_ran_has_empty_lists(tmp_path: Path) -> None:
    Timeline(lambda event: None).save(tmp_path)

    assert json.loads((tmp_path / TIMELINE).read_text()) == {
        "seconds": [],
        "held_bytes": [],
        "marks": [],
    }


def test_a_timeline_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"Writing the run's timeline in .* failed"):
        Timeline(lambda event: None).save(tmp_path / "missing")
