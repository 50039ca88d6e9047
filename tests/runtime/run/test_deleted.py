"""Folders of a run that somebody deletes while it is at work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ...marks import in_slow
from ..conftest import Project

SEGMENTS = {
    "s01": """
    import shutil

    @step
    def first() -> int:
        return 1
    """,
    "s02": """
    import shutil

    @step
    def second(first: int, folder: str) -> int:
        shutil.rmtree(folder, ignore_errors=True)
        return first
    """,
    "s03": """
    @step
    def third(second: int, first: int) -> int:
        print("printed by a step")
        return second + first
    """,
}


@pytest.fixture
def deleting(project: Project) -> Project:
    """A project whose second step deletes a folder."""
    project.segments(**SEGMENTS)
    project.write("pipeline.toml", '[params]\nfolder = "none"\n')
    return project


def test_without_its_runs_a_run_goes_on_and_says_that_it_keeps_no_record(deleting: Project) -> None:
    ended = deleting.command("run", "--json", "--set", "folder=runs")
    record = json.loads(ended.stdout)

    assert ended.returncode == 0, ended.stderr
    assert [segment["status"] for segment in record["segments"]] == ["ran"] * 3
    assert "the run's record is not kept: Writing the run's record in " in ended.stderr
    assert deleting.run()["exit_code"] == 0
    assert len(list((deleting.folder / "runs").glob("*/record.json"))) == 1


@pytest.mark.parametrize(
    "folder", ["checkpoints/demo", *in_slow("checkpoints", "checkpoints/demo/s01")]
)
def test_without_its_checkpoints_a_run_fails_as_storage_or_makes_them_again(
    deleting: Project, folder: str
) -> None:
    record = deleting.run("--set", f"folder={folder}")

    if folder.endswith("s01"):
        assert record["exit_code"] == 0
    else:
        error = record["error"]
        assert (record["exit_code"], error["kind"], error["segment"]) == (5, "storage", "s02")
        assert "No such file or directory" in error["message"]
        assert "was deleted meanwhile: restore it, or run again" in error["message"]
    again = deleting.run()
    assert again["exit_code"] == 0
    assert Path(again["outputs"]["third"]).read_text() == "2"
