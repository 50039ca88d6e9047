"""A project that kills its own processes at a planned call, and what must be true afterwards."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import psutil

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


def lay_out(project: Project) -> Project:
    """Give a project three segments; it obeys crash.json while it commits the second."""
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
