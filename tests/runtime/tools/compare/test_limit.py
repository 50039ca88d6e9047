"""The plain script is stopped at a limit that protects the machine, and that is a result."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest
from flight_delays.checkpointing.memory.limits import Limit
from flight_delays.checkpointing.tools.compare.plain import script_limit

from ...conftest import Project
from .comparing import (
    MB,
    check_nothing_left,
    compared,
)


def test_the_plain_script_is_stopped_at_the_limit_and_that_is_a_result(heavy: Project) -> None:
    comparison = compared(heavy, "--budget", "480MB", "--limit", "400MB")
    plain = comparison["plain"]
    steps = [step for segment in plain["segments"] for step in segment["steps"]]
    assert comparison["exit_code"] == 0
    assert plain["status"] == "stopped"
    assert plain["ended_in"] == steps[-1]["name"]
    assert plain["peak_bytes"] > 400 * MB
    assert plain["why"] == "the limit on this machine is 400 MB (--limit)"
    assert comparison["limit_bytes"] == 400 * MB
    assert comparison["same_results"] is None
    assert comparison["ratios"]["seconds"] is None
    assert "error" not in comparison
    check_nothing_left(heavy)


def test_the_text_says_where_the_script_was_stopped_and_that_the_ratio_is_a_bound(
    heavy: Project,
) -> None:
    done = heavy.command("compare", "--budget", "350MB", "--limit", "400MB")
    assert done.returncode == 0
    assert "≥ 4" in done.stdout
    assert "≤ 0." in done.stdout
    assert "The plain script was stopped in step `array_" in done.stdout
    assert "It would have exceeded the budget of 350 MB in step `array_" in done.stdout
    assert "With checkpoints all steps ran within " in done.stdout
    assert "Results could not be compared." in done.stdout


def test_a_limit_below_python_itself_is_no_step_s_fault(project: Project) -> None:
    project.segments(s01="@step\ndef one() -> int:\n    return 1")
    comparison = compared(project, "--limit", "30MB")
    assert comparison["exit_code"] == 0
    assert comparison["plain"]["status"] == "stopped"
    assert comparison["plain"]["ended_in"] is None


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("raise MemoryError('no room')", "an allocation failed (MemoryError: no room)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed from outside"),
        (
            "os.write(2, b'memory allocation of 8 bytes failed\\n'); os.abort()",
            "aborted (memory allocation of 8 bytes failed)",
        ),
    ],
)
def test_a_plain_script_that_memory_ends_is_a_result_too(
    two_faced: Callable[[str], Project], how: str, why: str
) -> None:
    comparison = compared(two_faced(how))
    assert comparison["exit_code"] == 0
    assert comparison["plain"]["status"] == "stopped"
    assert comparison["plain"]["ended_in"] == "second"
    assert why in comparison["plain"]["why"]


def test_the_limit_leaves_the_machine_some_memory() -> None:
    free = psutil.virtual_memory().available
    limit = script_limit([Limit(10**15, "this machine's RAM")], None)
    assert 0.5 * free < limit.bytes < 0.9 * free
    assert limit.source == "80 % of the memory that is available"


def test_a_container_s_limit_counts_as_memory_that_is_there() -> None:
    container = Limit(10 * MB, "the container's limit")
    assert script_limit([container], None) == Limit(8 * MB, "80 % of the container's limit")


def test_an_asked_limit_only_lowers_it() -> None:
    container = Limit(10 * MB, "the container's limit")
    assert script_limit([container], 5 * MB) == Limit(5 * MB, "--limit")
    assert script_limit([container], 9 * MB).bytes == 8 * MB
