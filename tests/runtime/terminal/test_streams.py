"""The work of a command does not depend on whether anybody can read what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import Project, run_once

SEGMENTS = {
    "s01": """
    @step
    def table(rows: int) -> pd.DataFrame:
        ran("table")
        print("printed by a step: \\udcff")
        return pd.DataFrame({"number": range(rows)})
    """
}
ASCII = {"PYTHONIOENCODING": "ascii"}


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project that was run once."""
    return run_once(shared_project, SEGMENTS, "[params]\nrows = 30\n")


def shell(project: Project, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell, in which `$demo` is the project's command."""
    return subprocess.run(
        ["bash", "-c", f"demo='{sys.executable} -m demo'; {line}"],
        cwd=project.folder,
        env=project.environment(**environment),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def records(project: Project) -> list[Path]:
    return sorted((project.folder / "runs").glob("*/record.json"))


def require_done(project: Project) -> None:
    """Its step has run once, and so says the record."""
    assert project.executed() == ["table"]
    assert json.loads(records(project)[-1].read_text())["segments"][0]["status"] == "ran"


@pytest.mark.parametrize("options", ["--json", ""])
def test_a_result_that_a_full_disk_does_not_take_is_told_and_the_work_is_done(
    done: Project, options: str
) -> None:
    ended = shell(done, f"$demo run --fresh {options} > /dev/full")

    assert ended.returncode == 5
    assert ended.stderr.splitlines()[-1] == (
        "error: the result could not be printed: No space left on device. The command has done its "
        "work all the same."
    )
    require_done(done)


def test_progress_that_nobody_can_read_stops_nothing(done: Project) -> None:
    ended = shell(done, "$demo run --fresh --json 2> /dev/full")

    assert ended.returncode == 0
    assert json.loads(ended.stdout)["segments"][0]["status"] == "ran"
    require_done(done)


def test_a_reader_that_has_read_enough_changes_no_exit_code(done: Project) -> None:
    ended = shell(done, "$demo run --fresh 2>&1 | true; echo ${PIPESTATUS[0]}")

    assert ended.stdout == "0\n"
    require_done(done)


@pytest.mark.parametrize("closed", ["1>&-", "0>&- 1>&- 2>&-"])
def test_with_closed_streams_a_run_is_the_same(done: Project, closed: str) -> None:
    ended = shell(done, f"$demo run --fresh --json {closed}")

    assert ended.returncode == 0
    require_done(done)
    assert (records(done)[-1].parent / "run.log").read_text() == "printed by a step: \\udcff\n"


def test_a_failure_keeps_its_exit_code_when_it_cannot_be_printed(done: Project) -> None:
    assert shell(done, "$demo run --json --set row=1 > /dev/full 2> /dev/full").returncode == 2


@pytest.mark.exhaustive
def test_any_encoding_of_a_terminal_can_show_all_commands(done: Project) -> None:
    done.command("run")
    odd = "r\udcffws=1"
    for encoding in ("ascii", "cp1252"):
        for arguments in (
            ["status"],
            ["plan"],
            ["run"],
            ["show", "table"],
            ["report", "--markdown"],
        ):
            line = f"$demo {' '.join(arguments)}"
            assert shell(done, line, PYTHONIOENCODING=encoding).returncode == 0
    ended = done.command("status", "--json", "--set", odd, **ASCII)
    assert ended.returncode == 2
    assert "`r\\udcffws` is under none of [params]" in ended.stderr
    assert json.loads(ended.stdout)["error"]["kind"] == "configuration"
    assert done.command("\udcff", **ASCII).returncode == 2
