"""SkyPilot's command as the executor calls it; test_skypilot_on_slurm.py drives the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.elsewhere import ExecutorTable
from flight_delays.checkpointing.base.errors import ExecutorError
from flight_delays.checkpointing.executors.interface import Living, Task
from flight_delays.checkpointing.executors.ledger import new_place
from flight_delays.checkpointing.executors.skypilot import SkyPilot
from flight_delays.checkpointing.executors.skypilot_task import task_file

# It answers from a file with, for each command, the answers to give one after the other (the last
# one again and again), and notes how it was called.
_SKY = """#!{python}
import json, os, sys
folder = {folder!r}
words = sys.argv[1:]
with open(folder + "/calls", "a") as calls:
    print(*words, file=calls)
answers = json.load(open(folder + "/answers.json"))
command = next(c for c in (" ".join(words[:2]), words[0], "") if c in answers)
code, text = answers[command][0]
answers[command][1:] and answers[command].pop(0)
json.dump(answers, open(folder + "/answers.json", "w"))
if words[0] == "launch":
    task = json.load(open(words[-1]))
    secrets = {{name: os.environ.get(name) for name in ("TOKEN", "MEMORY_BUDGET")}}
    json.dump([task, secrets], open(folder + "/launched.json", "w"))
print(text)
sys.exit(code)
"""
_PLACE = "cp-abc123-12345678"


class Sky:
    """A program `sky` that answers what a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "sky"
        self.program.write_text(_SKY.format(python=sys.executable, folder=str(folder)))
        self.program.chmod(0o755)
        self.answer({})

    def answer(self, answers: dict[str, list[tuple[int, str]]]) -> None:
        quiet = {"": [(0, "")], "api status": [(0, "[]")], "status": [(0, "[]")]}
        (self.folder / "answers.json").write_text(json.dumps(quiet | answers))

    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def launched(self) -> Any:
        return json.loads((self.folder / "launched.json").read_text())


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sky:
    monkeypatch.setenv("SKY", str(tmp_path / "sky"))
    return Sky(tmp_path)


def table(**settings: Any) -> ExecutorTable:
    given = {"infra": "slurm/here", "memory": "4+", "time_limit": "2 h", "storage": "s3://b/p"}
    return ExecutorTable(kind="skypilot", **given | settings)


def executor(folder: Path) -> SkyPilot:
    return SkyPilot("gpu", table(), folder / "project" / "executors", pauses=(0.0, 0.0, 0.0))


def task(folder: Path, **variables: str) -> Task:
    (folder / "code").mkdir(exist_ok=True)
    command = ("python", "-m", "hello", "two words")
    return Task(_PLACE, folder / "code", command, 600, variables)


def of_job(*lines: str) -> str:
    return "\n".join(f"\x1b[36m({_PLACE}, pid=77)\x1b[0m {line}" for line in lines)


ENDED = f"[{_PLACE}] the command ended with exit code "


def test_the_lines_of_the_job_and_its_exit_code_come_back(sky: Sky, tmp_path: Path) -> None:
    sky.answer(
        {
            "launch": [(0, "\x1b[32mLaunching\x1b[0m")],
            "logs": [(100, "Tailing\n" + of_job("hello", "", f"{ENDED}7"))],
        }
    )
    lines: list[str] = []
    assert executor(tmp_path).run(task(tmp_path), lines.append) == 7
    assert lines == ["Launching", "hello", ""]


def test_a_connection_that_breaks_repeats_no_line(sky: Sky, tmp_path: Path) -> None:
    ended = of_job("a", "b", "c", f"{ENDED}0")
    cannot_ask, unfinished = (1, ""), (101, "")
    logs = [(1, of_job("a")), unfinished, (1, of_job("a", "b")), cannot_ask, (0, ended)]
    sky.answer({"logs": logs, "status": [(0, json.dumps([{"name": _PLACE}]))]})
    lines: list[str] = []
    assert executor(tmp_path).run(task(tmp_path), lines.append) == 0
    assert lines == ["a", "b", "c"]


def test_a_job_that_is_killed_there_is_an_error_with_the_setting_to_raise(
    sky: Sky, tmp_path: Path
) -> None:
    sky.answer({"logs": [(100, of_job("hello"))]})
    with pytest.raises(ExecutorError, match=r"raise `memory` of \[executors\.gpu\]"):
        executor(tmp_path).run(task(tmp_path), print)


