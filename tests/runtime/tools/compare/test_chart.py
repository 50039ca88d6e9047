"""The chart and the verdict of a comparison, from figures alone."""

from __future__ import annotations

import pytest
from flight_delays.checkpointing.run.record import SegmentRecord, StepRecord
from flight_delays.checkpointing.tools.compare.chart import MOST_ROWS, WIDTH, bar, memory_chart
from flight_delays.checkpointing.tools.compare.command import verdict
from flight_delays.checkpointing.tools.compare.figures import Comparison, Figures, PlainFigures
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

MB = 1_000_000
SIZES = st.integers(0, 10**13)


def segments(*peaks: list[int]) -> list[SegmentRecord]:
    """Segments s1, s2, … whose steps a, b, … held so many MB at most."""
    names = iter("abcdefghijklmnopqrstuvwxyz" if sum(map(len, peaks)) < 27 else map(str, range(99)))
    return [
        SegmentRecord(
            f"s{number}",
            "ran",
            peak_bytes=max(held) * MB,
            steps=[StepRecord(next(names), began_bytes=MB, peak_bytes=n * MB) for n in held],
        )
        for number, held in enumerate(peaks, start=1)
    ]


def comparison(budget: int, plain: list[list[int]], checkpoints: list[list[int]]) -> Comparison:
    """Two runs that came to their end, under a budget in MB."""
    both = [
        kind(
            "ran",
            peak_bytes=max(max(held) for held in peaks) * MB,
            seconds=seconds,
            segments=segments(*peaks),
        )
        for kind, peaks, seconds in ((PlainFigures, plain, 4.0), (Figures, checkpoints, 5.5))
    ]
    assert isinstance(both[0], PlainFigures)
    return Comparison("demo", budget * MB, plain=both[0], checkpoints=both[1])


def drawn(shown: Comparison, encoding: str = "utf-8") -> list[str]:
    assert shown.plain is not None
    assert shown.checkpoints is not None
    console = Console(width=80)
    with console.capture() as capture:
        console.print(memory_chart(shown, shown.plain, shown.checkpoints, encoding))
    return [line.rstrip() for line in capture.get().splitlines()]


@given(count=SIZES, budget=SIZES, scale=st.integers(1, 10**13))
def test_a_bar_is_as_long_as_its_bytes_and_never_too_long(
    count: int, budget: int, scale: int
) -> None:
    text = bar(count, budget, scale)

    assert len(text.plain) <= WIDTH
    eighths = sum(" ▏▎▍▌▋▊▉█".index(c) for c in text.plain if c != "┊")
    assert abs(eighths - 8 * WIDTH * min(count, scale) / scale) <= 0.5
    is_red = any(span.style == "red" and span.end > span.start for span in text.spans)
    assert is_red <= (count > budget)


def test_each_step_has_a_row_with_what_both_runs_held() -> None:
    heading, columns, first, second, last = drawn(
        comparison(150, [[100], [200, 300]], [[100], [120, 140]])
    )

    assert heading == "held memory; ┊ budget 150 MB"
    assert columns.split() == ["plain", "script", "checkpoints"]
    assert [row.split()[0] for row in (first, second, last)] == ["a", "b", "c"]
    assert first.count("┊") == 2
    assert last.count("┊") == 1
    assert "█" * WIDTH in last
    assert last.endswith("140 MB")


def test_a_budget_that_is_far_away_has_no_line() -> None:
    assert drawn(comparison(5_000, [[100]], [[90]]))[0] == "held memory"


def test_a_plain_script_that_was_stopped_has_no_bars_after_that() -> None:
    stopped = comparison(200, [[100], [200]], [[100], [120, 140]])
    assert stopped.plain is not None
    stopped.plain.status, stopped.plain.ended_in = "stopped", "b"
    *_, second, last = drawn(stopped)

    assert "200 MB stopped" in second
    assert last.split()[0] == "c"
    assert last.count("MB") == 1


def test_very_many_steps_are_drawn_by_segment() -> None:
    peaks = [[100] * MOST_ROWS, [200]]
    assert [row.split()[0] for row in drawn(comparison(150, peaks, peaks))[2:]] == ["s1", "s2"]


def test_a_terminal_without_block_elements_gets_ascii() -> None:
    text = "\n".join(drawn(comparison(150, [[100], [200]], [[100], [120]]), "ascii"))

    assert text.isascii()
    assert "#" * WIDTH in text


@pytest.mark.parametrize(
    ("budget", "plain", "checkpoints", "words"),
    [
        (150, 300, 100, "checkpoints are needed, for one script does not fit the budget"),
        (900, 300, 290, "checkpoints save no memory here"),
        (900, 300, 100, "Checkpoints pay where less than 300 MB is granted, or where a restart"),
    ],
)
def test_the_verdict_follows_from_memory_and_budget(
    budget: int, plain: int, checkpoints: int, words: str
) -> None:
    made = comparison(budget, [[plain]], [[checkpoints]])
    assert made.plain is not None
    made.plain.over_budget_in = "a" if plain > budget else None

    assert words in verdict(made, made.plain)


def test_there_is_no_verdict_on_a_script_that_failed() -> None:
    made = comparison(900, [[300]], [[100]])
    assert made.plain is not None
    made.plain.status = "failed"

    assert verdict(made, made.plain) == "unknown, because the plain script failed."
