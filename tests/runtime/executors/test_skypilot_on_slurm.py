"""A real SkyPilot on a real Slurm: what comes back, and that every allocation ends.

Each test ends with an empty queue. By which layer, and after how many seconds, is printed at the
end: `dev.py test --slurm` shows it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from flight_delays.checkpointing.base.elsewhere import ExecutorTable
from flight_delays.checkpointing.base.errors import ExecutorError
from flight_delays.checkpointing.executors.interface import Task
from flight_delays.checkpointing.executors.ledger import new_place
from flight_delays.checkpointing.executors.skypilot import SkyPilot
from flight_delays.checkpointing.executors.skypilot_task import task_file

from ... import slurm as loopback
from ...marks import in_exhaustive
from .conftest import FIGURES

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# A process that runs one task, as a run of a pipeline does; its lines go to a file.
_CLIENT = """
import json, sys
from pathlib import Path
from flight_delays.checkpointing.base.elsewhere import ExecutorTable
from flight_delays.checkpointing.executors.interface import Task
from flight_delays.checkpointing.executors.skypilot import SkyPilot
table, task, folder = json.loads(sys.argv[1])
executor = SkyPilot("gpu", ExecutorTable(**table), Path(folder) / "executors")
place, code, command, limit = task
task = Task(place, Path(code), tuple(command), limit)
executor.run(task, lambda line: print(line, flush=True))
"""
_HELLO = """
import os, sys, time
import colorama
print(f"hello {sys.argv[1]} {colorama.__version__} {os.environ.get('A_SECRET', '')}", flush=True)
kept = bytearray(int(sys.argv[3]) * 10**6)
kept[::4096] = b"x" * len(kept[::4096])
time.sleep(float(sys.argv[2]))
sys.exit(int(sys.argv[1]))
"""
_ENDS = 600.0  # seconds after which a test gives up


def table(**settings: Any) -> dict[str, Any]:
    given = {"infra": loopback.INFRA, "memory": "1+", "time_limit": "10 min", "cpus": "1+"}
    return {"kind": "skypilot", "storage": "s3://bucket/path", **given, **settings}


def executor(folder: Path, **settings: Any) -> SkyPilot:
    return SkyPilot("gpu", ExecutorTable(**table(**settings)), folder / "executors")


def task(
    folder: Path,
    code: int = 0,
    *,
    seconds: float = 0,
    megabytes: int = 1,
    limit: float = 600,
    needs: str = "colorama==0.4.6",
    variables: Mapping[str, str] | None = None,
) -> Task:
    """A task that prints a line, holds memory for a time, and ends with an exit code."""
    work = folder / "work"
    (work / "src").mkdir(parents=True)
    (work / "src" / "hello.py").write_text(_HELLO)
    (work / "requirements.txt").write_text(f"{needs}\n")
    command = ("python", "-m", "hello", str(code), str(seconds), str(megabytes))
    return Task(new_place(folder), work, command, limit, variables or {})


class Client:
    """A process that runs a task, and the lines that it printed."""

    def __init__(self, slurm: loopback.Slurm, folder: Path, task: Task) -> None:
        self.slurm = slurm
        self.output = folder / "client.out"
        of_task = [task.place, str(task.folder), task.command, task.time_limit]
        source = Path(sys.modules[SkyPilot.__module__].__file__ or "").parents[3]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _CLIENT, json.dumps([table(), of_task, str(folder)])],
                env=slurm.environment() | {"PYTHONPATH": str(source)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def wait_for_line(self, text: str) -> None:
        _wait(lambda: text in self.output.read_text(errors="replace"), self._said)

    def wait_for_job(self) -> None:
        _wait(lambda: bool(self.slurm.jobs()), self._said)

    def _said(self) -> str:
        assert self.process.poll() is None, self.output.read_text(errors="replace")
        return self.output.read_text(errors="replace")

    def kill(self) -> None:
        """End it and all its children by SIGKILL."""
        family = [*psutil.Process(self.process.pid).children(recursive=True)]
        self.process.kill()
        for child in family:
            child.kill()
        self.process.wait()


def _wait(is_so: Callable[[], bool], said: Callable[[], str]) -> float:
    """Wait until something is so; how many seconds that took."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() < started + _ENDS, said()
        said()
        time.sleep(0.2)
    return time.monotonic() - started


