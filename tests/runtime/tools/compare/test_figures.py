"""`compare` runs the same steps both ways, and tells what each took."""

from __future__ import annotations

from ...conftest import Project
from .comparing import (
    FRAME,
    MB,
    PER_SEGMENT,
    check_nothing_left,
    compared,
)


def test_the_plain_script_holds_all_values_and_checkpoints_a_segment_s(heavy: Project) -> None:
    comparison = compared(heavy)
    plain, checkpoints = comparison["plain"], comparison["checkpoints"]
    assert comparison["exit_code"] == 0
    assert plain["status"] == checkpoints["status"] == "ran"
    assert plain["peak_bytes"] >= 3 * PER_SEGMENT * FRAME
    assert plain["peak_bytes"] < 3 * PER_SEGMENT * FRAME + 150 * MB  # Python and its libraries
    assert PER_SEGMENT * FRAME < checkpoints["peak_bytes"] < plain["peak_bytes"]
    began = [
        min(step["began_bytes"] for segment in run["segments"] for step in segment["steps"])
        for run in (checkpoints, plain)
    ]
    own = (checkpoints["peak_bytes"] - began[0]) / (plain["peak_bytes"] - began[1])
    assert comparison["ratios"] == {
        "peak": checkpoints["peak_bytes"] / plain["peak_bytes"],
        "own": own,
        "seconds": checkpoints["seconds"] / plain["seconds"],
    }
    assert own < comparison["ratios"]["peak"]
    assert plain["bytes_written"] == plain["bytes_read"] == plain["disk_bytes"] == 0
    assert checkpoints["bytes_written"] >= 3 * FRAME
    assert checkpoints["disk_bytes"] >= 3 * FRAME
    assert comparison["same_results"] == {"sum_1": True, "sum_2": True, "sum_3": True}
    check_nothing_left(heavy)


def test_both_runs_are_shown_step_by_step(heavy: Project) -> None:
    comparison = compared(heavy)
    for run in (comparison["plain"], comparison["checkpoints"]):
        assert [segment["status"] for segment in run["segments"]] == ["ran"] * 3
        steps = [step for segment in run["segments"] for step in segment["steps"]]
        assert len(steps) == 3 * PER_SEGMENT
        assert run["peak_bytes"] == max(segment["peak_bytes"] for segment in run["segments"])
        assert all(step["seconds"] > 0 for step in steps)
    peaks = [step["peak_bytes"] for s in comparison["plain"]["segments"] for step in s["steps"]]
    assert peaks == sorted(peaks)


def test_the_step_in_which_the_plain_script_outgrows_the_budget_is_named(heavy: Project) -> None:
    comparison = compared(heavy, "--budget", "480MB")
    steps = [step for segment in comparison["plain"]["segments"] for step in segment["steps"]]
    first = next(step["name"] for step in steps if step["peak_bytes"] > 480 * MB)
    assert comparison["exit_code"] == 0
    assert comparison["budget_bytes"] == 480 * MB
    assert comparison["plain"]["over_budget_in"] == first
    assert comparison["checkpoints"]["peak_bytes"] <= 480 * MB
    assert compared(heavy, "--budget", "2GB")["plain"]["over_budget_in"] is None


def test_what_later_parts_load_is_counted_as_read(project: Project) -> None:
    project.segments(
        s01="@step\ndef made() -> np.ndarray:\n    return np.ones(1_000_000)",
        s02="@step\ndef one(made: np.ndarray) -> float:\n    return float(made.sum())",
        s03="@step\ndef two(made: np.ndarray) -> float:\n    return float(made.max())",
    )
    comparison = compared(project)
    assert comparison["checkpoints"]["bytes_read"] == 16_000_000
    assert 8_000_000 < comparison["checkpoints"]["bytes_written"] < 8_001_000
    assert 8_000_000 < comparison["checkpoints"]["disk_bytes"] < 8_020_000


def test_a_person_sees_a_chart_a_table_and_what_they_mean(heavy: Project) -> None:
    done = heavy.command("compare", "--budget", "480MB")
    assert done.returncode == 0
    table, sentences = done.stdout[: done.stdout.rindex("┘")], done.stdout.splitlines()[-5:]
    assert table.startswith("held memory; ┊ budget 480 MB")
    rows = ("peak held memory", "before any step", "by the steps", "of budget", "time")
    for row in (*rows, "bytes written", "bytes read"):
        assert f" {row} " in table
    assert sentences[0].startswith("The plain script held up to ")
    assert sentences[1].startswith("It would have exceeded the budget of 480 MB in step `array_3_")
    assert sentences[2].startswith("With checkpoints all steps ran within ")
    assert sentences[3] == "Same results: yes, every byte of `sum_1`, `sum_2`, `sum_3`."
    assert sentences[4].startswith("Verdict: checkpoints are needed, for one script does not fit")
    lines = done.stderr.splitlines()
    assert lines[0] == "every step runs twice, with checkpoints and then as a plain script"
    assert "s01: runs (has not run yet)" in lines
    assert "s01: runs (as a plain script)" in lines
    assert lines.count("s03: step 8/8 sum_3") == 2
