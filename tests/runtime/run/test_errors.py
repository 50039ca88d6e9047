"""Every kind of failure: its exit code, its message, and nothing of the runtime's inside."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..conftest import Project

HELPERS = """
def divide(number, by):
    return number / by
"""

CASES = """
import ctypes, os, resource, signal, sys, threading
import pyarrow as pa
from ..helpers import divide

class Odd(Exception):
    def __str__(self):
        raise RuntimeError("cannot be told")

@step
def finished() -> int:
    return 1

@step
def failing(finished: int, case: str) -> pd.DataFrame:
    print("the last words of the step", flush=True)
    if case == "raise":
        divide(1, 0)
    if case == "cause":
        try:
            divide(1, 0)
        except ZeroDivisionError as error:
            raise ValueError("by [bold]zero[/bold] \\udcff") from error
    if case == "library":
        pd.DataFrame({"x": [1]})["y"]
    if case == "exit":
        sys.exit(3)
    if case == "odd":
        raise Odd
    if case == "group":
        raise ExceptionGroup("two at once", [ValueError("one"), KeyError("two")])
    if case == "hard exit":
        os._exit(7)
    if case == "crash":
        ctypes.string_at(0)
    if case == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if case == "inexact":
        return pd.DataFrame({"mixed": [1, "one"]})
    if case == "another type":
        return 5
    if case == "disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    if case == "thread":
        threading.Thread(target=threading.Event().wait).start()
    return pd.DataFrame({"x": range(1000)})
