"""The pattern itself: what makes memory and restarts predictable, seen on a small pipeline.

The small pipeline lives in a temporary folder and uses this project's own runtime, in real
processes. Your steps are not run here: no sink of yours writes anywhere, and no data is copied.
Your own steps have tests of their own, which call them with small frames.
"""

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

MB = 1_000_000

# Each segment prints which process runs it, and the memory that it holds before its first step.
FIRST = '''
import os

import psutil

from ..checkpointing import step

print("first", os.getpid(), psutil.Process().memory_full_info().uss)
_LEAK = b"x" * 300_000_000  # memory that nothing ever frees


@step
def numbers() -> list[int]:
    """A value that only this segment needs."""
    return list(range(1000))


@step
def total(numbers: list[int]) -> int:
    """A value that the next segment needs."""
    return sum(numbers)
'''

SECOND = '''
import os
import time
from pathlib import Path

import psutil

from ..checkpointing import step

print("second", os.getpid(), psutil.Process().memory_full_info().uss)


@step
def doubled(total: int) -> int:
    """A value that nothing reads: an output."""
    while Path("wait").exists():
        time.sleep(0.01)
    return 2 * total
'''

GREEDY = '''
from ..checkpointing import step


@step
def modest() -> list[int]:
    """A small value, live while the next step runs."""
    return [1, 2, 3]


@step
def greedy(modest: list[int]) -> int:
    """Ten times the budget, all at once."""
    return len(b"x" * 5_000_000_000) + len(modest)
'''

BUDGET = """
[cluster]
ram = "100 GB"
quota = "50 %"
"""


class Small:
    """A small project, which a test may run and change."""

    def __init__(self, folder: Path, runtime: Path, **segments: str) -> None:
        self.folder = folder
        package = folder / "src" / "small"
        (package / "segments").mkdir(parents=True)
        shutil.copytree(
            runtime, package / "checkpointing", ignore=shutil.ignore_patterns("__pycache__")
        )
        for name in ("cli.py", "__main__.py"):
            shutil.copy(runtime.parent / name, package)
        for name, source in segments.items():
            (package / "segments" / f"{name}.py").write_text(source, encoding="utf-8")
        names = ", ".join(segments)
        pipeline = (
            f"from .checkpointing import Pipeline\nfrom .segments import {names}\n\n"
            f"PIPELINE = Pipeline({names})\n"
        )
        (package / "pipeline.py").write_text(pipeline, encoding="utf-8")
        (folder / "pipeline.toml").touch()
        (folder / "memory_budget.toml").write_text(BUDGET, encoding="utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `run`."""
        environment = {k: v for k, v in os.environ.items() if k != "MEMORY_BUDGET"}
        return subprocess.Popen(
            [sys.executable, "-m", "small", "run", *arguments],
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(self.folder / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> dict[str, Any]:
        """What `run --json` prints."""
        out, err = self.start("--json", *arguments).communicate()
        assert out, err
        record: dict[str, Any] = json.loads(out)
        return record

    def written(self) -> dict[str, set[str]]:
        """The values that each segment's checkpoint keeps for later segments."""
        manifests = (self.folder / "checkpoints").glob("*/*/*/manifest.json")
        read = [json.loads(path.read_text(encoding="utf-8")) for path in manifests]
        return {manifest["segment"]: set(manifest["values"]) for manifest in read}

    def log(self) -> list[str]:
        """What the steps of the only run printed, line by line."""
        [log] = (self.folder / "runs").glob("*/run.log")
        return log.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def runtime(pytestconfig: pytest.Config, package: str) -> Path:
    """This project's own runtime."""
    return pytestconfig.rootpath / "src" / package / "checkpointing"


@pytest.fixture
def small(tmp_path: Path, runtime: Path) -> Small:
    return Small(tmp_path / "small", runtime, first=FIRST, second=SECOND)


def statuses(record: dict[str, Any]) -> dict[str, str]:
    """What became of each segment: ran, reused or failed."""
    return {segment["name"]: segment["status"] for segment in record["segments"]}


def test_your_pipeline_can_be_built(package: str) -> None:
    assert import_module(f"{package}.pipeline").PIPELINE.segments


def test_a_second_run_reuses_every_segment(small: Small) -> None:
    assert statuses(small.run()) == {"first": "ran", "second": "ran"}
    assert statuses(small.run()) == {"first": "reused", "second": "reused"}


def test_each_segment_has_a_process_of_its_own_and_starts_from_empty_ram(small: Small) -> None:
    record = small.run()
    reports = {line.split()[0]: line.split()[1:] for line in small.log()}
    (process, held), (other, held_by_other) = reports["first"], reports["second"]

    assert process != other
    assert record["segments"][0]["peak_bytes"] > int(held) + 300 * MB
    assert abs(int(held) - int(held_by_other)) < 50 * MB


def test_only_values_that_a_later_segment_needs_are_written(small: Small) -> None:
    small.run()
    assert small.written() == {"first": {"total"}, "second": set()}


def test_after_a_kill_the_next_run_resumes_where_the_last_one_was(small: Small) -> None:
    (small.folder / "wait").touch()
    run = small.start()
    assert run.stderr is not None
    next(line for line in run.stderr if line.startswith("second: step"))
    run.kill()
    run.communicate()

    (small.folder / "wait").unlink()
    assert statuses(small.run()) == {"first": "reused", "second": "ran"}


def test_a_step_that_holds_more_than_the_budget_is_stopped(tmp_path: Path, runtime: Path) -> None:
    run = Small(tmp_path / "small", runtime, greedy=GREEDY).start("--budget", "500MB")
    _, message = run.communicate()

    assert run.returncode == 3
    assert "segment `greedy`, step `greedy`" in message
    assert "the budget is 500 MB" in message
    assert "Largest live values: modest" in message
