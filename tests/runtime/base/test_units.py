"""Shares and times as people read them."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.base.units import day, duration, moment, share


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
