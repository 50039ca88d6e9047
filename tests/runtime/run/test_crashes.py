"""SIGKILL to the worker, its parent or all of them: nothing finished is lost, nothing is left.

Here at a handful of calls and moments; a soak kills at every call and hundreds of times
(`tests/soak/test_kills.py`).
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.names import new_number, temporary_name, value_name

from ..conftest import Project, until
from .crashes import (
    calls,
    check_recovery,
    check_resume,
    crash,
    forget,
    lay_out,
    plan,
    published,
)


@pytest.fixture
def crashing(project: Project) -> Project:
    return lay_out(project)


def handful(names: list[str]) -> list[int]:
    """The first fsync, the rename that makes the checkpoint exist, and what follows it."""
    last_rename = len(names) - names[::-1].index("replace")
    return sorted({names.index("fsync") + 1, last_rename, last_rename + 1})


def test_a_worker_killed_in_any_phase_of_a_commit_is_replaced_and_nothing_is_lost(
    crashing: Project,
) -> None:
    phases = calls(crashing, "worker", [])
    expected = published(crashing)
    assert {"write", "fsync", "replace"} <= set(phases)
    with crashing.session() as run:
        for point in handful(phases):
            forget(crashing, "s02", "s03")
            plan(crashing, process="worker", point=point, victim="self")
            check_recovery(crashing, run(), expected)
            check_resume(crashing, run, expected)


@pytest.mark.exhaustive
def test_a_parent_killed_in_a_phase_of_a_commit_loses_nothing(crashing: Project) -> None:
    phases = calls(crashing, "worker", [])
    expected = published(crashing)
    with crashing.session() as run:
        for point in handful(phases):
            forget(crashing, "s02", "s03")
            plan(crashing, process="worker", point=point, victim="parent")
            crash(crashing)
            check_resume(crashing, run, expected)


@pytest.mark.slow
def test_a_parent_killed_while_it_publishes_or_records_loses_nothing(
    crashing: Project,
) -> None:
    phases = calls(crashing, "parent", [])
    expected = published(crashing)
    with crashing.session() as run:
        for point in handful(phases):
            forget(crashing, "s03")
            plan(crashing, process="parent", point=point, victim="self")
            crash(crashing)
            check_resume(crashing, run, expected)


@pytest.mark.parametrize(
    "work",
    [
        pytest.param("while True: pass", id="in Python"),
        pytest.param("sum(range(10**12))", id="in native code that never yields"),
    ],
)
def test_a_worker_whose_parent_died_ends_without_a_checkpoint_or_temporary_file(
    project: Project, tmp_path: Path, work: str
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
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
    process = project.start("run", TMPDIR=str(temporary))
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    until(lambda: not project.processes(), "the end of the worker")
    assert project.manifests() == {}
    until(lambda: not list(temporary.iterdir()), "no socket of the fork server")


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
