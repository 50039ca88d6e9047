"""What goes wrong in a segment while others are at work beside it."""

from __future__ import annotations

import json

from ..conftest import Project
from .test_damage import flip, values

# A segment that ends when the other one has begun.
MEETING = """
import os, time

@step
def NAME(meet: str) -> float:
    Path("NAME.here").touch()
    deadline = time.monotonic() + 60
    while meet and not os.path.exists("OTHER.here"):
        assert time.monotonic() < deadline, "the other one did not come"
        time.sleep(0.01)
    if meet == "fail":
        raise ValueError("the reason of NAME")
    return 1.0
"""
BASE = "@step\ndef BASE() -> pd.DataFrame:\n    return pd.DataFrame({'x': range(1000)})"
READER = """
@step
def NAME(BASE: pd.DataFrame) -> float:
    return float(BASE["x"].sum())
"""


def meeting(project: Project) -> None:
    """Two segments that meet; a first run has measured both."""
    project.segments(
        s01=MEETING.replace("NAME", "left").replace("OTHER", "right"),
        s02=MEETING.replace("NAME", "right").replace("OTHER", "left"),
    )
    project.write("pipeline.toml", '[params]\nmeet = ""\n')
    assert project.run("--budget", "2GB")["exit_code"] == 0
    for file in project.folder.glob("*.here"):
        file.unlink()


def beside(project: Project, *options: str) -> tuple[dict[str, object], str]:
    """The record of a run with two jobs, and what it told people."""
    process = project.start("run", "--json", "--jobs", "2", "--budget", "2GB", *options)
    out, told = process.communicate(timeout=120)
    return json.loads(out), told


def test_of_several_that_fail_each_tells_why(project: Project) -> None:
    meeting(project)
    record, told = beside(project, "--set", "meet=fail")
    error = record["error"]
    assert isinstance(error, dict)
    assert (error["segment"], [other["segment"] for other in error["others"]]) == ("s01", ["s02"])
    assert "the reason of left" in error["message"]
    assert "the reason of right" in error["others"][0]["message"]
    assert "s02: failed: " in told
    assert "the reason of right" in told


def test_an_output_that_cannot_be_published_does_not_end_the_work_of_others(
    project: Project,
) -> None:
    """The one at work waits for a file that no run makes before the other has failed."""
    project.segments(
        s01=MEETING.replace("NAME", "left").replace("OTHER", "right"),
        s02="@step\ndef right() -> pd.DataFrame:\n    return pd.DataFrame({'x': [1.5]})",
        s03="@step\ndef last() -> int:\n    return 1",
    )
    project.write("pipeline.toml", '[params]\nmeet = ""\n')
    project.run("--budget", "2GB")
    project.write(
        "pipeline.toml",
        '[params]\nmeet = ""\n[outputs]\nright = "/proc/right.parquet"\n',
    )
    left = project.package / "segments/s01.py"
    left.write_text(left.read_text().replace("return 1.0", "return 2.0"))
    record, told = beside(project)
    error, segments = record["error"], record["segments"]
    assert isinstance(error, dict)
    assert isinstance(segments, list)
    assert "/proc" in error["message"]
    assert {segment["name"]: segment["status"] for segment in segments}["s01"] == "ran"
    assert "s02: failed; first the end of s01" in told


def test_a_value_that_two_segments_find_damaged_is_made_again_once(project: Project) -> None:
    project.segments(
        s01=BASE.replace("BASE", "base"),
        s02=READER.replace("NAME", "left").replace("BASE", "base"),
        s03=READER.replace("NAME", "right").replace("BASE", "base"),
    )
    project.run("--budget", "2GB")
    [value] = values(project, "s01")
    flip(value, 0.5, keep_mtime=True)
    record, told = beside(project, "--rerun-from", "s02")
    assert "error" not in record, record["error"]
    assert "damaged on disk: base" in told
    assert project.load("right") == "499500.0"


def test_values_of_several_segments_that_are_found_damaged_are_all_made_again(
    project: Project,
) -> None:
    project.segments(
        s01=BASE.replace("BASE", "first"),
        s02=BASE.replace("BASE", "second"),
        s03=READER.replace("NAME", "left").replace("BASE", "first"),
        s04=READER.replace("NAME", "right").replace("BASE", "second"),
    )
    project.run("--budget", "2GB")
    for segment in ("s01", "s02"):
        [value] = values(project, segment)
        flip(value, 0.5, keep_mtime=True)
    record, told = beside(project, "--rerun-from", "s03")
    assert "error" not in record, record["error"]
    assert "damaged on disk: first" in told
    assert "damaged on disk: second" in told
    assert project.load("left") == project.load("right") == "499500.0"
