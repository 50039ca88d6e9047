"""Figures and findings in words."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.run.record import RunRecord, SegmentRecord
from flight_delays.checkpointing.tools.report.words import (
    day,
    duration,
    figures,
    moment,
    share,
    statuses,
    verdict,
)

MB = 10**6


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.00 s"),
        (0.044, "0.04 s"),
        (12.34, "12.3 s"),
        (99.94, "99.9 s"),
        (100, "1 min 40 s"),
        (245, "4 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7400, "2 h 03 min"),
    ],
)
def test_a_duration_is_as_exact_as_a_person_needs(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_moment_is_told_in_utc() -> None:
    assert moment("2026-11-23T01:30:00+02:00") == "22 November 2026, 23:30 UTC"
    assert day("2026-11-23T01:30:00+02:00") == "22 Nov"


def test_what_is_no_moment_stays_as_it_is() -> None:
    assert (moment("yesterday"), day("yesterday")) == ("yesterday", "yesterday")


def test_a_share_of_nothing_is_not_known() -> None:
    assert (share(1, 3), share(1, 0)) == ("33%", "–")


def test_the_figures_of_a_run_are_one_sentence() -> None:
    run = RunRecord(
        "demo",
        budget_bytes=100 * MB,
        budget_source="--budget",
        peak_bytes=60 * MB,
        seconds=2.5,
        bytes_written=7 * MB,
    )

    told = "Peak 60 MB, 60% of the budget of 100 MB (--budget); 2.5 s; 7 MB written."
    assert figures(run) == told


def test_a_run_that_measured_nothing_claims_no_peak() -> None:
    told = figures(RunRecord("demo", budget_bytes=100 * MB, segments=[]))

    assert told == "Nothing was measured against the budget of 100 MB; 0.00 s; 0 B written."


def test_the_statuses_of_segments_are_counted() -> None:
    segments = [SegmentRecord(f"s{n}", status) for n, status in enumerate(["ran", "reused"] * 2)]

    assert statuses(RunRecord("demo", segments=segments)) == "2 ran, 2 reused"
    assert statuses(RunRecord("demo")) == "none"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"kind": "interrupted"}, "Failed: it was stopped."),
        ({"kind": "new", "segment": "s1"}, "Failed in segment s1: new."),
        ({}, "Failed: unknown."),
    ],
)
def test_a_failure_is_told_with_what_is_known(error: dict[str, str], told: str) -> None:
    assert verdict(RunRecord("demo", error=error)) == told
