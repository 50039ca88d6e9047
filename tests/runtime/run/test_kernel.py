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
from flight_delays.checkpointing.memory.guard import beyond, margin
from flight_delays.checkpointing.memory.limits import BESIDE, own_groups
from flight_delays.checkpointing.memory.warden import GROUPS, warden

from ..conftest import Project, until

MB = 1_000_000
BUDGET = 260 * MB

pytestmark = pytest.mark.skipif(warden().kind != "kernel", reason="needs a group to divide")

# `swollen` holds the watchdog still, and takes three times the budget at once. `way` says what the
# kernel does then; to be killed, the step takes away the limit at which it would wait.
SOURCE = """
import os, signal, subprocess, sys, time

@step
def small() -> int:
    ran("small")
    return 1

@step
def swollen(small: int, way: str) -> int:
    ran("swollen")
    if way != "fits":
        os.kill(parent_of_server(), signal.SIGSTOP)
        if way == "killed":
            Path("/sys/fs/cgroup" + group(), "memory.high").write_text("max")
        Path("stopped").touch()
        len(bytearray(1_200_000_000))
    return small

def group() -> str:
    return Path("/proc/self/cgroup").read_text().split("0::")[1].strip()

def parent_of_server() -> int:
    return int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])

@step
def cached(swollen: int, way: str) -> int:
    "Writes and reads more than the budget, and detaches a process."
    ran("cached")
    if way == "fits":
        with open("large", "wb") as file:
            for _ in range(400):
                file.write(bytes(1_000_000))
        with open("large", "rb") as file:
            while file.read(1 << 20):
                pass
        sleep = "import time; time.sleep(600)"
        detached = subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True)
        Path("detached").write_text(str(detached.pid))
        Path("group").write_text(group())
        Path("/sys/fs/cgroup" + group(), "below").mkdir()
    return swollen
"""


def groups() -> list[Path]:
    """The groups of workers that are there now."""
    own, *above = own_groups()
    place = above[0] if own.name == BESIDE else own
    return list(place.glob(f"{GROUPS}-*-*"))


def figure(group: Path, name: str, key: str = "") -> int:
    """A figure of a group; 0 when it is gone."""
    try:
        lines = (group / f"memory.{name}").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[-1]) for line in lines if line.rpartition(" ")[0] == key)


def struck(way: str) -> bool:
    """Whether the kernel has killed a group, or keeps one waiting."""
    event = {"killed": "oom_kill", "waits": "high"}[way]
    return any(figure(group, "events", event) for group in groups())


@pytest.fixture
def swelling(project: Project) -> Project:
    project.segments(s01=SOURCE)
    project.write("pipeline.toml", "[params]\nway = 'fits'\n")
    return project


@pytest.mark.parametrize("way", ["waits", "killed"])
def test_what_swells_between_two_samples_is_stopped_at_the_budget(
    swelling: Project, way: str
) -> None:
    process = swelling.start("run", "--json", "--budget", str(BUDGET), "--set", f"way={way}")
    peaks = []
    for _ in range(2):  # beside another step, and alone
        until((swelling.folder / "stopped").exists, "the step")
        until(lambda: struck(way), "the kernel")
        peaks += [figure(group, "peak") for group in groups()]
        (swelling.folder / "stopped").unlink()
        os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=240)
    record = json.loads(out)
    most = BUDGET + margin(BUDGET) + (beyond(BUDGET) if way == "killed" else BUDGET // 10)

    assert process.returncode == 3, err
    assert record["segments"][0]["cuts"] == [{"before": "swollen", "why": "over budget"}]
    assert (record["error"]["kind"], record["error"]["step"]) == ("budget_exceeded", "swollen")
    assert BUDGET < record["error"]["held_bytes"] <= most
    assert record["error"]["held_bytes"] <= record["peak_bytes"] <= most
    assert max(peaks) < most
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
    process = swelling.start("run", "--budget", str(BUDGET), "--set", "way=killed")
    until(lambda: struck("killed"), "the kernel")
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
