"""Every way to run out of memory leads to a cut, or to exit code 3 and the name of the step."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from typing import Any

import pytest

from .conftest import Project, until

MB = 1_000_000

# `second` dies when it shares its process with another step, or always if `always.txt` is there.
SOURCE = """
import ctypes, os, time
import pyarrow as pa

before = []

def hold(memory: object) -> None:
    while Path("held.txt").exists():
        time.sleep(0.01)

@step
def first() -> np.ndarray:
    ran("first")
    status = Path("/proc/self/status").read_text().split()
    Path("data.txt").write_text(status[status.index("VmData:") + 1])
    before.append("first")
    return np.ones(12_500_000)

@step
def second() -> float:
    ran("second")
    if before or Path("always.txt").exists():
        {die}
    return 1.0

@step
def third(first: np.ndarray, second: float) -> float:
    ran("third")
    return float(first.sum()) + second
"""

# Limits the memory that any process of a run may ask for, as `ulimit -d` does.
MAIN = """
import os, resource

if "DATA_LIMIT" in os.environ:
    limit = int(os.environ["DATA_LIMIT"])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

from .checkpointing.cli import application

application("demo")()
"""


@dataclass(frozen=True)
class Death:
    """A way to die: what the step does, why it is cut, and what the message says."""

    code: str
    why: str
    told: str
    limit: str = ""


FILL = "hold(np.ones(18_750_000 if before else 40_000_000)); time.sleep(0.1)"
DEATHS = {
    "held": Death(FILL, "over budget", "of memory held", "held"),
    "rss": Death(FILL, "over budget", "of memory held", "rss"),
    "numpy": Death(FILL, "out of memory", "Unable to allocate", "data"),
    "arrow": Death(
        "pa.allocate_buffer(150 * 10**6 if before else 320 * 10**6)",
        "out of memory",
        "ArrowMemoryError: malloc of size",
        "data",
    ),
    "killed": Death("os.kill(os.getpid(), 9)", "killed", "killed from outside"),
    "rust": Death(
        "os.write(2, b'memory allocation of 1600 bytes failed\\n'); os.abort()",
        "out of memory",
        "aborted (memory allocation of 1600 bytes failed)",
    ),
    "c++": Death(
        "ctypes.CDLL('libstdc++.so.6')._ZSt17__throw_bad_allocv()",
        "out of memory",
        "std::bad_alloc",
    ),
}
ways = pytest.mark.parametrize("way", DEATHS)


def prepare(project: Project, death: Death) -> tuple[list[str], dict[str, str]]:
    """Write the project; the options and environment that set the limit the step dies of."""
    count = "rss" if death.limit == "rss" else "held"
    settings = f'[cluster]\nram = "100 GB"\nquota = "50 %"\n[budget]\ncount = "{count}"\n'
    project.write("memory_budget.toml", settings)
    project.write("src/demo/__main__.py", MAIN)
    project.segments(s01=SOURCE.replace("{die}", "pass"))
    if not death.limit:
        project.segments(s01=SOURCE.replace("{die}", death.code))
        return [], {}
    [segment] = project.run()["segments"]
    project.executed()
    data = int((project.folder / "data.txt").read_text()) << 10
    project.segments(s01=SOURCE.replace("{die}", death.code))
    (project.folder / "runs" / "profile.json").unlink()
    if death.limit == "data":
        return [], {"DATA_LIMIT": str(data + 220 * MB)}
    return ["--budget", str(segment["steps"][0]["began_bytes"] + 220 * MB)], {}


def check_cut(record: dict[str, Any], why: str) -> None:
    """The one segment was cut before `second`, for this reason."""
    [segment] = record["segments"]
    assert segment["cuts"] == [{"before": "second", "why": why}]


@ways
def test_a_step_that_dies_beside_another_runs_again_in_a_process_of_its_own(
    project: Project, way: str
) -> None:
    options, environment = prepare(project, DEATHS[way])
    record = project.run(*options, **environment)
    assert record["exit_code"] == 0, record["error"]
    check_cut(record, DEATHS[way].why)
    assert project.executed() == ["first", "second", "first", "second", "third"]
    assert project.load("third") == "12500001.0"
    assert project.strays() == []
    until(lambda: not project.processes(), "the end of all that was killed")


@ways
def test_a_step_that_dies_alone_is_named_and_what_ran_before_is_kept(
    project: Project, way: str
) -> None:
    death = DEATHS[way]
    options, environment = prepare(project, death)
    (project.folder / "always.txt").touch()
    record = project.run(*options, **environment)
    assert record["exit_code"] == 3
    error = record["error"]
    assert (error["kind"], error["segment"], error["step"]) == ("budget_exceeded", "s01", "second")
    assert error["why"] == death.why
    assert "segment `s01`, step `second`: " in error["message"]
    assert death.told in error["message"]
    assert "What to do: " in error["message"]
    check_cut(record, death.why)
    assert project.executed() == ["first", "second", "first", "second"]
    assert project.strays() == []
    until(lambda: not project.processes(), "the end of all that was killed")
    (project.folder / "always.txt").unlink()
    if death.why == "over budget":  # it is known now that it does not fit
        again = project.run(*options, **environment)
        assert (again["exit_code"], again["error"]["why"]) == (3, "planned")
        assert project.executed() == []
        options = []
    assert project.run(*options, **environment)["exit_code"] == 0
    assert project.executed() == ["second", "third"]
    assert project.strays() == []


def test_the_first_step_of_all_is_named_too(project: Project) -> None:
    project.segments(s01="import os\n@step\ndef only() -> int:\n    os.kill(os.getpid(), 9)\n")
    record = project.run()
    assert record["exit_code"] == 3
    assert record["error"]["step"] == "only"
    assert record["segments"][0]["cuts"] == []
    assert project.strays() == []


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("os.abort()", id="abort"),
        pytest.param("os.kill(os.getpid(), 11)", id="segmentation fault"),
        pytest.param("os._exit(7)", id="exit"),
        pytest.param("raise ValueError('out of memory')", id="exception"),
        pytest.param("print('bad_alloc', flush=True); os._exit(1)", id="word"),
    ],
)
def test_what_dies_for_another_reason_fails_at_once(project: Project, code: str) -> None:
    project.segments(s01=SOURCE.replace("{die}", code))
    record = project.run()
    assert record["exit_code"] == 1
    assert (record["error"]["kind"], record["error"]["step"]) == ("step_failed", "second")
    assert record["segments"][0]["cuts"] == []
    assert project.executed() == ["first", "second"]
    assert project.strays() == []


def test_a_worker_that_somebody_kills_is_replaced(project: Project) -> None:
    project.segments(
        s01=SOURCE.replace("{die}", "Path('me.txt').write_text(str(os.getpid())); hold(0)")
    )
    (project.folder / "held.txt").touch()
    process = project.start("run", "--json")
    mine = project.folder / "me.txt"
    until(lambda: mine.exists() and mine.read_text(), "the second step")
    os.kill(int(mine.read_text()), signal.SIGKILL)
    out, _ = process.communicate(timeout=120)
    check_cut(json.loads(out), "killed")
    assert process.returncode == 0
    assert project.executed() == ["first", "second", "first", "second", "third"]
