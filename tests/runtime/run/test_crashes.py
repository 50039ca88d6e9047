"""SIGKILL to the worker, its parent or all of them: nothing finished is lost, nothing is left."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from flight_delays.checkpointing.base.names import new_number, temporary_name, value_name

from ..conftest import Project, until

# Part of the project under test: `arm` makes a process kill at its n-th call that touches a file.
CRASH = """
import json, multiprocessing, os, signal, time
from pathlib import Path

from .checkpointing.base.files import HashingFile


def arm(process: str) -> None:
    '''Do what crash.json plans, if it plans it for this process.'''
    plan = json.loads(Path("crash.json").read_text()) if Path("crash.json").exists() else {}
    if plan.get("process") != process:
        return
    calls = 0

    def counted(name, function):
        def call(*arguments, **options):
            nonlocal calls
            calls += 1
            with open("calls.txt", "a") as file:
                file.write(name + "\\n")
            if calls == plan["point"]:
                os.remove("crash.json")  # a worker that takes the place of this one goes on
                kill(plan["victim"])
            return function(*arguments, **options)

        return call

    for name in ("fsync", "replace", "link", "unlink", "mkdir"):
        setattr(os, name, counted(name, getattr(os, name)))
    HashingFile.write = counted("write", HashingFile.write)


def kill(victim: str) -> None:
    '''Kill, and stay where this process is until it is killed as well.'''
    if victim == "tree":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    parent = multiprocessing.parent_process()
    os.kill(parent.pid if victim == "parent" else os.getpid(), signal.SIGKILL)
    time.sleep(120)
    Path("outlived.txt").touch()
