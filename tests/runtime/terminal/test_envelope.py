"""Whatever goes wrong, a command ends with a message, an exit code, and JSON if requested."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError, StorageError
from flight_delays.checkpointing.terminal.ending import ended

from ...marks import in_exhaustive, in_slow
from ..conftest import Project, run_once

SEGMENT = """
@step
def table(rows: int, file: Path) -> pd.DataFrame:
    return pd.DataFrame({"number": range(rows)})
"""
WIRING = (
    '[params]\nrows = 30\n[inputs]\nfile = "pipeline.toml"\n[outputs]\ntable = "out/t.parquet"\n'
)
WITH_JSON = [["run"], ["status"], ["plan"], ["compare"]]


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project that was run once."""
    return run_once(shared_project, {"s01": SEGMENT}, WIRING)


def error_of(ended: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """The error in the one JSON object that a command printed; stderr tells it to people."""
    error: dict[str, object] = json.loads(ended.stdout)["error"]
    assert "Traceback" not in ended.stderr
    assert "error: " in ended.stderr
    return error


@pytest.mark.parametrize("command", WITH_JSON)
def test_a_wrong_setting_is_an_object_with_its_kind(done: Project, command: list[str]) -> None:
    done.write("memory_budget.toml", "[cluster]\nram = 1")
    ended = done.command(*command, "--json")

    assert (ended.returncode, error_of(ended)["kind"]) == (2, "configuration")


def limited(project: Project, limit: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project under a limit of the shell."""
    return subprocess.run(
        ["bash", "-c", f"{limit}; exec {sys.executable} -m demo {' '.join(arguments)}"],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", WITH_JSON)
def test_what_the_system_refuses_is_an_object_with_its_kind(
    done: Project, command: list[str]
) -> None:
    ended = limited(done, "ulimit -n 10", *command, "--json")
    error = error_of(ended)

    assert (ended.returncode, error["kind"]) == (5, "storage")
    assert "Too many open files" in str(error["message"])
    assert "raise the limit with `ulimit -n`" in str(error["message"])


@pytest.mark.parametrize("count", range(4, 7))
def test_a_command_that_cannot_even_begin_answers_too(done: Project, count: int) -> None:
    """With 4 files it cannot listen to interrupts, with 5 it cannot be imported."""
    ended = limited(done, f"ulimit -n {count}", "status", "--json")

    assert (ended.returncode, error_of(ended)["kind"]) == (5, "storage")


@pytest.mark.parametrize("count", [*in_slow(7, 20), *in_exhaustive(*range(8, 20))])
def test_any_limit_of_open_files_is_kept_or_is_an_error_of_ours(done: Project, count: int) -> None:
    for command in WITH_JSON:
        ended = limited(done, f"ulimit -n {count}", *command, "--json")

        assert ended.returncode in (0, 5)
        assert ("error" in json.loads(ended.stdout)) == (ended.returncode == 5)
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("arguments", [["run", "--bad"], ["rum"], ["plan", "--set"]])
def test_wrong_options_are_an_object_too(done: Project, arguments: list[str]) -> None:
    ended = done.command(arguments[0], "--json", *arguments[1:])

    assert ended.returncode == 2
    assert json.loads(ended.stdout)["error"]["kind"] == "configuration"
    assert "Error" in ended.stderr


def test_options_that_exclude_each_other_are_told_as_json(done: Project) -> None:
    ended = done.command("plan", "--json", "--mermaid")

    assert (ended.returncode, error_of(ended)["kind"]) == (2, "configuration")


def test_a_review_that_fails_prints_an_object(done: Project) -> None:
    ended = done.command("review", "--format", "json", "--base", "no-such-ref")

    assert (ended.returncode, error_of(ended)["kind"]) == (2, "configuration")
    assert isinstance(json.loads(done.command("review", "--format", "json").stdout), list)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("file=" + "x" * 300, "input `file` cannot be read: File name too long: "),
        ("file=loop", "input `file`: "),
        ("file=pipeline.toml/x", "does not exist"),
        ("rows=" + "9" * 5_000, "param `rows` is "),
        ("rows=" + "[" * 5_000, "param `rows` is "),
    ],
)
def test_an_input_or_param_that_cannot_be_used_is_configuration(
    done: Project, change: str, said: str
) -> None:
    (done.folder / "loop").symlink_to("loop")
    ended = done.command("run", "--json", "--set", change)
    error = error_of(ended)

    assert (ended.returncode, error["kind"]) == (2, "configuration")
    assert said in str(error["message"])
    assert len(str(error["message"])) < 1_000


def test_an_exception_that_nothing_expects_is_a_bug_and_still_one_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    @ended
    def command(name: str, as_json: bool) -> int:
        return {"known": 0}[name]

    assert command("known", True) == 0
    assert command("unknown", True) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["kind"] == "internal"
    assert said.err.startswith("error: this is a bug of the runtime (KeyError: 'unknown').")
    assert "Traceback" not in said.err
    assert command("unknown", False) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(24, "Too many open files"), 5),
        (StorageError("x"), 5),
        (ConfigurationError("x"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_ends_a_command_with_its_code(error: BaseException, code: int) -> None:
    @ended
    def command() -> int:
        raise error

    assert command() == code


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a pipe": lambda path: os.mkfifo(path),
    "a folder": lambda path: path.mkdir(),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a device that never ends": lambda path: path.symlink_to("/dev/zero"),
    "nesting": lambda path: path.write_text("[" * 100_000),
    "digits": lambda path: path.write_text('{"x": ' + "9" * 10_000 + "}"),
}


@pytest.mark.parametrize(
    "kind",
    [*in_slow("a pipe"), *in_exhaustive(*list(HOSTILE)[1:])],
)
def test_something_else_in_the_place_of_advice_stops_no_command(done: Project, kind: str) -> None:
    [manifest] = done.checkpoints().glob("s01/*/manifest.json")
    [record] = (done.folder / "runs").glob("*/record.json")
    [value] = [path for path in manifest.parent.iterdir() if path != manifest]
    runs = done.folder / "runs"
    advice = [runs / "profile.json", record.with_name("timeline.json"), record.with_name("run.log")]
    advice += [done.checkpoints() / name for name in ("run.json", "hashes.json", "known.json")]
    for path in (*advice, manifest, value):
        path.unlink(missing_ok=True)
        HOSTILE[kind](path)
    for arguments in (["status", "--json"], ["plan", "--json"], ["report", "--markdown"]):
        assert done.command(*arguments).returncode == 0
    again = done.run()
    assert (again["exit_code"], again["segments"][0]["status"]) == (0, "ran")
    cleaned = done.command("clean")
    assert cleaned.returncode == 0
    if kind == "a folder":  # nothing else stays: a run replaces it
        assert f"{runs / 'profile.json'} is a folder, and no run made it." in cleaned.stdout
    assert done.run()["exit_code"] == 0


@pytest.mark.parametrize(
    "name", ["run.lock", "memory_budget.toml", *in_slow("worker.lock", "owner.json", "s01")]
)
def test_a_pipe_in_a_place_that_a_run_needs_is_named_with_what_to_do(
    done: Project, name: str
) -> None:
    in_project = done.folder / name
    path = in_project if in_project.exists() else done.checkpoints() / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    os.mkfifo(path)
    for arguments in (["run", "--json", "--fresh"], ["clean"]):
        ended = done.command(*arguments)
        said = ended.stdout + ended.stderr
        assert ended.returncode in ((0, 5) if name == "s01" else (2, 5))
        assert str(path) in said
        assert "ove it" in said  # move it away, remove it by hand
        assert "Traceback" not in said
