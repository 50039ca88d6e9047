"""The pattern itself, tried on a toy pipeline: what makes memory and restarts predictable.

The toy is a package in a temporary folder, with a copy of this project's runtime. So these tests
run no step or sink of yours, read none of your data and leave your checkpoints alone, and they need
no change when your pipeline changes. Test your own steps with small frames, as plain functions.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MB = 1_000_000

MEMORY_BUDGET = """
[cluster]
ram = "100 GB"
quota = "10 %"
"""

WIRING = """
[params]
rows = 10_000
"""

# Each segment prints which process runs it, and the memory that this holds in the first step.
FIRST = """
import os

import pandas as pd
import psutil

from .checkpointing import step

NEVER_FREED = []


@step
def numbers(rows: int) -> pd.DataFrame:
    print("first", os.getpid(), psutil.Process().memory_full_info().uss)
    NEVER_FREED.append(b"x" * 300_000_000)
    return pd.DataFrame({"group": [n % 7 for n in range(rows)], "number": range(rows)})


@step
def totals(numbers: pd.DataFrame) -> pd.DataFrame:
    return numbers.groupby("group", as_index=False).sum()
"""

SECOND = """
import os
import signal

import pandas as pd
import psutil

from .checkpointing import step


@step
def shares(totals: pd.DataFrame) -> pd.DataFrame:
    print("second", os.getpid(), psutil.Process().memory_full_info().uss)
    if "TOY_KILL" in os.environ:
        os.kill(int(os.environ["TOY_KILL"]), signal.SIGKILL)
        signal.pause()  # this process ends with the run
    return totals.assign(share=totals["number"] / totals["number"].sum())
"""

GREEDY = """
from .checkpointing import step


@step
def modest() -> list[int]:
    return [1, 2, 3]


@step
def greedy(modest: list[int]) -> int:
    return len(b"x" * 5_000_000_000) + len(modest)
"""

PIPELINE = """
from . import first, greedy, second
from .checkpointing import Pipeline, Segment

PIPELINE = Pipeline(first, second)
UNCUT = Pipeline(Segment("all", [first.numbers, first.totals, second.shares]), name="uncut")
GREEDY = Pipeline(greedy, name="greedy")
"""

RUN = """
import json
import os
import sys

from toy import pipeline
from toy.checkpointing.base.errors import CheckpointingError

name, budget, is_killed = sys.argv[1:]
if is_killed:
    os.environ["TOY_KILL"] = str(os.getpid())
try:
    record = getattr(pipeline, name).run(budget=budget or None)
except CheckpointingError as error:
    record = error.record
print(json.dumps(record.as_json()))
"""


class Toy:
    """A small project of its own, with a copy of the runtime."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        self.folder = folder
        self.package = folder / "src" / "toy"
        shutil.copytree(runtime, self.package / "checkpointing")
        sources = {"__init__": "", "first": FIRST, "second": SECOND, "greedy": GREEDY}
        for name, source in (sources | {"pipeline": PIPELINE}).items():
            self.write(f"src/toy/{name}.py", source)
        self.write("memory_budget.toml", MEMORY_BUDGET)
        self.write("pipeline.toml", WIRING)

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text, encoding="utf-8")

    def start(
        self, pipeline: str = "PIPELINE", budget: str = "", killed: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a pipeline of the toy to its end, or until its second segment kills the run."""
        unset = {"MEMORY_BUDGET", "PYTHONDONTWRITEBYTECODE"}  # the copy's bytecode makes it quick
        environment = {k: v for k, v in os.environ.items() if k not in unset}
        return subprocess.run(
            [sys.executable, "-c", RUN, pipeline, budget, "yes" if killed else ""],
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(self.folder / "src")},
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, pipeline: str = "PIPELINE", budget: str = "") -> dict[str, Any]:
        """The record of a run: what the command `run --json` prints."""
        done = self.start(pipeline, budget)
        assert done.returncode == 0, done.stderr
        record: dict[str, Any] = json.loads(done.stdout)
        return record

    def manifests(self) -> dict[str, dict[str, Any]]:
        """The manifest of the checkpoint of each segment."""
        paths = (self.folder / "checkpoints").glob("*/*/*/manifest.json")
        made = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        return {manifest["segment"]: manifest for manifest in made}

    def log(self) -> list[str]:
        """What the segments printed in the first run, line by line."""
        log = min((self.folder / "runs").glob("*/run.log"))
        return log.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="session")
def runtime(pytestconfig: pytest.Config) -> Path:
    """The folder of the project's runtime."""
    [folder] = pytestconfig.rootpath.glob("src/*/checkpointing")
    return folder


@pytest.fixture
def toy(runtime: Path, tmp_path: Path) -> Toy:
    """A toy that no run has touched."""
    return Toy(tmp_path, runtime)


@pytest.fixture(scope="module")
def finished(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Toy, dict[str, Any]]:
    """A toy that has run once, which tests only look at, and the record of that run."""
    toy = Toy(tmp_path_factory.mktemp("finished"), runtime)
    return toy, toy.run()


def statuses(record: dict[str, Any]) -> dict[str, str]:
    """What became of each segment: ran, reused or failed."""
    return {segment["name"]: segment["status"] for segment in record["segments"]}


def test_a_second_run_reuses_what_is_unchanged(toy: Toy) -> None:
    assert statuses(toy.run()) == {"first": "ran", "second": "ran"}
    assert statuses(toy.run()) == {"first": "reused", "second": "reused"}

    toy.write("src/toy/second.py", SECOND.replace("/ totals", "* 100 / totals"))
    assert statuses(toy.run()) == {"first": "reused", "second": "ran"}


def test_each_segment_has_a_process_of_its_own_and_starts_from_empty_ram(
    finished: tuple[Toy, dict[str, Any]],
) -> None:
    toy, record = finished
    reports = [line.split() for line in toy.log()]
    held = {segment: int(count) for segment, _, count in reports}

    assert len({process for _, process, _ in reports}) == len(reports) == 2
    assert record["segments"][0]["peak_bytes"] > held["first"] + 300 * MB
    assert abs(held["second"] - held["first"]) < 50 * MB


def test_only_values_that_a_later_segment_needs_are_written(
    finished: tuple[Toy, dict[str, Any]],
) -> None:
    toy, _ = finished
    made = toy.manifests()

    assert set(made["first"]["values"]) == {"totals"}
    assert set(made["second"]["outputs"]) == {"shares"}


def test_the_results_do_not_depend_on_where_the_pipeline_is_cut(
    finished: tuple[Toy, dict[str, Any]],
) -> None:
    toy, cut = finished
    uncut = toy.run("UNCUT")

    assert [len(record["segments"]) for record in (cut, uncut)] == [2, 1]
    files = [toy.folder / record["outputs"]["shares"] for record in (cut, uncut)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_after_a_kill_the_next_run_goes_on_where_the_last_one_was(toy: Toy) -> None:
    assert toy.start(killed=True).returncode == -signal.SIGKILL

    assert statuses(toy.run()) == {"first": "reused", "second": "ran"}


def test_a_step_that_holds_more_than_the_budget_is_stopped(toy: Toy) -> None:
    error = toy.run("GREEDY", budget="500MB")["error"]

    assert (error["kind"], error["step"]) == ("budget_exceeded", "greedy")
    assert "the budget is 500 MB" in error["message"]
    assert "Largest live values: modest" in error["message"]
