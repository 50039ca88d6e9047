"""What a person sees of a run."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.units import short
from flight_delays.checkpointing.run.events import (
    Noticed,
    PartStarted,
    RunStarted,
    Sampled,
    SegmentEnded,
    SegmentStarted,
)
from flight_delays.checkpointing.run.record import RunRecord, SegmentRecord
from flight_delays.checkpointing.terminal.console import _Gauge, closing_table, progress
from flight_delays.checkpointing.worker.messages import CommitStarted, StepEnded, StepStarted
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table

MB = 10**6
STARTED = RunStarted(
    "delays", 100 * MB, "--budget", (("s01", 1), ("s02", 2)), str(Path.cwd() / "runs/1/run.log")
)
RAN = SegmentRecord("s02", "ran", 1, peak_bytes=60 * MB, seconds=1.25, bytes_written=2 * MB)
EVENTS = [
    STARTED,
    SegmentEnded(SegmentRecord("s01", "reused")),
    SegmentStarted("s02", ("param [least] changed", "code of demo changed")),
    PartStarted("s02", "flown"),
    StepStarted("flown", {}),
    Sampled(50 * MB),
    StepEnded("flown", 0.5, 0),
    PartStarted("s02", "late", 2, "planned"),
    StepStarted("late", {"flown": 10}),
    CommitStarted({"late": 10}),
    SegmentEnded(RAN),
    Noticed("s01: damaged"),
]


def screen(terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=100, color_system=None), text


def shown(thing: Any) -> str:
    console, text = screen(terminal=False)
    console.print(thing)
    return text.getvalue()


def watched(events: Sequence[Any]) -> str:
    """The line that a terminal shows after these events."""
    gauge = _Gauge()
    for event in events:
        gauge.observe(event)
    return shown(gauge).strip()


def test_elsewhere_than_on_a_terminal_a_run_is_plain_lines() -> None:
    console, text = screen(terminal=False)
    with progress(console) as observe:
        for event in EVENTS:
            observe(event)

    assert text.getvalue().splitlines() == [
        "delays: budget 100 MB (--budget); log runs/1/run.log",
        "s01: reused",
        "s02: runs (param [least] changed; code of demo changed)",
        "s02: step 1/2 flown",
        "s02: new process starting at late (planned)",
        "s02: step 2/2 late",
        "s02: ran in 1.2 s, peak 60 MB",
        "s01: damaged",
    ]


def test_lines_are_not_broken_however_long_they_are() -> None:
    console, text = screen(terminal=False)
    with progress(console) as observe:
        observe(Noticed("x" * 500))

    assert text.getvalue() == "x" * 500 + "\n"


def test_each_segment_counts_its_own_steps() -> None:
    console, text = screen(terminal=False)
    with progress(console) as observe:
        for segment in ("s01", "s02"):
            for event in (STARTED, PartStarted(segment, "a"), StepStarted("a", {})):
                observe(event)

    assert "s01: step 1/1 a" in text.getvalue()
    assert "s02: step 1/2 a" in text.getvalue()


def test_a_part_that_runs_again_counts_its_steps_again() -> None:
    console, text = screen(terminal=False)
    with progress(console) as observe:
        for event in [STARTED, SegmentStarted("s02", ()), PartStarted("s02", "a")]:
            observe(event)
        for event in (StepStarted("a", {}), PartStarted("s02", "a"), StepStarted("a", {})):
            observe(event)

    assert text.getvalue().count("s02: step 1/2 a") == 2


def test_a_terminal_shows_what_stays_without_the_steps() -> None:
    console, text = screen(terminal=True)
    with progress(console) as observe:
        for event in EVENTS:
            observe(event)

    assert "s02: ran in 1.2 s, peak 60 MB" in text.getvalue()
    assert "s02: step 1/2" not in text.getvalue()


def test_a_terminal_shows_where_a_run_is() -> None:
    console, text = screen(terminal=True)
    with progress(console) as observe:
        for event in EVENTS[:6]:
            observe(event)

    assert "s02 1/2 flown" in " ".join(text.getvalue().split())


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (1, ""),
        (4, "s02 0/2 starting 0 B of 100 MB"),
        (5, "s02 1/2 flown 0 B of 100 MB"),
        (6, "s02 1/2 flown 50 MB of 100 MB"),
        (8, "s02 1/2 starting 50 MB of 100 MB"),
        (9, "s02 2/2 late 50 MB of 100 MB"),
        (10, "s02 2/2 writing the checkpoint 50 MB of 100 MB"),
        (11, ""),
    ],
)
def test_the_line_of_a_terminal_follows_the_run(count: int, line: str) -> None:
    words = [word for word in watched(EVENTS[:count]).split() if not set(word) <= set("━╸╺-")]
    seconds = [words.pop(), words.pop()] if words else []

    assert " ".join(words) == line
    assert seconds[:1] == (["s"] if line else [])


def test_the_bar_of_a_terminal_fills_with_what_is_held() -> None:
    def fill(held: int) -> tuple[float, str]:
        gauge = _Gauge()
        for event in [*EVENTS[:5], Sampled(held)]:
            gauge.observe(event)
        row = gauge.__rich__()
        assert isinstance(row, Table)
        bar = next(iter(row.columns[2].cells))
        assert isinstance(bar, ProgressBar)
        return bar.completed, str(bar.complete_style)

    assert fill(50 * MB) == (0.5, "green")
    assert fill(70 * MB) == (0.7, "green")
    assert fill(71 * MB) == (0.71, "yellow")
    assert fill(91 * MB) == (0.91, "red")
    assert fill(200 * MB) == (1, "red")


def test_the_closing_table_tells_each_segments_share_of_the_budget() -> None:
    record = RunRecord(
        "delays",
        budget_bytes=100 * MB,
        budget_source="--budget",
        peak_bytes=70 * MB,
        seconds=3.25,
        bytes_written=2 * MB,
        segments=[
            SegmentRecord("s01", "reused", seconds=9.0),
            RAN,
            SegmentRecord("s03", "failed", 1, peak_bytes=70 * MB, seconds=0.5),
        ],
    )
    rows = [line.replace("│", " ").split() for line in shown(closing_table(record)).splitlines()]

    assert rows[0] == ["delays:", "budget", "100", "MB", "(--budget)"]
    assert ["segment", "status", "parts", "peak", "of", "budget", "seconds", "written"] in [
        [word.strip("┃") for word in row if word.strip("┃")] for row in rows
    ]
    assert ["s01", "reused"] in rows
    assert ["s02", "ran", "1", "60", "MB", "60%", "1.2", "2", "MB"] in rows
    assert ["s03", "failed", "1", "70", "MB", "70%", "0.5"] in rows
    assert ["all", "2", "70", "MB", "70%", "3.2", "2", "MB"] in rows


def test_the_table_shows_a_limits_place_as_it_is() -> None:
    record = RunRecord("delays", budget_bytes=100 * MB, budget_source="v2's /groups/[b]/memory.max")

    assert "(v2's /groups/[b]/memory.max)" in shown(closing_table(record))


def test_a_run_without_a_budget_yet_has_a_table_too() -> None:
    record = RunRecord("delays", segments=[RAN])

    assert "0%" in shown(closing_table(record))


def test_a_path_below_the_current_folder_is_shown_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert short(f"{tmp_path}/runs/1") == "runs/1"
    assert short("/elsewhere/runs/1") == "/elsewhere/runs/1"
