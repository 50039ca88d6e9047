"""Spark on a standalone cluster of this machine: its budget, its refusals, all kinds of kills."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from flight_delays.checkpointing.memory import meter

from ...marks import in_exhaustive
from ...spark_cluster import WORKER_BYTES, Cluster, spark_cluster, wait_for
from ..conftest import Project
from .held_spark import (
    EXPECTED,
    driver_of,
    ended,
    hold,
    lay_out,
    log_of,
    release,
    temporaries,
    until_held,
    worker_of,
)

pytestmark = pytest.mark.slow  # test_spark.py has a part in Spark for the default run

BUDGET = 5 * 10**9  # two executors of 1.7 GB each, in workers of 2.1 GB
ONE = "3200MB"  # one of 1.7 GB


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with spark_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def spark(project: Project, cluster: Cluster) -> Project:
    """A project whose segment in Spark runs on the cluster."""
    lay_out(project, f'{cluster.setting}cores = 1\nwait = "10 min"\n')
    return project


def begun(project: Project, cluster: Cluster, **environment: str) -> Any:
    """A run that goes on."""
    variables = {"MEMORY_BUDGET": str(BUDGET)} | cluster.variables | environment
    return project.start("run", "--json", **variables)


def require_idle(project: Project, cluster: Cluster) -> None:
    """No application is left at the master, no executor, and no process of the project."""
    wait_for(lambda: not cluster.applications(), "no application is active")
    wait_for(lambda: not cluster.executors(), "no executor runs")
    wait_for(lambda: not project.processes(), "no process of the project runs")


def test_a_part_runs_on_a_cluster_within_its_budget_and_leaves_no_application(
    spark: Project, cluster: Cluster
) -> None:
    before = {each["id"] for each in cluster.state()["completedapps"]}

    record = ended(begun(spark, cluster))

    assert record["exit_code"] == 0, (record.get("error"), log_of(spark))
    assert spark.load("sums") == EXPECTED
    [application] = record["segments"][1]["applications"]
    assert application["name"] == "demo/s02 part 1"
    driver, *executors = application["executors"]
    assert [each["name"] for each in (driver, *executors)] == ["driver", "0", "1"]
    allowed = application["executor_bytes"]
    assert application["driver_bytes"] + 2 * allowed <= BUDGET
    for each in executors:
        assert each["heap_bytes"] + each["off_heap_bytes"] <= allowed
        assert each["tree_bytes"] <= allowed
    [submitted] = [a for a in cluster.state()["completedapps"] if a["id"] not in before]
    assert submitted["name"] == "demo/s02 part 1"
    assert submitted["memoryperexecutor"] << 20 < allowed
    require_idle(spark, cluster)
    assert spark.strays() == []


def test_executors_larger_than_any_worker_are_refused_before_anything_runs(
    spark: Project, cluster: Cluster
) -> None:
    submitted = cluster.state()["completedapps"]

    record = ended(begun(spark, cluster, MEMORY_BUDGET="12GB"))

    assert (record["exit_code"], record["error"]["kind"]) == (2, "configuration")
    # What a part gets beside what is held: some MB more or less.
    assert re.search(r"2 executors would each take 5\.1\d GB", record["error"]["message"])
    assert "has 2.15 GB and 2 cores" in record["error"]["message"]
    assert spark.executed() == []
    assert cluster.state()["completedapps"] == submitted
    require_idle(spark, cluster)


def _executor(project: Project, cluster: Cluster) -> None:
    os.kill(cluster.executors()[0].pid, signal.SIGKILL)


def _cluster_worker(project: Project, cluster: Cluster) -> None:
    busy = [w for w in cluster.workers if any(w.pid == e.ppid() for e in cluster.executors())]
    os.kill(busy[0].pid, signal.SIGKILL)
    busy[0].wait()
    cluster.workers.remove(busy[0])
    cluster.add_worker(1)


def _worker(project: Project, cluster: Cluster) -> None:
    worker_of(project).kill()


def _all(project: Project, cluster: Cluster) -> None:
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)


VICTIMS = {
    "an executor": _executor,
    "a worker of the cluster": _cluster_worker,
    "its own process": _worker,
}


@pytest.mark.parametrize("victim", in_exhaustive(*VICTIMS))
def test_a_run_goes_on_without(victim: str, spark: Project, cluster: Cluster) -> None:
    before = temporaries()
    hold(spark)
    process = begun(spark, cluster)
    until_held(spark, process)

    VICTIMS[victim](spark, cluster)
    release(spark)

    record = ended(process)
    assert record["exit_code"] == 0, (record.get("error"), log_of(spark))
    assert spark.load("sums") == EXPECTED
    again = ["squares"] if victim == "its own process" else []  # with less at once
    assert spark.executed() == ["numbers", "squares", *again, "by_digit"]
    require_idle(spark, cluster)
    assert spark.strays() == []
    assert temporaries() - before == set()


@pytest.mark.exhaustive
def test_the_next_run_makes_the_same_after_the_end_of_the_driver(
    spark: Project, cluster: Cluster
) -> None:
    hold(spark)
    process = begun(spark, cluster)
    until_held(spark, process)

    driver_of(spark).kill()

    record = ended(process)
    assert record["exit_code"] == 3, record.get("error")
    assert "killed from outside" in record["error"]["message"]
    resumes(spark, cluster)


@pytest.mark.parametrize("victim", in_exhaustive("the command", "all of them"))
def test_the_next_run_makes_the_same_after_a_kill_of(
    victim: str, spark: Project, cluster: Cluster
) -> None:
    hold(spark)
    process = begun(spark, cluster)
    until_held(spark, process)

    if victim == "the command":
        process.kill()
    else:
        _all(spark, cluster)
    process.communicate()

    resumes(spark, cluster)


@pytest.mark.exhaustive
def test_an_interrupted_run_leaves_no_application(spark: Project, cluster: Cluster) -> None:
    hold(spark)
    process = begun(spark, cluster)
    until_held(spark, process)

    os.killpg(process.pid, signal.SIGINT)

    assert ended(process)["exit_code"] == 130
    resumes(spark, cluster)


def resumes(project: Project, cluster: Cluster) -> None:
    """Nothing of a run that ended in its query is left, and the next one makes its values."""
    require_idle(project, cluster)
    release(project)
    assert project.executed() == ["numbers", "squares"]

    record = ended(begun(project, cluster))

    assert record["exit_code"] == 0, (record.get("error"), log_of(project))
    assert project.load("sums") == EXPECTED
    assert project.executed() == ["squares", "by_digit"]
    require_idle(project, cluster)
    assert project.strays() == []


@pytest.mark.exhaustive
def test_a_cluster_that_loses_its_workers_and_its_master_ends_the_run_after_the_wait(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with spark_cluster(tmp_path_factory.mktemp("lost"), (2,)) as lost:
        lay_out(project, f'{lost.setting}cores = 1\nexecutors = 1\nwait = "90 s"\n')
        hold(project)
        process = begun(project, lost, MEMORY_BUDGET=ONE)
        until_held(project, process)
        for each in (lost.master, *lost.workers):
            meter.kill_tree(each.pid)
            each.wait()

        record = ended(process)

    assert record["exit_code"] == 2, record.get("error")
    assert "all executors of Spark are lost" in record["error"]["message"]
    wait_for(lambda: not project.processes(), "no process of the project runs")


@pytest.mark.exhaustive
def test_a_cluster_without_workers_is_waited_for_no_longer_than_it_says(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with spark_cluster(tmp_path_factory.mktemp("empty"), ()) as empty:
        lay_out(project, f'{empty.setting}wait = "20 s"\n')

        record = ended(begun(project, empty))

        assert record["exit_code"] == 2, record.get("error")
        assert "within 20.0 s" in record["error"]["message"]
        assert "has no worker that is alive" in record["error"]["message"]
        require_idle(project, empty)


@pytest.mark.exhaustive
def test_a_folder_that_executors_do_not_share_is_refused_before_any_step_in_spark(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    with spark_cluster(folder, (2,), hidden=project.folder) as elsewhere:
        lay_out(project, f"{elsewhere.setting}cores = 1\nexecutors = 1\n")

        record = ended(begun(project, elsewhere, MEMORY_BUDGET=ONE))

        assert record["exit_code"] == 2, record.get("error")
        assert "do not share the folder of the checkpoint" in record["error"]["message"]
        assert project.executed() == ["numbers"]
        require_idle(project, elsewhere)


@pytest.mark.exhaustive
def test_an_executor_without_memory_is_told_in_terms_of_the_budget(
    spark: Project, cluster: Cluster
) -> None:
    source = spark.folder / "src" / "demo" / "segments" / "s02.py"
    greedy = 'numbers.selectExpr("number", "repeat(cast(number as string), 700000000) AS text")'
    text = source.read_text()
    source.write_text(text.replace('numbers.repartition(2, "number")', greedy))

    record = ended(begun(spark, cluster))

    assert (record["exit_code"], record["error"]["kind"]) == (3, "budget_exceeded")
    assert re.search(r"each executor has 1\.\d+ GB: a heap of", record["error"]["message"])
    require_idle(spark, cluster)


def test_workers_have_what_the_tests_say(cluster: Cluster) -> None:
    assert {each["memory"] << 20 for each in cluster.alive()} == {WORKER_BYTES}