"""

SEGMENTS = {
    "s01": """
    import time

    @step
    def base() -> pd.DataFrame:
        ran("s01")
        time.sleep(0.05)
        return pd.DataFrame({"x": range(100), "name": [f"name {n}" for n in range(100)]})

    @step
    def weights() -> np.ndarray:
        return np.arange(100.0)
    """,
    "s02": """
    import time
    from ..crash import arm

    @step
    def weighted(base: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
        ran("s02")
        time.sleep(0.05)
        return base.assign(x=base["x"] * weights)

    @step
    def page(weighted: pd.DataFrame, workdir: Path) -> Path:
        target = workdir / "page.txt"
        target.write_text(weighted.to_string())
        return target

    @step
    def facts(weighted: pd.DataFrame) -> dict[str, float]:
        arm("worker")
        return {"sum": float(weighted["x"].sum())}
    """,
    "s03": """
    import time

    @step
    def table(weighted: pd.DataFrame, facts: dict[str, float], page: Path) -> pd.DataFrame:
        ran("s03")
        time.sleep(0.05)
        return weighted.assign(share=weighted["x"] / facts["sum"], pages=len(page.read_text()))
    """,
}

WIRING = """
[outputs]
table = "data/table.parquet"
facts = "data/facts.json"
page = "data/page.txt"
"""

MAIN = """
from .crash import arm

arm("parent")

from .checkpointing.cli import application

application("demo")()
"""

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def crashing(project: Project) -> Project:
    """A project of three segments that obeys crash.json while it commits the second."""
    project.write("src/demo/crash.py", CRASH)
    project.segments(**SEGMENTS)
    project.write("pipeline.toml", WIRING)
    project.write("src/demo/__main__.py", MAIN)
    return project


def plan(project: Project, **crash: object) -> None:
    """Write crash.json."""
    (project.folder / "crash.json").write_text(json.dumps(crash))


def calls(project: Project, process: str, arguments: list[str]) -> list[str]:
    """The calls that touch files in one process of a run, in order; the run is left done."""
    plan(project, process=process, point=-1)
    project.run(*arguments)
    noted = project.folder / "calls.txt"
    names = noted.read_text().split()
    noted.unlink()
    (project.folder / "crash.json").unlink()
    return names


def published(project: Project) -> dict[str, bytes]:
    """The bytes of all published outputs, and of what tells that they are."""
    return {p.name: p.read_bytes() for p in sorted((project.folder / "data").iterdir())}


def forget(project: Project, *segments: str) -> None:
    """Remove the checkpoints of some segments, and what was published."""
    for segment in segments:
        shutil.rmtree(project.checkpoints() / segment, ignore_errors=True)
    shutil.rmtree(project.folder / "data", ignore_errors=True)


def crash(project: Project, *arguments: str) -> None:
    """Run until something is killed, and wait until no process is left."""
    process = project.start("run", *arguments)
    process.communicate(timeout=120)
    settle(project)


def settle(project: Project) -> None:
    """Wait until no process is left, and tidy the plan of the crash away."""
    until(lambda: not project.processes(), "the end of all processes")
    assert not (project.folder / "outlived.txt").exists()
    for name in ("crash.json", "calls.txt"):
        (project.folder / name).unlink(missing_ok=True)


def check_recovery(project: Project, record: dict[str, Any], expected: dict[str, bytes]) -> None:
    """The run in which a worker was killed went on, with a cut before the step it was in."""
    settle(project)
    assert "error" not in record, record["error"]
    [cut] = record["segments"][1]["cuts"]
    assert cut == {"before": "facts", "why": "killed"}
    assert published(project) == expected
    assert project.strays() == []


def check_resume(project: Project, run: Run, expected: dict[str, bytes]) -> None:
    """Run again: the same outputs, no finished segment executed, nothing left behind."""
    finished = set(project.manifests())
    project.executed()
    record = run()
    assert "error" not in record, record["error"]
    assert project.executed() == [name for name in SEGMENTS if name not in finished]
    assert published(project) == expected
    assert project.strays() == []


def handful(names: list[str]) -> list[int]:
    """The first write and fsync, the rename that makes the checkpoint exist, and what follows."""
    last_rename = len(names) - names[::-1].index("replace")
    firsts = {names.index(name) + 1 for name in ("write", "fsync") if name in names}
    return sorted(firsts | {last_rename, last_rename + 1, len(names)})


def each_kind(names: list[str]) -> list[int]:
    """The first and the last of every row of equal calls, as the writes of one file are."""
    ends = [n for n, (one, other) in enumerate(pairwise(names), start=1) if one != other]
    return sorted({1, *ends, *(end + 1 for end in ends), len(names)})


def every(names: list[str]) -> list[int]:
    """All points."""
    return list(range(1, len(names) + 1))


Choice = Callable[[list[str]], list[int]]
SOME, ALL = (
    pytest.param(each_kind, marks=pytest.mark.slow),
    pytest.param(every, marks=pytest.mark.exhaustive),
)
in_phases = pytest.mark.parametrize("choose", [handful, SOME, ALL])


@in_phases
def test_a_worker_killed_in_any_phase_of_a_commit_is_replaced_and_nothing_is_lost(
    crashing: Project, choose: Choice
) -> None:
    phases = calls(crashing, "worker", [])
    expected = published(crashing)
    assert {"write", "fsync", "replace"} <= set(phases)
    with crashing.session() as run:
        for point in choose(phases):
            forget(crashing, "s02", "s03")
            plan(crashing, process="worker", point=point, victim="self")
            check_recovery(crashing, run(), expected)
            check_resume(crashing, run, expected)


@pytest.mark.parametrize("choose", [SOME, ALL])
def test_a_worker_killed_while_it_replaces_a_checkpoint_is_replaced_too(
    crashing: Project, choose: Choice
) -> None:
    crashing.run()
    expected = published(crashing)
    phases = calls(crashing, "worker", ["--rerun-from", "s02"])
    with crashing.session() as run:
        for point in choose(phases):
            plan(crashing, process="worker", point=point, victim="self")
            check_recovery(crashing, run(rerun_from="s02"), expected)
            check_resume(crashing, run, expected)


@pytest.mark.parametrize("victim", ["parent", pytest.param("tree", marks=pytest.mark.slow)])
@in_phases
def test_a_parent_killed_in_a_phase_of_a_commit_loses_nothing(
    crashing: Project, choose: Choice, victim: str
) -> None:
    phases = calls(crashing, "worker", [])
    expected = published(crashing)
    with crashing.session() as run:
        for point in choose(phases):
            forget(crashing, "s02", "s03")
            plan(crashing, process="worker", point=point, victim=victim)
            crash(crashing)
            check_resume(crashing, run, expected)


@pytest.mark.parametrize("choose", [handful, ALL])
def test_a_parent_killed_while_it_publishes_or_records_loses_nothing(
    crashing: Project, choose: Choice
) -> None:
    phases = calls(crashing, "parent", [])
    expected = published(crashing)
    with crashing.session() as run:
        for point in choose(phases):
            forget(crashing, "s03")
            plan(crashing, process="parent", point=point, victim="self")
            crash(crashing)
            check_resume(crashing, run, expected)


def claiming(names: list[str]) -> list[int]:
    """Around the two links that make a place ours."""
    links = [number for number, name in enumerate(names, start=1) if name == "link"]
    return sorted({number + by for number in links for by in (0, 1)})


@pytest.mark.parametrize("choose", [pytest.param(claiming, marks=pytest.mark.slow), ALL])
def test_a_parent_killed_in_a_phase_of_the_very_first_run_leaves_nothing_in_its_way(
    crashing: Project, choose: Choice
) -> None:
    phases = calls(crashing, "parent", [])
    expected = published(crashing)
    for point in choose(phases):
        for folder in ("checkpoints", "runs", "data"):
            shutil.rmtree(crashing.folder / folder)
        plan(crashing, process="parent", point=point, victim="self")
        crash(crashing)
        check_resume(crashing, crashing.run, expected)


@pytest.mark.parametrize(
    "work",
    [
        pytest.param("while True: pass", id="in Python"),
        pytest.param("sum(range(10**12))", id="in native code that never yields"),
    ],
)
def test_a_worker_whose_parent_died_ends_without_a_checkpoint(project: Project, work: str) -> None:
    project.segments(
        s01=f"""
        import multiprocessing, os, signal

        @step
        def orphaned() -> int:
            os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
            {work}
            return 1
        """
    )
    process = project.start("run")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    until(lambda: not project.processes(), "the end of the worker")
    assert project.manifests() == {}


@pytest.mark.parametrize("victim", ["worker", "parent", "tree"])
@pytest.mark.parametrize(
    "moments",
    [
        1,
        pytest.param(10, marks=pytest.mark.slow),
        pytest.param(34, marks=pytest.mark.exhaustive),
    ],
)
def test_a_kill_at_any_moment_loses_nothing(crashing: Project, victim: str, moments: int) -> None:
    crashing.run()
    expected = published(crashing)
    chance = random.Random(f"{victim} {moments}")
    with crashing.session() as run:
        for _ in range(moments):
            forget(crashing, "s01", "s02", "s03")
            kill_at_a_random_moment(crashing, victim, chance)
            settle(crashing)
            check_resume(crashing, run, expected)


def kill_at_a_random_moment(project: Project, victim: str, chance: random.Random) -> None:
    """Start a run and kill at a moment of it; four of five times after its first line."""
    process = project.start("run")
    assert process.stderr is not None
    if chance.random() < 0.8:
        process.stderr.readline()
    try:
        process.wait(chance.uniform(0.0, 0.8))
    except subprocess.TimeoutExpired:
        for pid in victims(process.pid, victim):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it was quicker
    process.communicate(timeout=120)


def victims(parent: int, victim: str) -> Iterator[int]:
    """The processes to kill: the parent, the workers, or all."""
    try:
        family = psutil.Process(parent).children(recursive=True)
    except psutil.Error:
        return
    if victim != "worker":
        yield parent
    for member in family:
        try:
            is_worker = member.ppid() != parent
        except psutil.Error:
            continue
        if victim == "tree" or (victim == "worker" and is_worker):
            yield member.pid


def test_folders_of_a_run_that_was_killed_do_no_harm(crashing: Project, tmp_path: Path) -> None:
    crashing.run()
    [folder] = (crashing.checkpoints() / "s02").iterdir()
    (folder / value_name(folder, "left", new_number(), ".arrow")).write_bytes(b"half")
    (folder / temporary_name("manifest.json")).write_bytes(b"half")
    other = folder.with_name("0123456789abcdef")
    (other / value_name(other, "page", new_number())).mkdir(parents=True)
    crashing.run()
    assert crashing.strays() == []
    assert [path.name for path in (crashing.checkpoints() / "s02").iterdir()] == [folder.name]
