"""Kills at random moments, and at every call with which a commit touches a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from ..runtime.conftest import Project
from ..runtime.run import crashes
from ..runtime.run.crashes import calls, check_recovery, check_resume, forget, plan, published
from ..runtime.run.two_pipelines import kill_at_random, two_pipelines
from .conftest import SHARDS, Rounds

CALLS = "kills at a call that touches a file"


@pytest.fixture
def crashing(toy: Project) -> Project:
    return crashes.lay_out(toy)


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("victim", ["worker", "parent", "tree"])
def test_a_kill_at_any_moment_loses_nothing(
    crashing: Project, rounds: Rounds, victim: str, shard: int
) -> None:
    crashing.run()
    expected = published(crashing)
    with crashing.session() as run:
        for chance in rounds.of("kills at a random moment", short=4, long=100):
            forget(crashing, "s01", "s02", "s03")
            crashes.kill_at_a_random_moment(crashing, victim, chance)
            crashes.settle(crashing)
            check_resume(crashing, run, expected)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_of_a_run_killed_beside_another_no_entry_counts(
    toy: Project, rounds: Rounds, shard: int
) -> None:
    two_pipelines(toy)
    for chance in rounds.of("kills of one of two runs", short=4, long=200):
        kill_at_random(toy, chance)


def test_a_worker_killed_at_any_call_of_a_commit_is_replaced(
    crashing: Project, rounds: Rounds
) -> None:
    points, expected = points_of(crashing, "worker")
    with crashing.session() as run:
        for point in rounds.each(CALLS, points, short=4):
            forget(crashing, "s02", "s03")
            plan(crashing, process="worker", point=point, victim="self")
            check_recovery(crashing, run(), expected)
            check_resume(crashing, run, expected)


def test_a_worker_killed_while_it_replaces_a_checkpoint_is_replaced_too(
    crashing: Project, rounds: Rounds
) -> None:
    crashing.run()
    points, expected = points_of(crashing, "worker", "--rerun-from", "s02")
    with crashing.session() as run:
        for point in rounds.each(CALLS, points, short=4):
            plan(crashing, process="worker", point=point, victim="self")
            check_recovery(crashing, run(rerun_from="s02"), expected)
            check_resume(crashing, run, expected)


@pytest.mark.parametrize("victim", ["parent", "tree"])
def test_a_parent_killed_at_any_call_of_a_commit_loses_nothing(
    crashing: Project, rounds: Rounds, victim: str
) -> None:
    points, expected = points_of(crashing, "worker")
    with crashing.session() as run:
        for _ in crashed(crashing, rounds, points, ("s02", "s03"), "worker", victim):
            check_resume(crashing, run, expected)


def test_a_parent_killed_while_it_publishes_or_records_loses_nothing(
    crashing: Project, rounds: Rounds
) -> None:
    points, expected = points_of(crashing, "parent")
    with crashing.session() as run:
        for _ in crashed(crashing, rounds, points, ("s03",), "parent", "self"):
            check_resume(crashing, run, expected)


def test_a_parent_killed_during_the_very_first_run_leaves_nothing_in_its_way(
    crashing: Project, rounds: Rounds
) -> None:
    points, expected = points_of(crashing, "parent")
    for point in rounds.each(CALLS, points, short=4):
        for folder in ("checkpoints", "runs", "data"):
            shutil.rmtree(crashing.folder / folder)
        plan(crashing, process="parent", point=point, victim="self")
        crashes.crash(crashing)
        check_resume(crashing, crashing.run, expected)


def points_of(
    project: Project, process: str, *arguments: str
) -> tuple[list[int], dict[str, bytes]]:
    """The numbers of the calls that touch files in a process of a run, and what it publishes."""
    names = calls(project, process, list(arguments))
    return list(range(1, len(names) + 1)), published(project)


def crashed(
    project: Project,
    rounds: Rounds,
    points: list[int],
    forgotten: tuple[str, ...],
    process: str,
    victim: str,
) -> Iterator[None]:
    """A run that was killed at each point, one after the other."""
    for point in rounds.each(CALLS, points, short=4):
        forget(project, *forgotten)
        plan(project, process=process, point=point, victim=victim)
        crashes.crash(project)
        yield
