"""A value that the checkpoint keeps is written while the next steps compute."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ...marks import in_slow
from ..conftest import Project

MB = 1_000_000
SEGMENTS = {
    "s01": """
    import os, signal, time

    @step
    def kept() -> np.ndarray:
        ran("kept")
        return np.arange(25_000_000.0)

    @step
    def small() -> np.ndarray:
        return np.arange(3.0)

    @step
    def short(wait: bool) -> float:
        # One file after the other: where that of `small` is, that of `kept` is safe.
        deadline = time.monotonic() + 30
        while wait and not list(Path("checkpoints").glob("*/s01/*/small.*.npy")):
            if time.monotonic() > deadline:
                raise RuntimeError("not written ahead")
            time.sleep(0.01)
        ran("short")
        order = Path("order.txt")
        said = order.read_text() if order.exists() else ""
        order.unlink(missing_ok=True)
        if said == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if said == "raise":
            raise ValueError("no")
        return 1.0

    @step
    def long(short: float) -> float:
        ran("long")
        return short + 1
    """,
    "s02": """
    @step
    def total(kept: np.ndarray, small: np.ndarray, long: float) -> float:
        ran("total")
        return float(kept.sum() + small.sum()) + long
    """,
}
TOTAL = float(np.arange(25_000_000.0).sum()) + 5


@pytest.fixture
def ahead(project: Project) -> Project:
    project.segments(**SEGMENTS)
    project.write("pipeline.toml", '[params]\nwait = true\n[outputs]\ntotal = "total.json"\n')
    return project


def total(project: Project) -> float:
    return float(json.loads((project.folder / "total.json").read_text()))


def test_a_value_is_written_while_the_next_step_runs(ahead: Project) -> None:
    record = ahead.run()
    assert record["exit_code"] == 0, record["error"]
    writes = {write["value"]: write for write in record["segments"][0]["writes"]}
    assert (writes["kept"]["ahead"], writes["long"]["ahead"]) == (True, False)
    assert writes["kept"]["bytes"] > 200 * MB
    assert record["segments"][0]["bytes_written"] == sum(w["bytes"] for w in writes.values())
    assert total(ahead) == TOTAL
    assert ahead.strays() == []


def test_what_was_written_before_a_step_raises_is_committed(ahead: Project) -> None:
    ahead.write("order.txt", "raise")
    assert ahead.run()["error"]["step"] == "short"
    assert ahead.executed() == ["kept", "short"]
    assert ahead.run()["exit_code"] == 0
    assert ahead.executed() == ["short", "long", "total"]
    assert total(ahead) == TOTAL
    assert ahead.strays() == []


@pytest.mark.slow
def test_a_file_that_was_written_before_the_process_is_killed_goes(ahead: Project) -> None:
    ahead.write("order.txt", "kill")
    assert ahead.run()["exit_code"] == 0, "killed from outside, it is cut before that step"
    assert ahead.executed() == ["kept", "short", "kept", "short", "long", "total"]
    assert total(ahead) == TOTAL
    assert ahead.strays() == []


def test_what_max_disk_has_no_room_for_is_not_begun(ahead: Project) -> None:
    budget = '[cluster]\nram = "100 GB"\nquota = "50 %"\n[checkpoints]\nmax_disk = "150 MB"\n'
    ahead.write("memory_budget.toml", budget)
    record = ahead.run("--set", "wait=false")
    assert (record["exit_code"], record["error"]["kind"]) == (5, "storage")
    assert "max_disk in memory_budget.toml leaves 150 MB" in record["error"]["message"]
    assert ahead.manifests() == {}
    assert ahead.strays() == []


@pytest.mark.parametrize(
    "setting", ['[budget]\ncount = "rss"', *in_slow("[checkpoints]\nkeep_all = true")]
)
def test_where_it_would_take_memory_or_is_done_already_nothing_is_begun(
    ahead: Project, setting: str
) -> None:
    ahead.write("memory_budget.toml", f'[cluster]\nram = "100 GB"\nquota = "50 %"\n{setting}\n')
    record = ahead.run("--set", "wait=false")
    assert record["exit_code"] == 0, record["error"]
    assert not any(write["ahead"] for write in record["segments"][0]["writes"])
    assert total(ahead) == TOTAL
