"""The executor that docs/tenth-case.md shows in full works as it stands there."""

from __future__ import annotations

import re
import signal
import sys

import pytest

from ...conftest import TEMPLATE
from ..conftest import Project
from .sent import ended_by, lay_out, left_behind, places, reached, trainings

PAGE = TEMPLATE / "docs" / "tenth-case.md"
SSH = """#!/bin/sh
# An ssh whose every host is a folder of this machine.
shift
cd "{there}" && exec sh -c "$*"
"""


@pytest.fixture
def sent(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose middle segment runs on the page's executor, on a host that is a folder."""
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lay_out(project, kind="big")
    wiring = (project.folder / "pipeline.toml").read_text()
    storage = f'infra = "big.example.org"\nstorage = "file://{project.folder.parent}/storage"\n'
    project.write("pipeline.toml", wiring + storage)
    project.write("src/demo/adapters.py", example)
    there = project.folder.parent / "there"
    for path, text in {
        project.folder / "programs" / "ssh": SSH.format(there=there),
        there / "environment" / "bin" / "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
    }.items():
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{project.folder}/programs", prepend=":")
    return project


@pytest.mark.slow
def test_it_runs_a_segment_and_leaves_nothing(sent: Project) -> None:
    record = sent.run()
    assert record["exit_code"] == 0, record["error"]
    assert record["segments"][1]["executor"] == "trainer"
    there = sent.folder.parent
    assert (sent.load("used"), left_behind(sent)) == ("100.0", [])
    assert [*(there / "there/places").iterdir(), *(there / "storage").iterdir()] == []


@pytest.mark.exhaustive
def test_what_a_killed_run_left_on_it_is_listed_and_swept(sent: Project) -> None:
    sent.write("order.txt", "wait")
    process = sent.start("run")
    reached(sent)
    ended_by(process, signal.SIGKILL)
    [line] = places(sent)
    assert (line["lives"], "left behind" in line["state"]) == (True, True)
    assert sent.command("executors", "sweep").returncode == 0
    assert left_behind(sent) == []
    sent.write("order.txt", "")
    assert sent.statuses()["s02"] == "ran"
    assert trainings(sent) == 2


@pytest.mark.exhaustive
def test_it_ends_itself_at_the_time_limit(sent: Project) -> None:
    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write("pipeline.toml", wiring.replace('"5 min"', '"4 s"'))
    sent.write("order.txt", "wait")
    error = sent.run()["error"]
    assert error["kind"] == "executor"
    assert "time limit of 4.0 s" in error["message"]
    assert left_behind(sent) == []