@contextmanager
def destroyed(slurm: loopback.Slurm, case: str) -> Iterator[None]:
    """Take down how long it takes until the allocation is gone, and until that is verified."""
    had = bool(slurm.jobs())
    command = [sys.executable, "-c", _WATCH]
    with subprocess.Popen(command, env=slurm.environment(), stdout=subprocess.PIPE) as watch:
        started = time.monotonic()
        yield
        verified = time.monotonic() - started
        gone = watch.communicate(timeout=60)[0].decode().strip()
    FIGURES.append(
        f"| {case} | client's `destroy` | {gone + ' s' if had else 'nothing was there'} | "
        f"{verified:.0f} s |"
    )


_WATCH = """
import subprocess, time
started = time.monotonic()
while subprocess.run(["squeue", "--noheader"], capture_output=True).stdout.strip():
    time.sleep(0.5)
print(round(time.monotonic() - started))
"""


@pytest.mark.parametrize("code", in_exhaustive(7, 0))
def test_the_exit_code_and_the_lines_come_back_and_nothing_stays(
    code: int, slurm: loopback.Slurm, tmp_path: Path
) -> None:
    lines: list[str] = []
    there = executor(tmp_path)
    given = task(tmp_path, code, variables={"A_SECRET": "hush"})
    started = time.monotonic()
    assert there.run(given, lines.append) == code
    FIGURES.append(f"(launched, run and ended in {time.monotonic() - started:.0f} s)")
    assert f"hello {code} 0.4.6 hush" in lines
    [living] = there.living()
    assert (living.place, living.state, living.cost) == (given.place, "UP", 0.0)
    with destroyed(slurm, "the command has ended"):
        there.destroy(given.place)
    assert there.living() == []


def test_a_place_that_was_never_made_is_destroyed(slurm: loopback.Slurm, tmp_path: Path) -> None:
    with destroyed(slurm, "never made"):
        executor(tmp_path).destroy(new_place(tmp_path))


@pytest.mark.exhaustive
def test_a_launch_that_fails_half_way_is_destroyed(slurm: loopback.Slurm, tmp_path: Path) -> None:
    """SkyPilot leaves the allocation of such a launch behind, without a timer."""
    given = task(tmp_path)
    curl = slurm.folder / "programs" / "curl"
    working = curl.read_text()
    curl.write_text("#!/bin/sh\nexit 6\n")
    try:
        with pytest.raises(ExecutorError, match="did not make"):
            executor(tmp_path).run(given, print)
    finally:
        curl.write_text(working)
    assert len(slurm.jobs()) == 1
    with destroyed(slurm, "the launch failed half way"):
        executor(tmp_path).destroy(given.place)


@pytest.mark.parametrize("how", in_exhaustive(signal.SIGINT, signal.SIGKILL))
def test_a_launch_under_way_is_destroyed(
    how: signal.Signals, slurm: loopback.Slurm, tmp_path: Path
) -> None:
    given = task(tmp_path)
    client = Client(slurm, tmp_path, given)
    client.wait_for_job()
    os.kill(client.process.pid, how)
    client.process.wait()
    with destroyed(slurm, f"{how.name} while the launch is under way"):
        executor(tmp_path).destroy(given.place)


@pytest.mark.exhaustive
def test_a_launch_that_has_just_been_requested_is_destroyed(
    slurm: loopback.Slurm, tmp_path: Path
) -> None:
    given = task(tmp_path)
    client = Client(slurm, tmp_path, given)
    client.wait_for_line("Running on cluster")
    client.process.send_signal(signal.SIGINT)
    client.process.wait()
    with destroyed(slurm, "SIGINT just after the request"):
        executor(tmp_path).destroy(given.place)
    time.sleep(15)  # a launch that nobody cancelled would be there by now


@pytest.mark.exhaustive
def test_a_task_whose_client_and_server_were_killed_is_destroyed(
    slurm: loopback.Slurm, tmp_path: Path
) -> None:
    given = task(tmp_path, seconds=3600)
    client = Client(slurm, tmp_path, given)
    client.wait_for_line("hello")
    client.kill()
    slurm.kill_skypilot()
    with destroyed(slurm, "client and API server killed in training"):
        executor(tmp_path).destroy(given.place)


@pytest.mark.exhaustive
def test_a_launch_whose_client_and_server_were_killed_is_destroyed(
    slurm: loopback.Slurm, tmp_path: Path
) -> None:
    given = task(tmp_path)
    client = Client(slurm, tmp_path, given)
    client.wait_for_job()
    client.kill()
    slurm.kill_skypilot()
    with destroyed(slurm, "client and API server killed in launch"):
        executor(tmp_path).destroy(given.place)


