"""A run in words."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.run.record import RunRecord, SegmentRecord
from flight_delays.checkpointing.tools.report.words import figures, statuses, verdict

MB = 10**6


def test_the_figures_of_a_run_are_one_sentence() -> None:
    run = RunRecord(
        "demo",
        budget_bytes=100 * MB,
        budget_source="--budget",
        peak_bytes=60 * MB,
        seconds=2.5,
        bytes_written=7 * MB,
    )

    sentence = "Peak 60 MB, 60% of the budget of 100 MB (--budget); 2.5 s; 7 MB written."
    assert figures(run) == sentence


def test_a_run_that_measured_nothing_claims_no_peak() -> None:
    sentence = figures(RunRecord("demo", budget_bytes=100 * MB, segments=[]))

    assert sentence == "Nothing was measured against the budget of 100 MB; 0.00 s; 0 B written."


def test_the_statuses_of_segments_are_counted() -> None:
    segments = [SegmentRecord(f"s{n}", status) for n, status in enumerate(["ran", "reused"] * 2)]

    assert statuses(RunRecord("demo", segments=segments)) == "2 ran, 2 reused"
    assert statuses(RunRecord("demo")) == "none"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ({"kind": "interrupted"}, "Failed: it was stopped."),
        ({"kind": "new", "segment": "s1"}, "Failed in segment s1: new."),
        ({}, "Failed: unknown."),
    ],
)
def test_a_failure_is_described_with_all_known_facts(error: dict[str, str], sentence: str) -> None:
    assert verdict(RunRecord("demo", error=error)) == sentence
