"""Every way to run out of memory leads to a cut, or to exit code 3 and the name of the step."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from typing import Any

import pytest

from ...marks import in_exhaustive, in_slow
from ..conftest import Project, until

MB = 1_000_000

# `second` dies when it shares its process with another step, or always if `always.txt` is there.
SOURCE = """
import ctypes, os, time
import pyarrow as pa

before = []

def hold(memory: object) -> None:
    '''Stay as long as a file says so, and long enough to be seen in a sample.'''
    start = time.process_time()
    while Path("held.txt").exists() or time.process_time() < start + 0.06:
        pass

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

# Limits the memory that any process of the project may ask for, as `ulimit -d` does.
PACKAGE = """
import resource
from pathlib import Path

limit = Path(__file__).parents[2] / "limit.txt"
if limit.exists():
    size = int(limit.read_text())
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
"""


@dataclass(frozen=True)
class Death:
    """A way to die: what the step does, why it is cut, and what the message says."""

    code: str
    why: str
    told: str
    limit: str = ""


FILL = "hold(np.ones(18_750_000 if before else 40_000_000))"
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
        "os.write(2, b'memory allocation of 1600 bytes failed'); os.abort()",
        "out of memory",
        "aborted (memory allocation of 1600 bytes failed)",
    ),
    "c++": Death(
        "ctypes.CDLL('libstdc++.so.6')._ZSt17__throw_bad_allocv()",
        "out of memory",
        "std::bad_alloc",
    ),
}
USUAL = ["held", "numpy", "killed"]
OTHERS = [way for way in DEATHS if way not in USUAL]
ways = pytest.mark.parametrize("way", [USUAL[0], *in_slow(*USUAL[1:]), *in_exhaustive(*OTHERS)])


def memory(count: str) -> str:
    """The text of memory_budget.toml that counts memory this way."""
    return f'[cluster]\nram = "100 GB"\nquota = "50 %"\n[budget]\ncount = "{count}"\n'


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """By kind of limit, one that any of the steps can keep to, but not two of them."""
    project = Project(tmp_path_factory.mktemp("limits") / "demo")
    project.segments(s01=SOURCE.replace("{die}", "pass"))
    found = {}
    for count in ("held", "rss"):
        project.write("memory_budget.toml", memory(count))
        [segment] = project.run("--fresh")["segments"]
        found[count] = segment["steps"][0]["began_bytes"] + 220 * MB
    found["data"] = (int((project.folder / "data.txt").read_text()) << 10) + 220 * MB
    return found


def prepare(project: Project, death: Death, limits: dict[str, int]) -> list[str]:
    """Write the project, whose step dies of the limit that is set; the options of its runs."""
    project.segments(s01=SOURCE.replace("{die}", death.code))
    if death.limit == "data":
        project.write("src/demo/__init__.py", PACKAGE)
        project.write("limit.txt", str(limits["data"]))
    elif death.limit:
        project.write("memory_budget.toml", memory(death.limit))
        return ["--budget", str(limits[death.limit])]
    return []


def check_cut(record: dict[str, Any], why: str) -> None:
    """The one segment was cut before `second`, for this reason."""
    [segment] = record["segments"]
    assert segment["cuts"] == [{"before": "second", "why": why}]


@ways
def test_a_step_that_dies_beside_another_runs_again_in_a_process_of_its_own(
    project: Project, way: str, limits: dict[str, int]
) -> None:
    options = prepare(project, DEATHS[way], limits)
    record = project.run(*options)
    assert record["exit_code"] == 0, record["error"]
    check_cut(record, DEATHS[way].why)
    assert project.executed() == ["first", "second", "first", "second", "third"]
    assert project.load("third") == "12500001.0"
    assert project.strays() == []
    until(lambda: not project.processes(), "the end of all that was killed")


@ways
def test_a_step_that_dies_alone_is_named_and_what_ran_before_is_kept(
    project: Project, way: str, limits: dict[str, int]
) -> None:
    death = DEATHS[way]
    options = prepare(project, death, limits)
    (project.folder / "always.txt").touch()
    record = project.run(*options)
    error = record["error"]
    assert (record["exit_code"], error["kind"]) == (3, "budget_exceeded")
    assert (error["segment"], error["step"], error["why"]) == ("s01", "second", death.why)
    assert "segment `s01`, step `second`: " in error["message"]
    assert death.told in error["message"]
    assert "What to do: " in error["message"]
    check_cut(record, death.why)
    assert project.executed() == ["first", "second", "first", "second"]
    assert project.strays() == []
    (project.folder / "always.txt").unlink()
    if death.why == "over budget":  # it is known now that it does not fit
        assert project.run(*options)["error"]["why"] == "planned"
        assert project.executed() == []
        options = []
    assert project.run(*options)["exit_code"] == 0
    assert project.executed() == ["second", "third"]
    assert project.strays() == []
    until(lambda: not project.processes(), "the end of all that was killed")


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
    wait = "Path('me.txt').write_text(str(os.getpid())); hold(0)"
    project.segments(s01=SOURCE.replace("{die}", wait))
    (project.folder / "held.txt").touch()
    process = project.start("run", "--json")
    mine = project.folder / "me.txt"
    until(lambda: mine.exists() and mine.read_text(), "the second step")
    os.kill(int(mine.read_text()), signal.SIGKILL)
    out, _ = process.communicate(timeout=120)
    check_cut(json.loads(out), "killed")
    assert process.returncode == 0
    assert project.executed() == ["first", "second", "first", "second", "third"]
