"""The pattern itself, seen on this project: what makes its memory and its restarts predictable.

Each test runs the whole pipeline, in real processes, in a copy of the project: your checkpoints are
left alone. The tests name no segment and no step, so they go on holding when you change them.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

MB = 1_000_000

# Appended to a segment: which process runs it, and the memory it holds before its first step.
REPORT = """
import os
import psutil

print(__name__, os.getpid(), psutil.Process().memory_full_info().uss)
"""

# Appended to the first segment: memory that nothing ever frees.
LEAK = """
_LEAK = b"x" * 300_000_000
"""

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

ONLY_GREEDY = """
from .checkpointing import Pipeline
from .segments import greedy

PIPELINE = Pipeline(greedy)
"""


class Copy:
    """A copy of this project that a test may run and change."""

    def __init__(self, original: Path, folder: Path, package: str) -> None:
        self.folder = folder
        self.package = folder / "src" / package
        junk = shutil.ignore_patterns("__pycache__", "out")
        for name in ("src", "data", "pipeline.toml", "memory_budget.toml"):
            if (original / name).is_dir():
                shutil.copytree(original / name, folder / name, ignore=junk)
            else:
                shutil.copy(original / name, folder / name)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `run`."""
        environment = {k: v for k, v in os.environ.items() if k != "MEMORY_BUDGET"}
        return subprocess.Popen(
            [sys.executable, "-m", self.package.name, "run", *arguments],
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(self.package.parent)},
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

    def checkpoints(self) -> Iterator[dict[str, Any]]:
        """The manifest of every checkpoint."""
        for path in (self.folder / "checkpoints").glob("*/*/*/manifest.json"):
            yield json.loads(path.read_text(encoding="utf-8"))

    def log(self) -> list[str]:
        """What the steps of the only run printed, line by line."""
        [log] = (self.folder / "runs").glob("*/run.log")
        return log.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def project(pytestconfig: pytest.Config, tmp_path: Path, package: str) -> Copy:
    return Copy(pytestconfig.rootpath, tmp_path, package)


@pytest.fixture
def segments(package: str) -> dict[str, Any]:
    """The segments of the pipeline by name, in their order."""
    pipeline = import_module(f"{package}.pipeline").PIPELINE
    return {segment.name: segment for segment in pipeline.segments}


def statuses(record: dict[str, Any]) -> dict[str, str]:
    """What became of each segment: ran, reused or failed."""
    return {segment["name"]: segment["status"] for segment in record["segments"]}


def test_a_second_run_reuses_every_segment(project: Copy, segments: dict[str, Any]) -> None:
    assert statuses(project.run()) == dict.fromkeys(segments, "ran")
    assert statuses(project.run()) == dict.fromkeys(segments, "reused")


def test_each_segment_has_a_process_of_its_own_and_starts_from_empty_ram(
    project: Copy, segments: dict[str, Any]
) -> None:
    for number, name in enumerate(segments):
        with (project.package / "segments" / f"{name}.py").open("a", encoding="utf-8") as module:
            module.write(REPORT + (LEAK if number == 0 else ""))

    record = project.run()
    reports = [line.split() for line in project.log() if ".segments." in line]
    processes = {process for _, process, _ in reports}
    at_start = [int(held) for *_, held in reports]

    assert len(reports) == len(processes) == len(segments)
    assert record["segments"][0]["peak_bytes"] > at_start[0] + 300 * MB
    assert max(at_start) - min(at_start) < 50 * MB


def test_only_values_that_a_later_segment_needs_are_written(
    project: Copy, segments: dict[str, Any]
) -> None:
    project.run()
    written = {made["segment"]: set(made["values"]) for made in project.checkpoints()}

    needed: set[str] = set()
    for name, segment in reversed(segments.items()):
        assert written[name] == {step.name for step in segment.steps} & needed
        needed |= {parameter.name for step in segment.steps for parameter in step.parameters}


def test_after_a_kill_the_next_run_goes_on_where_the_last_one_was(
    project: Copy, segments: dict[str, Any]
) -> None:
    *before, last = segments
    run = project.start()
    assert run.stderr is not None
    next(line for line in run.stderr if line.startswith(f"{last}: step"))
    run.kill()
    run.communicate()

    assert statuses(project.run()) == dict.fromkeys(before, "reused") | {last: "ran"}


def test_a_step_that_holds_more_than_the_budget_is_stopped(project: Copy) -> None:
    (project.package / "segments" / "greedy.py").write_text(GREEDY, encoding="utf-8")
    (project.package / "pipeline.py").write_text(ONLY_GREEDY, encoding="utf-8")
    (project.folder / "pipeline.toml").write_text("", encoding="utf-8")

    run = project.start("--budget", "500MB")
    _, message = run.communicate()

    assert run.returncode == 3
    assert "segment `greedy`, step `greedy`" in message
    assert "the budget is 500 MB" in message
    assert "Largest live values: modest" in message