@pytest.mark.parametrize(
    ("listed", "message"),
    [([{"name": _PLACE}], "does not answer"), ([], "was ended there")],
    ids=["still listed", "gone"],
)
def test_a_place_that_no_longer_answers_is_lost(
    listed: list[dict[str, str]], message: str, sky: Sky, tmp_path: Path
) -> None:
    sky.answer({"logs": [(1, "no connection")], "status": [(0, json.dumps(listed))]})
    with pytest.raises(ExecutorError, match=message):
        executor(tmp_path).run(task(tmp_path), print)


def test_packages_that_cannot_be_installed_there_are_an_error(sky: Sky, tmp_path: Path) -> None:
    line = f"[{_PLACE}] the packages of the project could not be installed"
    sky.answer({"logs": [(100, of_job("no such version", line))]})
    with pytest.raises(ExecutorError, match="package index"):
        executor(tmp_path).run(task(tmp_path), print)


def test_a_launch_that_fails_says_what_skypilot_said(sky: Sky, tmp_path: Path) -> None:
    sky.answer({"launch": [(1, "No resource satisfying the request")]})
    with pytest.raises(ExecutorError, match="No resource satisfying the request"):
        executor(tmp_path).run(task(tmp_path), print)


def test_a_launch_that_takes_too_long_is_ended(sky: Sky, tmp_path: Path) -> None:
    sky.program.write_text("#!/bin/sh\n[ $1 != launch ] || exec sleep 600\n")
    slow = SkyPilot("gpu", table(start_limit="1 s"), tmp_path)
    with pytest.raises(ExecutorError, match="`start_limit`"):
        slow.run(task(tmp_path), print)


def test_a_secret_is_in_no_file_and_on_no_command_line(
    sky: Sky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMORY_BUDGET", "1GB")  # it holds for this machine alone
    sky.answer({"logs": [(0, of_job(f"{ENDED}0"))]})
    executor(tmp_path).run(task(tmp_path, TOKEN="hush"), print)
    content, environment = sky.launched()
    assert environment == {"TOKEN": "hush", "MEMORY_BUDGET": None}
    assert "hush" not in json.dumps(content)
    assert not any("hush" in call for call in sky.calls())


def test_destroying_cancels_what_the_server_does_and_asks_until_it_is_gone(
    sky: Sky, tmp_path: Path
) -> None:
    active = [
        {"request_id": "r-1", "cluster_name": _PLACE},
        {"request_id": "r-2", "cluster_name": "another"},
    ]
    there = json.dumps([{"name": _PLACE}])
    sky.answer(
        {
            "api status": [(0, json.dumps(active)), (0, "[]")],
            "status": [(0, there), (0, "not found\n[]")],
        }
    )
    executor(tmp_path).destroy(_PLACE)
    assert sky.calls() == [
        "api status --verbose --limit all --output json",
        "api cancel --yes r-1",
        f"down --yes {_PLACE}",
        "api status --verbose --limit all --output json",
        f"status --refresh {_PLACE} --output json",
        "api status --verbose --limit all --output json",
        f"down --yes {_PLACE}",
        "api status --verbose --limit all --output json",
        f"status --refresh {_PLACE} --output json",
    ]


def test_destroying_is_tried_again_with_a_server_that_runs(sky: Sky, tmp_path: Path) -> None:
    sky.answer({"down": [(1, "Connection refused"), (0, "")]})
    executor(tmp_path).destroy(_PLACE)
    assert [call.split()[0] for call in sky.calls()].count("down") == 2
    assert "api start" in sky.calls()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"down": [(1, "boom")]}, "boom"),
        ({"status": [(0, json.dumps([{"name": _PLACE}]))]}, "still lists"),
        ({"status": [(0, "a table")]}, "answers no JSON"),
    ],
    ids=["down fails", "still there", "unknown answer"],
)
def test_what_cannot_be_destroyed_is_never_said_to_be_gone(
    answers: dict[str, list[tuple[int, str]]], message: str, sky: Sky, tmp_path: Path
) -> None:
    sky.answer(answers)
    with pytest.raises(ExecutorError, match=message):
        executor(tmp_path).destroy(_PLACE)


def test_what_lives_is_listed_with_its_start_and_cost(sky: Sky, tmp_path: Path) -> None:
    sky.answer(
        {
            "status": [(0, json.dumps([{"name": _PLACE, "launched_at": 0, "status": "UP"}]))],
            "cost-report": [(0, json.dumps([{"name": _PLACE, "total_cost": 1.5}]))],
        }
    )
    assert executor(tmp_path).living() == [], "nothing was ever made"
    prefix = new_place(tmp_path / "project").rpartition("-")[0]
    assert executor(tmp_path).living() == [Living(_PLACE, "1970-01-01T00:00:00+00:00", "UP", 1.5)]
    assert f"status --refresh {prefix}-* --output json" in sky.calls()