"""


@pytest.fixture(scope="module")
def failing(shared_project: Project) -> Project:
    """A project whose param `case` says how its step fails."""
    shared_project.write("src/demo/helpers.py", HELPERS)
    shared_project.write("pipeline.toml", '[params]\ncase = "not"\n')
    shared_project.segments(s01=CASES)
    return shared_project


@pytest.fixture(scope="module")
def errors(failing: Project) -> dict[str, dict[str, Any]]:
    """The error of each case, as the record has it."""
    cases = "raise,cause,library,exit,odd,group,hard exit,crash,killed,inexact,another type,disk"
    with failing.session() as run:
        return {case: run(params={"case": case})["error"] for case in cases.split(",")}


def test_a_step_that_raises_shows_its_own_frames_and_no_others(failing: Project) -> None:
    done = failing.command("run", "--set", "case=raise")
    assert done.returncode == 1
    assert "segments/s01.py" in done.stderr
    assert "helpers.py" in done.stderr
    assert "return number / by" in done.stderr
    assert "checkpointing/" not in done.stderr
    assert "multiprocessing" not in done.stderr
    assert (
        "error: segment `s01`, step `failing`: ZeroDivisionError: division by zero" in done.stderr
    )


@pytest.mark.parametrize(
    ("case", "kind", "code"),
    [
        ("raise", "step_failed", 1),
        ("inexact", "inexact_value", 5),
        ("disk", "storage", 5),
        ("no such param", "configuration", 2),
    ],
)
def test_each_kind_has_its_exit_code(failing: Project, case: str, kind: str, code: int) -> None:
    change = f"case={case}" if kind != "configuration" else "cas=raise"
    record = failing.run("--set", change)
    assert (record["exit_code"], record["error"]["kind"]) == (code, kind)


def test_every_error_names_its_segment_and_step(errors: dict[str, dict[str, Any]]) -> None:
    for case, error in errors.items():
        assert error["segment"] == "s01", case
        assert error["step"] == ("failing" if case != "disk" else None), case
        assert error["message"], case


def test_a_cause_is_shown_with_the_error_that_it_led_to(errors: dict[str, dict[str, Any]]) -> None:
    trace = errors["cause"]["traceback"]
    assert "ZeroDivisionError: division by zero" in trace
    assert "The above exception was the direct cause" in trace
    assert "checkpointing/" not in trace


def test_frames_of_libraries_are_trimmed_too(errors: dict[str, dict[str, Any]]) -> None:
    trace = errors["library"]["traceback"]
    assert 'pd.DataFrame({"x": [1]})["y"]' in trace
    assert "site-packages" not in trace
    assert "KeyError: 'y'" in trace


def test_all_of_a_group_of_errors_is_shown(errors: dict[str, dict[str, Any]]) -> None:
    trace = errors["group"]["traceback"]
    assert "ValueError: one" in trace
    assert "KeyError: 'two'" in trace


def test_whatever_a_step_raises_is_a_failed_step(errors: dict[str, dict[str, Any]]) -> None:
    assert errors["exit"]["kind"] == "step_failed"
    assert "SystemExit: 3" in errors["exit"]["message"]
    assert errors["odd"]["kind"] == "step_failed"
    assert "Odd" in errors["odd"]["message"]


def test_a_process_that_ends_without_a_word_is_told_by_how_it_ended(
    errors: dict[str, dict[str, Any]],
) -> None:
    assert "with exit code 7" in errors["hard exit"]["message"]
    assert "by SIGSEGV" in errors["crash"]["message"]
    assert "| the last words of the step" in errors["crash"]["message"]
    assert {errors[c]["kind"] for c in ("hard exit", "crash")} == {"step_failed"}


def test_a_killed_process_is_taken_for_one_that_the_system_found_too_large(
    errors: dict[str, dict[str, Any]],
) -> None:
    assert "killed from outside, by the system out of memory" in errors["killed"]["message"]
    assert (errors["killed"]["kind"], errors["killed"]["why"]) == ("budget_exceeded", "killed")


def test_an_inexact_value_is_named_by_step_and_column_with_the_remedy(
    errors: dict[str, dict[str, Any]],
) -> None:
    assert errors["inexact"]["message"].startswith("`failing`: column 'mixed' mixes objects")
    assert "astype" in errors["inexact"]["message"]
    assert errors["another type"]["kind"] == "inexact_value"
    assert "promised a pandas.DataFrame and returned" in errors["another type"]["message"]


def test_a_failed_write_says_what_was_written_and_leaves_nothing(
    failing: Project, errors: dict[str, dict[str, Any]]
) -> None:
    assert errors["disk"]["kind"] == "storage"
    assert "Writing `failing` in " in errors["disk"]["message"]
    assert "File too large" in errors["disk"]["message"]
    assert failing.strays() == []


@pytest.mark.slow
def test_a_thread_that_a_step_left_behind_does_not_hold_the_run_up(failing: Project) -> None:
    assert failing.run("--set", "case=thread")["exit_code"] == 0
    assert failing.processes() == []


def test_markup_and_bad_text_in_a_message_are_printed_as_they_are(failing: Project) -> None:
    done = failing.command("run", "--set", "case=cause")
    assert done.returncode == 1
    assert "ValueError: by [bold]zero[/bold]" in done.stderr


def test_a_failed_run_keeps_its_record_and_the_log_of_its_steps(project: Project) -> None:
    project.write("src/demo/helpers.py", HELPERS)
    project.write("pipeline.toml", '[params]\ncase = "raise"\n')
    project.segments(s01=CASES)
    record = project.run()
    [kept] = (project.folder / "runs").glob("*/record.json")
    assert json.loads(kept.read_text())["error"] == record["error"]
    assert (kept.parent / "run.log").read_text() == "the last words of the step\n"
    assert record["segments"][0]["status"] == "failed"
    assert [s["name"] for s in record["segments"][0]["steps"]] == ["finished", "failing"]


def test_a_checkpoint_that_would_exceed_max_disk_is_refused_before_writing(
    project: Project,
) -> None:
    with (project.folder / "memory_budget.toml").open("a") as settings:
        settings.write('[checkpoints]\nmax_disk = "1 kB"\n')
    project.segments(
        s01="""
        @step
        def large() -> np.ndarray:
            return np.zeros(1000)
        """
    )
    record = project.run()
    assert (record["exit_code"], record["error"]["kind"]) == (5, "storage")
    assert "needs 8 kB, max_disk in memory_budget.toml leaves" in record["error"]["message"]
    assert project.strays() == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_library", ["No module named 'no_such_library'", "segments/s01.py"]),
        ("def broken(:", ["SyntaxError", "segments/s01.py"]),
        ("raise ValueError('at import')", ["ValueError: at import", "segments/s01.py"]),
        ("import os; os._exit(3)", ["demo.pipeline cannot be imported"]),
        ("@step\ndef one(x: int) -> int:\n    return x", ["segments/s01.py", "parameter `x`"]),
        ("@step\ndef one(x) -> int:\n    return x", ["parameter `x` has no annotation"]),
        ("", ["no step found"]),
    ],
)
def test_a_pipeline_that_cannot_be_built_is_a_configuration_error(
    project: Project, source: str, said: list[str]
) -> None:
    project.segments(s01="@step\ndef placeholder() -> int: return 1")
    path = project.package / "segments" / "s01.py"
    path.write_text(path.read_text().partition("@step")[0] + source + "\n")
    done = project.command("run")
    assert done.returncode == 2
    for text in said:
        assert text in done.stderr
    for internal in ("checkpointing/", "importlib", "multiprocessing"):
        assert internal not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "s1"], "no segment is named `s1`; did you mean `s01`?"),
        (["--rerun-from", "s1"], "no segment is named `s1`; did you mean `s01`?"),
        (["--budget", "much"], "--budget: 'much' is not a size"),
        (["--set", "cas=1"], "`cas` is under none of [params], [inputs] and [env]"),
        (["--set", "case"], "--set 'case': write NAME=VALUE"),
    ],
)
def test_a_wrong_argument_is_named_with_the_right_form(
    failing: Project, arguments: list[str], said: str
) -> None:
    done = failing.command("run", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_input_is_a_configuration_error(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def one(file: Path) -> int:
            return 1
        """
    )
    project.write("pipeline.toml", '[inputs]\nfile = "data/absent.csv"\n')
    record = project.run()
    assert (record["exit_code"], record["error"]["kind"]) == (2, "configuration")
    assert "data/absent.csv does not exist" in record["error"]["message"]


