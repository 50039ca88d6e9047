"""Where the kernel guards a part, it holds the budget to the byte, and ends the part as a whole.

These need a control group of version 2 that is theirs to divide, as one of
`systemd-run --user --scope --property=Delegate=yes` is.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from flight_delays.checkpointing.memory.guard import margin
from flight_delays.checkpointing.memory.limits import BESIDE, own_groups
from flight_delays.checkpointing.memory.warden import GROUPS, warden

from ..conftest import Project, until

MB = 1_000_000
BUDGET = 260 * MB
MARGIN = margin(BUDGET)

pytestmark = pytest.mark.skipif(warden().kind != "kernel", reason="needs a group to divide")

# `swollen` holds the watchdog still, and takes three times the budget at once.
SOURCE = """
import os, signal, subprocess, sys, time

@step
def small() -> int:
    ran("small")
    return 1

@step
def swollen(small: int, size: int) -> int:
    ran("swollen")
    if size:
        os.kill(parent_of_server(), signal.SIGSTOP)
        Path("stopped").touch()
        len(bytearray(size))
    return small

def parent_of_server() -> int:
    return int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])

@step
def cached(swollen: int, size: int) -> int:
    "Writes and reads more than the budget, and detaches a process."
    ran("cached")
    if not size:
        with open("large", "wb") as file:
            for _ in range(400):
                file.write(bytes(1_000_000))
        with open("large", "rb") as file:
            while file.read(1 << 20):
                pass
        sleep = "import time; time.sleep(600)"
        detached = subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True)
        Path("detached").write_text(str(detached.pid))
        Path("group").write_text(Path("/proc/self/cgroup").read_text())
    return swollen
"""


def groups() -> list[Path]:
    """The groups of workers that are there now."""
    own, *above = own_groups()
    place = above[0] if own.name == BESIDE else own
    return list(place.glob(f"{GROUPS}-*-*"))


def oom_kills(group: Path) -> int:
    try:
        lines = (group / "memory.events").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


@pytest.fixture
def swelling(project: Project) -> Project:
    project.segments(s01=SOURCE)
    project.write("pipeline.toml", "[params]\nsize = 0\n")
    return project


def test_what_swells_between_two_samples_is_stopped_at_the_budget(swelling: Project) -> None:
    process = swelling.start(
        "run", "--json", "--budget", str(BUDGET), "--set", f"size={3 * BUDGET}"
    )
    peaks = []
    for _ in range(2):  # beside another step, and alone
        until((swelling.folder / "stopped").exists, "the step")
        until(lambda: any(map(oom_kills, groups())), "the kernel")
        peaks += [int((group / "memory.peak").read_text()) for group in groups()]
        (swelling.folder / "stopped").unlink()
        os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=240)
    record = json.loads(out)

    assert process.returncode == 3, err
    assert record["segments"][0]["cuts"] == [{"before": "swollen", "why": "over budget"}]
    assert (record["error"]["kind"], record["error"]["step"]) == ("budget_exceeded", "swollen")
    assert record["error"]["held_bytes"] == BUDGET + MARGIN
    assert record["peak_bytes"] == BUDGET + MARGIN
    assert max(peaks) < BUDGET + MARGIN
    assert swelling.executed() == ["small", "swollen", "small", "swollen"]
    assert groups() == []


def test_files_that_pass_through_memory_count_nothing_and_what_is_detached_ends(
    swelling: Project,
) -> None:
    record = swelling.run("--budget", str(BUDGET))

    assert record["exit_code"] == 0, record
    assert record["segments"][0]["cuts"] == []
    assert record["peak_bytes"] < BUDGET
    assert f"/{GROUPS}-" in (swelling.folder / "group").read_text()
    assert not Path("/proc", (swelling.folder / "detached").read_text()).exists()
    assert groups() == []


def test_a_run_that_is_killed_leaves_a_group_that_the_next_run_removes(swelling: Project) -> None:
    process = swelling.start("run", "--budget", str(BUDGET), "--set", f"size={3 * BUDGET}")
    until(lambda: any(map(oom_kills, groups())), "the kernel")
    process.kill()
    process.communicate()
    assert groups()
    until(lambda: not swelling.processes(), "the end of all processes")
    swelling.run("--budget", str(BUDGET))

    assert groups() == []


def test_status_names_the_kernel(swelling: Project) -> None:
    said = json.loads(swelling.command("status", "--json").stdout)["warden"]

    assert said["kind"] == "kernel"
    assert "memory limit of its own" in said["why"]