@pytest.mark.exhaustive
def test_a_task_that_nobody_waits_for_ends_by_its_timer(
    slurm: loopback.Slurm, tmp_path: Path
) -> None:
    given = task(tmp_path, seconds=3600, limit=60)
    client = Client(slurm, tmp_path, given)
    client.wait_for_line("hello")
    client.kill()
    slurm.kill_skypilot()
    seconds = _wait(lambda: not slurm.jobs(), lambda: "")
    FIGURES.append(
        f"| all killed in training, limit 60 s | timer on the cluster | {seconds:.0f} s | - |"
    )
    executor(tmp_path).destroy(given.place)
    assert executor(tmp_path).living() == []


@pytest.mark.exhaustive
def test_slurm_itself_has_a_cap_on_each_allocation(slurm: loopback.Slurm, tmp_path: Path) -> None:
    given = task(tmp_path)
    client = Client(slurm, tmp_path, given)
    client.wait_for_job()
    shown = subprocess.run(
        ["scontrol", "show", "job"], env=slurm.environment(), capture_output=True, text=True
    ).stdout
    minutes = task_file(given, ExecutorTable(**table()))["config"]["slurm"]["sbatch_options"]
    assert f"TimeLimit=00:{minutes['time']}:00" in shown
    client.kill()
    executor(tmp_path).destroy(given.place)


@pytest.mark.exhaustive
def test_a_command_is_ended_at_its_limit(slurm: loopback.Slurm, tmp_path: Path) -> None:
    given = task(tmp_path, seconds=3600, limit=30)
    assert executor(tmp_path).run(given, print) == 124
    with destroyed(slurm, "time limit reached"):
        executor(tmp_path).destroy(given.place)


@pytest.mark.exhaustive
def test_a_command_that_takes_more_than_was_allocated_is_an_error(
    slurm: loopback.Slurm, tmp_path: Path
) -> None:
    given = task(tmp_path, seconds=60, megabytes=4000)
    with pytest.raises(ExecutorError, match=r"raise `memory`|does not answer"):
        executor(tmp_path).run(given, print)
    with destroyed(slurm, "out of memory there"):
        executor(tmp_path).destroy(given.place)


@pytest.mark.exhaustive
def test_packages_that_cannot_be_had_are_an_error(slurm: loopback.Slurm, tmp_path: Path) -> None:
    given = task(tmp_path, needs="colorama==0.0.0.1")
    with pytest.raises(ExecutorError, match="could not be installed"):
        executor(tmp_path).run(given, print)
    with destroyed(slurm, "no packages there"):
        executor(tmp_path).destroy(given.place)


@pytest.mark.exhaustive
def test_a_teardown_that_fails_is_said_and_a_later_one_succeeds(
    slurm: loopback.Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = task(tmp_path)
    executor(tmp_path).run(given, print)
    failing = tmp_path / "sky"
    failing.write_text(f'#!/bin/sh\n[ "$1" != down ] || exit 1\nexec {os.environ["SKY"]} "$@"\n')
    failing.chmod(0o755)
    there = SkyPilot("gpu", ExecutorTable(**table()), tmp_path / "executors", pauses=(0.0,))
    with monkeypatch.context() as patch:
        patch.setenv("SKY", str(failing))
        with pytest.raises(ExecutorError, match="`sky down"):
            there.destroy(given.place)
    assert len(slurm.jobs()) == 1
    with destroyed(slurm, "`sky down` failed before"):
        there.destroy(given.place)


# Run by SkyPilot's own Python: whether its schema takes the task files.
_VALIDATE = """
import json, sys, sky
for content in json.load(sys.stdin):
    [resources] = sky.Task.from_yaml_config(content).resources
    timer = resources.autostop_config
    print(resources.cloud, timer.down, timer.idle_minutes, *(resources.accelerators or ()))
"""
_CLOUDS = {
    "aws/us-east-1": "AWS",
    "gcp": "GCP",
    "azure": "Azure",
    "kubernetes": "Kubernetes",
    "slurm/loopback": "Slurm",
    "ssh/pool": "SSH",
}


def test_skypilot_takes_the_task_file_of_each_infrastructure(
    slurm: loopback.Slurm, tmp_path: Path
) -> None:
    """Offline: what a schema says, and not what a cloud would."""
    given = task(tmp_path)
    contents = [
        task_file(given, ExecutorTable(**table(infra=infra, accelerators=accelerators)))
        for infra in _CLOUDS
        for accelerators in ("", "A100:1")
    ]
    checked = subprocess.run(
        [Path(slurm.variables["SKY"]).with_name("python"), "-c", _VALIDATE],
        input=json.dumps(contents),
        env=slurm.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    plain = [f"{cloud} True 11" for cloud in _CLOUDS.values()]
    assert checked.stdout.splitlines() == [
        line for each in plain for line in (each, f"{each} A100")
    ]