def test_outside_a_project_the_command_says_where_to_go(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> int: return 1")
    (project.folder / "pipeline.toml").unlink()
    done = project.command("status")
    assert done.returncode == 2
    assert "no pipeline.toml" in done.stderr


LONG = """
import ctypes, sys

@step
def failing(case: str) -> int:
    if case == "message":
        raise ValueError("begin " + "x" * 30_000_000 + " end")
    if case == "lines":
        raise ValueError("line\\n" * 1_000_000)
    if case == "causes":
        error = None
        for number in range(20_000):
            former, error = error, ValueError(f"cause {number}")
            error.__cause__ = former
        raise error
    if case == "groups":
        error = ValueError("innermost")
        for number in range(3_000):
            error = ExceptionGroup("group", [error])
        raise error
    if case == "many":
        raise ExceptionGroup("many", [ValueError(str(number)) for number in range(100_000)])
    if case == "word":
        print("x" * 500_000, flush=True)
        ctypes.string_at(0)
    return 1
"""


@pytest.fixture(scope="module")
def long_errors(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, Any]]:
    """A project whose step fails with very long messages, and the record of each case."""
    project = Project(tmp_path_factory.mktemp("long") / "demo")
    project.write("pipeline.toml", '[params]\ncase = "not"\n')
    project.segments(s01=LONG)
    with project.session() as run:
        cases = ("message", "lines", "causes", "groups", "many", "word")
        return project, {case: run(params={"case": case}) for case in cases}


def test_a_very_long_error_is_cut_wherever_it_is_shown_and_whole_in_the_log(
    long_errors: tuple[Project, dict[str, Any]],
) -> None:
    project, records = long_errors
    errors = {case: record["error"] for case, record in records.items()}
    logs = [path.read_text() for path in sorted((project.folder / "runs").glob("*/run.log"))]

    for case, error in errors.items():
        assert (error["kind"], error["step"]) == ("step_failed", "failing"), case
        assert len(error["message"]) <= 10_000, case
        assert len(error.get("traceback", "")) <= 30_000, case
    assert errors["message"]["message"].startswith("ValueError: begin xxx")
    assert errors["message"]["message"].endswith("xxx end")
    assert " characters left out; see the log … xxx" in errors["message"]["message"]
    assert " characters left out; see the log …\n" in errors["causes"]["traceback"]
    assert errors["causes"]["traceback"].endswith("ValueError: cause 19999\n")
    assert "group" in errors["groups"]["traceback"]
    assert any("begin " + "x" * 30_000_000 + " end" in log for log in logs)
    assert any("cause 10000\n" in log for log in logs)
    assert max(path.stat().st_size for path in project.folder.glob("runs/*/record.json")) < 100_000


def test_a_very_long_error_is_cut_on_the_terminal_and_in_the_report(
    long_errors: tuple[Project, dict[str, Any]],
) -> None:
    project, _ = long_errors
    shown = project.command("run", "--set", "case=message")
    page = project.command("report", "--markdown")

    assert shown.returncode == 1
    assert len(shown.stderr) < 50_000
    assert len(page.stdout) < 20_000
    assert "characters left out; see the log" in shown.stderr
    assert "characters left out; see the log" in page.stdout