def test_a_cost_that_skypilot_cannot_tell_is_left_out(sky: Sky, tmp_path: Path) -> None:
    there = json.dumps([{"name": _PLACE, "launched_at": None, "status": "INIT"}])
    new_place(tmp_path / "project")
    sky.answer({"status": [(0, there)], "cost-report": [(1, "no catalogue")]})
    assert executor(tmp_path).living() == [Living(_PLACE, "", "INIT", None)]


def test_a_missing_skypilot_is_an_error_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExecutorError, match=r'uv tool install --with pip "skypilot\[aws\]"'):
        executor(tmp_path)


def test_the_task_file_limits_the_life_of_the_infrastructure_in_each_way(tmp_path: Path) -> None:
    content = task_file(task(tmp_path), table())
    timer = {"idle_minutes": 11, "down": True, "wait_for": "none"}
    assert content["resources"]["autostop"] == timer
    assert content["config"]["slurm"]["sbatch_options"] == {"time": 25}
    spec = content["config"]["kubernetes"]["pod_config"]["spec"]
    assert spec == {"activeDeadlineSeconds": 1500}
    assert "left=$((600 - SECONDS))" in content["run"]


def test_a_person_cannot_set_the_timer_aside(tmp_path: Path) -> None:
    content = task_file(task(tmp_path), table(resources={"autostop": False, "use_spot": True}))
    assert content["resources"]["autostop"]["down"] is True
    assert content["resources"]["use_spot"] is True


@pytest.mark.parametrize(
    ("infra", "memory"), [("aws", "4+"), ("gcp/us-east1", "4+"), ("k8s", "5+"), ("slurm/a", "5+")]
)
def test_where_memory_is_made_to_measure_there_is_some_for_skypilot(
    infra: str, memory: str, tmp_path: Path
) -> None:
    content = task_file(task(tmp_path), table(infra=infra, accelerators="A100:1", cpus="8+"))
    wanted = {"infra": infra, "memory": memory, "accelerators": "A100:1", "cpus": "8+"}
    assert wanted.items() <= content["resources"].items()


_UV = """#!/bin/sh
[ "$1" = venv ] || exit {code}
[ "$4" = {python} ] && mkdir -p environment/bin && ln -sf {executable} environment/bin/python
"""
_HELLO = "import sys, time; print(sys.argv[1:], flush=True); time.sleep(float(sys.argv[2]))"


def script(folder: Path, *, limit: float = 600, seconds: str = "0", uv: int = 0) -> tuple[int, str]:
    """Run the script of a task as a node would, with a `uv` that ends with a code."""
    work = folder / "work"
    (work / "src").mkdir(parents=True)
    (work / "src" / "hello.py").write_text(_HELLO)
    program = folder / ".local" / "bin" / "uv"
    program.parent.mkdir(parents=True)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    program.write_text(_UV.format(code=uv, python=python, executable=sys.executable))
    program.chmod(0o755)
    command = ("python", "-m", "hello", "two words", seconds)
    content = task_file(Task(_PLACE, work, command, limit), table())
    done = subprocess.run(
        ["bash", "-c", content["run"]],
        cwd=work,
        env=os.environ | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_the_script_there_runs_the_command_with_the_python_of_here(tmp_path: Path) -> None:
    assert script(tmp_path) == (0, f"['two words', '0']\n{ENDED}0\n")


def test_the_script_there_ends_the_command_at_its_limit(tmp_path: Path) -> None:
    code, printed = script(tmp_path, limit=1, seconds="600")
    assert (code, printed.splitlines()[-1]) == (124, f"{ENDED}124")


def test_the_script_there_runs_nothing_without_the_packages(tmp_path: Path) -> None:
    line = f"[{_PLACE}] the packages of the project could not be installed"
    assert script(tmp_path, uv=3) == (1, f"{line}\n")


def test_a_gitignore_above_does_not_keep_code_from_travelling(sky: Sky, tmp_path: Path) -> None:
    sky.answer({"logs": [(0, of_job(f"{ENDED}0"))]})
    executor(tmp_path).run(task(tmp_path), print)
    assert (tmp_path / "code" / ".skyignore").read_text() == ""
