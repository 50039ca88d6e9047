"""What an engine may take, and what it spills: counted, and gone whatever happens to its step."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ..conftest import Project, until

ENGINE = """
class Plan:
    spilled = 0

    def __init__(self, table):
        self.table = table
"""
ADAPTERS = """
import json, os
from .checkpointing.codecs import Codec, codec_named, register
from .engine import Plan

frames = codec_named("DataFrame")

def batches(plan):
    half = len(plan.table) // 2
    yield plan.table[:half]
    grow(plan)
    yield plan.table[half:]

def grow(plan):
    room = json.loads(open("room.json").read())
    os.makedirs(room["spill"], exist_ok=True)
    with open(os.path.join(room["spill"], "part.tmp"), "wb") as file:
        file.write(bytes(plan.spilled))

def prepare(room):
    about = {"memory": room.memory, "spill": str(room.spill), "disk": room.disk}
    with open("room.json", "w") as file:
        json.dump(about | {"threads": room.threads}, file)

register(
    Codec(
        "Plan", "demo.engine.Plan", "table",
        frames.freeze, lambda frozen: Plan(frames.thaw(frozen)),
        batches=batches, prepare=prepare,
    )
)
"""
STEPS = """
import json, os, signal
from ..engine import Plan

@step
def planned(how: str, spilled: int) -> Plan:
    plan = Plan(pd.DataFrame({"x": np.arange(10)}))
    plan.spilled = spilled
    if how != "streams":
        from ..adapters import grow
        grow(plan)
        ran("spilled")
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()
    return plan

@step
def seen(planned: Plan) -> int:
    return len(planned.table)
"""


@pytest.fixture
def engine(project: Project) -> Project:
    """A project with an engine of its own, which spills so many bytes."""
    project.write("src/demo/engine.py", ENGINE)
    project.write("src/demo/adapters.py", ADAPTERS)
    project.segments(s01=STEPS)
    project.write("pipeline.toml", '[params]\nhow = "streams"\nspilled = 1000\n')
    return project


def room(project: Project) -> dict[str, Any]:
    about: dict[str, Any] = json.loads((project.folder / "room.json").read_text())
    return about


def test_an_engine_is_told_what_is_left_for_its_step(engine: Project) -> None:
    record = engine.run("--budget", "500MB")

    about = room(engine)
    assert record["exit_code"] == 0, record.get("error")
    [planned, seen] = record["segments"][0]["steps"]
    assert 200_000_000 < about["memory"] < 400_000_000 - min(planned["began_bytes"], 100_000_000)
    assert about["threads"] == len(os.sched_getaffinity(0))
    assert about["disk"] > 1_000_000
    assert Path(about["spill"]).is_relative_to(engine.checkpoints() / "s01")
    assert not Path(about["spill"]).exists()
    assert (planned["made_batches"], planned["made_rows"], seen["value_bytes"]) == (2, 10, 2)
    assert engine.strays() == []


def test_what_an_engine_spills_counts_against_max_disk(engine: Project) -> None:
    toml = '[cluster]\nram = "100 GB"\nquota = "50 %"\n[checkpoints]\nmax_disk = "100 kB"\n'
    engine.write("memory_budget.toml", toml)

    record = engine.run("--set", "spilled=200_000")

    assert record["exit_code"] == 5
    assert record["error"]["kind"] == "storage"
    assert "max_disk in memory_budget.toml leaves" in record["error"]["message"]
    assert room(engine)["disk"] <= 100_000
    assert engine.strays() == []


def test_what_an_engine_spilled_goes_with_a_step_that_was_killed(engine: Project) -> None:
    record = engine.run("--set", "how=killed")

    assert record["exit_code"] == 3
    assert engine.executed() == ["spilled"] * 3  # it is tried with less, as for any lack of memory
    assert not Path(room(engine)["spill"]).exists()
    assert engine.strays() == []


def test_what_an_engine_spilled_goes_with_the_next_run_after_all_was_killed(
    engine: Project,
) -> None:
    process = engine.start("run", "--set", "how=waits")
    until((engine.folder / "executed.txt").exists, "the engine to spill")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    spill = Path(room(engine)["spill"])
    assert spill.exists()

    assert engine.run()["exit_code"] == 0
    assert not spill.exists()
    assert engine.strays() == []


POLARS = """
from collections.abc import Iterator
import polars as pl

@step
def made() -> pl.LazyFrame:
    return pl.LazyFrame({"x": range(10)})

@step
def many(made: Iterator[pl.DataFrame]) -> list[pl.DataFrame]:
    return list(made)

@step
def seen(many: list[pl.DataFrame], made: pl.LazyFrame) -> int:
    return sum(map(len, many)) + made.collect().height
"""


def test_only_the_process_of_a_part_imports_an_engine(project: Project) -> None:
    """Neither the parent of a run nor the server that forks workers needs its memory."""
    project.segments(s01=POLARS)

    done = project.command("run", PYTHONPROFILEIMPORTTIME="1")

    assert done.returncode == 0, done.stderr[-2000:]
    assert " pandas" in done.stderr  # of the server
    assert "checkpointing.run.run" in done.stderr
    assert "polars" not in done.stderr
    [log] = (project.folder / "runs").glob("*/run.log")
    assert "polars" in log.read_text()
    assert project.load("seen") == "20"


LOST = """
import duckdb, os
import polars as pl

@step
def scanned(lost: str) -> pl.LazyFrame:
    pl.DataFrame({"x": range(10)}).write_parquet("scanned.parquet")
    scan = pl.scan_parquet("scanned.parquet")
    if lost == "the file":
        os.remove("scanned.parquet")
    return scan

@step
def queried(scanned: pl.LazyFrame, lost: str) -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    relation = connection.sql("select 1 as x")
    if lost == "the connection":
        connection.close()
    return relation
"""


@pytest.mark.slow
def test_what_a_lazy_value_has_lost_is_the_failure_of_its_step(project: Project) -> None:
    project.segments(s01=LOST)
    project.write("pipeline.toml", '[params]\nlost = "the file"\n')

    for lost, step in (("the file", "scanned"), ("the connection", "queried")):
        record = project.run("--set", f"lost={lost}")

        error = record["error"]
        assert (record["exit_code"], error["kind"], error["step"]) == (1, "step_failed", step)
        assert project.strays() == []
