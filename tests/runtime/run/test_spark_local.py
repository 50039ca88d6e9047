"""Spark embedded in a part: one JVM of its process tree, of which nothing is left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from flight_delays.checkpointing.base.units import size

from ...java import java_variables
from ...marks import in_exhaustive
from ...spark_cluster import wait_for
from ..conftest import Project
from .held_spark import (
    EXPECTED,
    driver_of,
    ended,
    here,
    hold,
    lay_out,
    log_of,
    release,
    temporaries,
    until_held,
    worker_of,
)

BUDGET = 2_500_000_000


@pytest.fixture
def spark(project: Project) -> Project:
    lay_out(project, '[spark]\nmaster = "local[2]"\nwait = "10 min"\n')
    return project


def begun(project: Project, **environment: str) -> Any:
    return project.start(
        "run", "--json", **{"MEMORY_BUDGET": str(BUDGET)} | java_variables() | environment
    )


@pytest.mark.slow
def test_a_part_has_one_jvm_that_listens_to_this_machine_alone_and_leaves_nothing(
    spark: Project,
) -> None:
    before, files = temporaries(), here(spark)
    hold(spark)
    process = begun(spark)
    until_held(spark, process)

    driver = driver_of(spark)
    command = driver.cmdline()
    sockets = [c for c in driver.net_connections() if c.status == psutil.CONN_LISTEN]
    addresses = {c.laddr.ip.removeprefix("::ffff:") for c in sockets}
    release(spark)
    record = ended(process)

    assert record["exit_code"] == 0, (record.get("error"), log_of(spark))
    assert spark.load("sums") == EXPECTED
    assert addresses == {"127.0.0.1"}
    [application] = record["segments"][1]["applications"]
    [heap] = [int(w.removeprefix("-Xmx")[:-1]) << 20 for w in command if w.startswith("-Xmx")]
    assert heap <= application["driver_bytes"] < heap + (1 << 20)
    assert application["executors"][0]["heap_bytes"] <= heap
    assert record["segments"][1]["peak_bytes"] <= BUDGET
    assert spark.processes() == []
    assert spark.strays() == []
    assert temporaries() <= before
    assert here(spark) - files == {"runs", "checkpoints", "executed.txt", "reached"}


def _stopped(project: Project, process: Any) -> None:
    driver_of(project).suspend()
    process.kill()


VICTIMS: dict[str, Callable[[Project, Any], Any]] = {
    "the JVM": lambda project, process: driver_of(project).kill(),
    "the process of the part": lambda project, process: worker_of(project).kill(),
    "the command": lambda project, process: process.kill(),
    "a stopped JVM and the command": _stopped,
    "all of them, by Ctrl-C": lambda project, process: os.killpg(process.pid, signal.SIGINT),
}


@pytest.mark.parametrize("victim", in_exhaustive(*VICTIMS))
def test_no_jvm_is_left_and_the_next_run_makes_the_same_after_a_kill_of(
    victim: str, spark: Project
) -> None:
    hold(spark)
    process = begun(spark)
    until_held(spark, process)
    driver = driver_of(spark)

    VICTIMS[victim](spark, process)
    if victim == "the process of the part":
        release(spark)  # it is made again by the same run, with less at once
    process.communicate()

    wait_for(lambda: not driver.is_running(), "the JVM has ended")
    wait_for(lambda: not spark.processes(), "no process of the project runs")
    if victim != "the process of the part":
        release(spark)
    record = ended(begun(spark))
    assert record["exit_code"] == 0, (record.get("error"), log_of(spark))
    assert spark.load("sums") == EXPECTED
    assert spark.executed() == ["numbers", "squares", "squares", "by_digit"]
    assert spark.strays() == []


def test_a_budget_with_which_spark_cannot_start_is_refused_with_figures(spark: Project) -> None:
    record = ended(begun(spark, MEMORY_BUDGET="1GB"))

    assert (record["exit_code"], record["error"]["kind"]) == (3, "budget_exceeded")
    assert "Spark needs 1.14 GB on top of what is held" in record["error"]["message"]
    assert f"the budget is {size(10**9)}" in record["error"]["message"]
    assert "java" not in log_of(spark)


def test_a_project_without_java_says_so_in_one_line_before_anything_runs(
    spark: Project, tmp_path: Path
) -> None:
    done = spark.command("run", JAVA_HOME=str(tmp_path / "none"))

    assert done.returncode == 2
    [said] = [line for line in done.stderr.splitlines() if "Java" in line]
    assert "Spark needs Java, and JAVA_HOME is" in said
    assert "Install a JDK or JRE of version 17 or newer" in said
    assert spark.executed() == []


def test_a_java_that_is_too_old_is_refused_with_its_version(spark: Project, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)

    done = spark.command("run", JAVA_HOME=str(tmp_path))

    assert done.returncode == 2
    assert f"Spark needs Java 17 or newer, and {java} is Java 11." in done.stderr


@pytest.mark.slow
def test_the_steps_before_one_for_which_spark_has_no_room_are_kept(project: Project) -> None:
    project.segments(
        s01="""
        from pyspark.sql import DataFrame

        @step
        def made() -> pd.DataFrame:
            ran("made")
            return pd.DataFrame({"x": np.arange(1000.0)})

        @step
        def counted(made: DataFrame) -> int:
            ran("counted")
            return made.count()
        """
    )
    record = ended(begun(project, MEMORY_BUDGET="1GB"))

    assert record["exit_code"] == 3, record["error"]
    message = record["error"]["message"]
    assert "out of memory in the engine (Spark needs 1.14 GB on top of" in message
    assert "NoRoom" not in message
    assert message.endswith("`: it shows that all fits") or "plan --budget 1." in message
    assert "select columns" not in message
    assert project.executed() == ["made"]
    assert project.strays() == []


@pytest.mark.exhaustive
def test_what_spark_does_not_hold_in_memory_counts_against_max_disk(project: Project) -> None:
    lay_out(project, '[spark]\nmaster = "local[2]"\n[checkpoints]\nmax_disk = "20 MB"\n')
    source = project.folder / "src" / "demo" / "segments" / "s02.py"
    rows = "numbers.crossJoin(numbers).crossJoin(numbers.limit(20))"
    large = f'{rows}.selectExpr("md5(cast(rand() AS string)) AS text")'
    text = source.read_text().replace(
        'parts.withColumn("square", F.udf(square, "long")("number"))',
        f'{large}.orderBy("text").selectExpr("1L AS number", "1L AS square")',
    )
    source.write_text(text)

    record = ended(begun(project))

    assert (record["exit_code"], record["error"]["kind"]) == (5, "storage"), record["error"]
    assert "max_disk" in record["error"]["message"]
    assert project.processes() == []
    assert project.strays() == []
