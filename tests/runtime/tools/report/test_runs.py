"""What runs left is read back, whatever runtime left it and whatever became of it since."""

from __future__ import annotations

import os
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError, StorageError
from flight_delays.checkpointing.run.timeline import Mark
from flight_delays.checkpointing.tools.report.content import Content, read_content
from flight_delays.checkpointing.tools.report.phases import Phase, cuts, joined, segments, steps
from flight_delays.checkpointing.tools.report.runs import (
    MemoryOverTime,
    later_without_record,
    memory_over_time,
    past_runs,
)
from flight_delays.checkpointing.tools.report.values import Checkpoint, Life, ValueGraph
from hypothesis import given, settings
from hypothesis import strategies as st

from ...builders import declared, pipeline
from .past_runs import (
    MB,
    SOURCES,
    WIRING,
    first,
    leave,
    name_of,
    record,
    second,
    segment,
    step,
    timeline,
    write,
)

OLD = {
    "pipeline": "demo",
    "segments": [{"name": "s01", "status": "ran", "steps": [{"name": "table"}]}],
}


def content_of(folder: Path) -> Content:
    return read_content(declared(pipeline(folder, *SOURCES, wiring=WIRING)))


def marks() -> tuple[Mark, ...]:
    return tuple(Mark(**mark) for mark in timeline()["marks"])


def test_the_last_run_comes_first_and_those_of_one_second_by_their_end(tmp_path: Path) -> None:
    left = ["20260102T000000-b", "20260102T000000-a", "20260101T000000-z"]
    for number, run in enumerate(left):
        os.utime(leave(tmp_path, run, record()) / "record.json", (number, number))

    names = [run.folder.name for run in past_runs(tmp_path, "demo")]
    assert names == [name_of(left[number]) for number in (1, 0, 2)]


def test_runs_of_another_pipeline_are_left_out(tmp_path: Path) -> None:
    leave(tmp_path, "20260102T000000-a", record(pipeline="other"))
    leave(tmp_path, "20260101T000000-a", record())

    assert [run.folder.name[:8] for run in past_runs(tmp_path, "demo")] == ["20260101"]


def test_no_run_yet_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no run of `demo` has left a record.*`run`"):
        past_runs(tmp_path / "runs", "demo")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ('{"pipeline": "demo", "segm', "Unterminated string"),
        ("[]", "Input should be an object"),
        ('{"pipeline": "demo", "peak_bytes": "much"}', "peak_bytes: Input should be a valid int"),
    ],
)
def test_a_damaged_last_record_is_reported_with_its_place(
    tmp_path: Path, text: str, why: str
) -> None:
    leave(tmp_path, "20260101T000000-a", record())
    folder = leave(tmp_path, "20260102T000000-a", text)

    with pytest.raises(StorageError) as caught:
        past_runs(tmp_path, "demo")
    assert str(folder / "record.json") in caught.value.message
    assert why in caught.value.message


def test_a_damaged_earlier_record_is_passed_over(tmp_path: Path) -> None:
    leave(tmp_path, "20260103T000000-a", record())
    leave(tmp_path, "20260102T000000-a", "{")
    leave(tmp_path, "20260101T000000-a", record())

    assert [run.folder.name[:8] for run in past_runs(tmp_path, "demo")] == ["20260103", "20260101"]


def test_a_record_of_an_earlier_runtime_is_read(tmp_path: Path) -> None:
    leave(tmp_path, "20260101T000000-a", OLD | {"a_key": "of a later runtime"})
    [run] = past_runs(tmp_path, "demo")

    assert run.record.environment == {}
    assert run.record.segments[0].cuts == []
    assert run.record.segments[0].steps[0].began_bytes == 0


@pytest.mark.parametrize(
    "over_time",
    [None, "text", {"seconds": [0.0], "held_bytes": []}, {"seconds": ["x"], "held_bytes": [1]}],
)
def test_memory_over_time_that_was_not_kept_or_is_damaged_is_empty(
    tmp_path: Path, over_time: Any
) -> None:
    leave(tmp_path, "20260101T000000-a", record(), over_time)
    [run] = past_runs(tmp_path, "demo")

    assert memory_over_time(run) == MemoryOverTime()


def test_a_later_folder_without_record_is_found(tmp_path: Path) -> None:
    leave(tmp_path, "20260102T000000-b", record())
    (tmp_path / name_of("20260101T000000-k")).mkdir()
    [run] = past_runs(tmp_path, "demo")

    assert later_without_record(tmp_path, run) is None
    (tmp_path / "20270101T000000-of-my-own").mkdir()
    assert later_without_record(tmp_path, run) is None
    (tmp_path / name_of("20260102T000001-w")).mkdir()
    assert later_without_record(tmp_path, run) == name_of("20260102T000001-w")


