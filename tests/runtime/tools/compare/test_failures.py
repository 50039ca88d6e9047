"""What fails in either run ends the comparison, with the message that a run would give."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ....marks import one_in
from ...conftest import Project
from .comparing import (
    check_nothing_left,
    compared,
)


@pytest.mark.parametrize(
    ("how", "message"),
    one_in(
        2,
        [
            ("raise ValueError('odd')", "ValueError: odd"),
            ("sys.exit(0)", "SystemExit: 0"),
            ("os._exit(0)", "ended with exit code 0 and left no error"),
            ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV and left no error"),
        ],
    ),
)
def test_a_plain_script_that_fails_is_reported_as_a_run_s_failure_is(
    two_faced: Callable[[str], Project], how: str, message: str
) -> None:
    project = two_faced(how)
    comparison = compared(project)
    assert comparison["exit_code"] == 1
    assert comparison["error"]["kind"] == "step_failed"
    assert comparison["error"]["run"] == "plain"
    assert (comparison["error"]["segment"], comparison["error"]["step"]) == ("s02", "second")
    assert message in comparison["error"]["message"]
    assert comparison["plain"]["status"] == "failed"
    assert comparison["plain"]["ended_in"] == "second"
    assert comparison["checkpoints"]["status"] == "ran"
    assert comparison["ratios"] == {"peak": None, "own": None, "seconds": None}
    assert "now the other face" in (project.folder / "runs" / "compare.log").read_text()
    check_nothing_left(project)


def test_the_traceback_of_a_plain_script_is_the_user_s_own(
    two_faced: Callable[[str], Project],
) -> None:
    done = two_faced("raise ValueError('odd')").command("compare")
    assert done.returncode == 1
    assert "The plain script failed in step `second`" in done.stdout
    assert "in second" in done.stderr
    assert "checkpointing" not in done.stderr
    assert done.stderr.rstrip().endswith("error: segment `s02`, step `second`: ValueError: odd")


def test_a_failure_with_checkpoints_ends_the_comparison(project: Project) -> None:
    project.segments(
        s01="@step\ndef broken() -> int:\n    ran('broken')\n    raise KeyError('gone')"
    )
    comparison = compared(project)
    assert comparison["exit_code"] == 1
    assert comparison["error"]["step"] == "broken"
    assert comparison["plain"] is None
    assert project.executed() == ["broken"]
    check_nothing_left(project)


def test_a_step_that_alone_exceeds_the_budget_does_so_here_too(project: Project) -> None:
    project.segments(s01="@step\ndef big() -> np.ndarray:\n    return np.ones(50_000_000)")
    comparison = compared(project, "--budget", "400MB")
    assert comparison["exit_code"] == 3
    assert comparison["error"]["kind"] == "budget_exceeded"
    assert comparison["plain"] is None
    check_nothing_left(project)


@pytest.mark.parametrize(
    "arguments",
    [("--limit", "much"), ("--budget", "0"), ("--set", "unknown=1"), ("--set", "nothing")],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(
    project: Project, arguments: tuple[str, str]
) -> None:
    project.segments(s01="@step\ndef one() -> int:\n    ran('one')\n    return 1")
    comparison = compared(project, *arguments)
    assert comparison["exit_code"] == 2
    assert comparison["error"]["kind"] == "configuration"
    assert project.executed() == []
    check_nothing_left(project)


def test_max_disk_holds_for_the_comparison_and_what_is_there_already(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> np.ndarray:\n    return np.ones(1_000_000)")
    with (project.folder / "memory_budget.toml").open("a") as settings:
        settings.write('[checkpoints]\nmax_disk = "12 MB"\n')
    assert compared(project)["exit_code"] == 0
    project.run()
    comparison = compared(project)
    assert comparison["exit_code"] == 5
    assert "max_disk" in comparison["error"]["message"]
    check_nothing_left(project)