def test_marks_are_stretches_of_time() -> None:
    spans = [(s.segment, s.start, s.end) for s in segments(marks(), 4.0)]
    assert spans == [("s01", 0.0, 1.0), ("s02", 1.1, 3.5)]  # with its three processes

    ran = [(s.kind, s.name, s.start, s.end) for s in steps(marks(), 4.0)]
    assert ran[:4] == [
        ("step", "table", 0.1, 0.8),
        ("commit", "", 0.8, 1.0),
        ("step", "doubled", 1.2, 1.7),
        ("step", "total", 1.7, 1.9),
    ]


def test_what_no_mark_ends_goes_on_until_the_end() -> None:
    [span] = segments(marks()[:2], 4.0)
    [ran] = steps(marks()[:2], 4.0)

    assert (span.end, ran.end) == (4.0, 4.0)


def test_a_segment_that_goes_on_in_a_fresh_process_was_cut() -> None:
    when = [(cut.seconds, cut.before, cut.is_loss) for cut in cuts(marks())]

    assert when == [(1.9, "total", True), (2.9, "total", False)]


def test_a_reused_segment_shows_the_last_run_that_measured_it(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    leave(runs, "20260101T000000-a", record(started_at="2026-01-01T00:00:00+00:00"))
    leave(runs, "20260102T000000-a", record(segment("s01", "failed", steps=[step("table", 1)])))
    leave(runs, "20260103T000000-a", record(segment("s01", "reused"), second()))
    content = content_of(tmp_path)

    assert [(s.name, s.status, s.is_earlier) for s in content.segments] == [
        ("s01", "reused", True),
        ("s02", "ran", False),
    ]
    assert content.segments[0].run.started_at.startswith("2026-01-01")
    assert [row.is_earlier for row in content.rows if row.segment == "s01"] == [True, True]
    assert content.rows[0].peak_bytes == 250 * MB


def test_a_reused_segment_that_nobody_measured_is_shown_without_figures(tmp_path: Path) -> None:
    leave(tmp_path / "runs", "20260101T000000-a", record(segment("s01", "reused")))
    content = content_of(tmp_path)

    assert [(s.status, s.is_earlier) for s in content.segments] == [("reused", False)]
    assert content.rows == ()


def test_memory_over_time_is_of_the_last_run_in_which_anything_ran(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    leave(runs, "20260101T000000-a", record(seconds=1.0), timeline())
    empty: dict[str, Any] = {"seconds": [], "held_bytes": [], "marks": []}
    leave(runs, "20260102T000000-a", record(segment("s01", "reused"), seconds=2.0), empty)
    content = content_of(tmp_path)

    assert (content.run.seconds, content.timeline_run.seconds) == (2.0, 1.0)
    assert len(content.timeline.seconds) == 350


def test_rows_are_the_steps_and_the_commit_of_each_part(tmp_path: Path) -> None:
    writes = [write("doubled"), write("total", peak_bytes=220 * MB)]
    leave(tmp_path / "runs", "20260101T000000-a", record(first(), second() | {"writes": writes}))
    content = content_of(tmp_path)

    assert [(row.segment, row.label) for row in content.rows] == [
        ("s01", "table"),
        ("s01", "commit"),
        ("s02", "doubled"),
        ("s02", "commit, part 1"),
        ("s02", "total"),
        ("s02", "told"),
    ]
    table, commit = content.rows[:2]
    assert (table.read_seconds, table.compute_seconds, table.write_seconds) == (0.5, 1.0, 0.0)
    assert (commit.seconds, commit.write_seconds) == (0.25, 0.25)
    doubled = content.rows[3]
    assert (doubled.write_seconds, doubled.peak_bytes) == (0.5, 220 * MB)


def test_a_step_that_ran_in_two_parts_is_distinguished(tmp_path: Path) -> None:
    twice = segment("s02", steps=[step("doubled"), step("doubled", part=1)])
    leave(tmp_path / "runs", "20260101T000000-a", record(twice))

    labels = [row.label for row in content_of(tmp_path).rows]
    assert labels == ["doubled, part 1", "doubled, part 2"]


def drawn(folder: Path) -> ValueGraph:
    return content_of(folder).graph


def test_the_graph_tells_what_is_live_at_each_checkpoint(tmp_path: Path) -> None:
    leave(tmp_path / "runs", "20260101T000000-a", record())
    checkpoints = [
        (point.before, point.segment, point.why, [life.value for life in point.live])
        for point in drawn(tmp_path).checkpoints
    ]

    assert checkpoints == [(1, "s01", "", ["table"]), (2, "s02", "over budget", ["doubled"])]
    assert [point.live_bytes for point in drawn(tmp_path).checkpoints] == [30 * MB, 30 * MB]


def test_the_graph_tells_the_life_of_each_value(tmp_path: Path) -> None:
    leave(tmp_path / "runs", "20260101T000000-a", record())
    lives = {life.value: life for life in drawn(tmp_path).lives}

    assert [lives[value].last for value in ("table", "doubled", "total", "told")] == [1, 2, 3, 3]
    assert [value for value, life in lives.items() if life.is_sink] == ["told"]
    assert (lives["table"].bytes, lives["table"].bytes_on_disk) == (40 * MB, 30 * MB)


def test_sizes_that_no_record_tells_are_not_known(tmp_path: Path) -> None:
    leave(tmp_path / "runs", "20260101T000000-a", OLD)

    assert [point.live_bytes for point in drawn(tmp_path).checkpoints] == [None]
    assert drawn(tmp_path).lives[0].bytes is None


def test_a_view_of_another_value_brings_no_memory(tmp_path: Path) -> None:
    view = segment("s01", steps=[step("table", value_bytes=0)])
    leave(tmp_path / "runs", "20260101T000000-a", record(view))

    assert drawn(tmp_path).lives[0].bytes == 0


def test_a_cut_before_a_step_that_is_gone_is_left_out(tmp_path: Path) -> None:
    gone = second() | {"cuts": [{"before": "gone", "why": "planned"}]}
    leave(tmp_path / "runs", "20260101T000000-a", record(gone))

    assert [point.before for point in drawn(tmp_path).checkpoints] == [1]


def test_steps_that_changed_since_the_run_are_noted(tmp_path: Path) -> None:
    leave(
        tmp_path / "runs", "20260101T000000-a", record(first(), segment("s02", steps=[step("x")]))
    )
    [note] = content_of(tmp_path).notes

    assert "The steps of s02 have changed since this run" in note


def test_a_later_run_without_record_is_noted(tmp_path: Path) -> None:
    leave(tmp_path / "runs", "20260101T000000-a", record())
    (tmp_path / "runs" / name_of("20260102T000000-k")).mkdir()
    [note] = content_of(tmp_path).notes

    assert f"{name_of('20260102T000000-k')}, has left no record" in note


LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=40)


@given(LENGTHS, st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_phases_that_are_too_short_to_draw_are_drawn_together(
    lengths: list[int], least: int
) -> None:
    ends = [*accumulate(lengths)]
    phases = [
        Phase("step", "s01", f"step_{number}", end - length, end)
        for number, (length, end) in enumerate(zip(lengths, ends, strict=True))
    ]
    drawn = joined(phases, least)

    assert (drawn[0].start, drawn[-1].end) == (0, ends[-1])
    assert all(former.end == later.start for former, later in pairwise(drawn))
    assert {phase for phase in phases if phase.end - phase.start >= 2 * least} <= {*drawn}
    assert len(drawn) <= 2 * (ends[-1] / least + 1)
    several = [phase for phase in drawn if phase.kind == "several"]
    assert all(phase.end - phase.start < 2 * least for phase in several)


def test_a_checkpoint_names_as_many_values_as_one_reads() -> None:
    lives = tuple(
        Life(
            f"value_{n}", "s01", n, (100,), is_sink=False, is_output=False, bytes=1, bytes_on_disk=1
        )
        for n in range(30)
    )
    named = Checkpoint(30, "s01", "", lives).live_names

    assert named.startswith("value_0, value_1, ")
    assert named.endswith("value_19 and 10 more")
    assert Checkpoint(1, "s01", "", lives[:2]).live_names == "value_0, value_1"
    assert Checkpoint(1, "s01", "", ()).live_names == "nothing"


def test_values_are_drawn_in_the_order_in_which_their_steps_ran(tmp_path: Path) -> None:
    source = """
    @step
    def one() -> int: ...
    @step
    def two() -> int: ...
    @step
    def three(one: int, two: int) -> int: ...
    """
    ran = [step("two"), step("one"), step("three")]
    leave(tmp_path / "runs", "20260101T000000-a", record(segment("s01", steps=ran)))
    shown = read_content(declared(pipeline(tmp_path, source))).graph

    assert shown.steps == ("two", "one", "three")
    assert [(life.value, life.made, life.last) for life in shown.lives] == [
        ("two", 0, 2),
        ("one", 1, 2),
        ("three", 2, 2),
    ]
