"""The memory budget: what exceeds it is stopped, with exit code 3 and a message that helps."""

from __future__ import annotations

from typing import Any

import pytest

from ...marks import in_exhaustive
from ..conftest import Project, until

SEGMENTS = {
    "s01": """
    @step
    def small() -> np.ndarray:
        ran("s01")
        return np.zeros(1000)
    """,
    "s02": """
    import ctypes, mmap, os, subprocess, sys, time
    import pyarrow as pa

    SIZE = 900_000_000
    held = []

    def forever() -> None:
        time.sleep(120)
        raise AssertionError("this step should have been stopped")

    @step
    def kept(small: np.ndarray) -> np.ndarray:
        return np.ones(2_500_000)

    @step
    def also_kept(small: np.ndarray) -> np.ndarray:
        return np.ones(1_250_000)

    @step
    def greedy(kept: np.ndarray, also_kept: np.ndarray, how: str) -> int:
        if how == "numpy":
            held.append(np.ones(SIZE // 8))
            forever()
        if how == "malloc":
            libc = ctypes.CDLL(None)
            libc.malloc.restype = ctypes.c_void_p
            size = ctypes.c_size_t(SIZE)
            libc.memset(ctypes.c_void_p(libc.malloc(size)), 1, size)
            forever()
        if how == "arrow":
            held.append(pa.concat_arrays([pa.array(range(1000))] * (SIZE // 8000)))
            forever()
        if how == "shared":
            memory = mmap.mmap(-1, SIZE)
            memory.write(b"x" * SIZE)
            forever()
        if how == "a child process":
            fill = f"import time; held = bytearray(b'x') * {SIZE}; time.sleep(120)"
            subprocess.run([sys.executable, "-c", fill], check=True)
        if how == "while committing":
            fsync = os.fsync

            def greedy_fsync(descriptor: int) -> None:
                held.append(np.ones(SIZE // 8))
                fsync(descriptor)
                forever()

            os.fsync = greedy_fsync
        return 1
    """,
}

WIRING = """
[params]
how = "not at all"

[outputs]
kept = "data/kept.npy"
"""


@pytest.fixture
def hungry(project: Project) -> Project:
    """A project whose second segment can be asked to hold 900 MB."""
    project.segments(**SEGMENTS)
    project.write("pipeline.toml", WIRING)
    return project


def check_stopped(project: Project, record: dict[str, Any]) -> None:
    """A run that was stopped above the budget leaves nothing but what was finished before."""
    assert record["exit_code"] == 3
    assert record["error"]["kind"] == "budget_exceeded"
    assert record["error"]["budget_bytes"] == record["budget_bytes"] == 600_000_000
    assert record["error"]["held_bytes"] > 600_000_000
    assert [s["status"] for s in record["segments"]] == ["ran", "failed"]
    assert record["segments"][1]["cuts"] == [{"before": "greedy", "why": "over budget"}]
    until(lambda: not project.processes(), "the end of all that was killed")
    assert project.strays() == []
    assert set(project.manifests()) == {"s01"}


@pytest.mark.parametrize(
    "how", ["numpy", "a child process", *in_exhaustive("malloc", "arrow", "shared")]
)
def test_memory_counts_wherever_it_is_allocated(hungry: Project, how: str) -> None:
    record = hungry.run("--budget", "600MB", "--set", f"how={how}")
    check_stopped(hungry, record)
    assert record["error"]["segment"] == "s02"
    assert record["error"]["step"] == "greedy"


def test_the_message_names_place_sizes_largest_values_and_ways_out(hungry: Project) -> None:
    done = hungry.command("run", "--budget", "600MB", "--set", "how=numpy")
    assert done.returncode == 3
    message = " ".join(done.stderr.split("error:")[1].split())
    assert message.startswith("segment `s02`, step `greedy`: ")
    assert "of memory held, the budget is 600 MB (--budget)." in message
    assert "Largest live values: kept 20 MB, also_kept 10 MB." in message
    assert "split the step in two" in message
    assert "docs/larger-than-memory.md" in message
    assert "Columns(" not in message  # its values are no tables
    assert "Traceback" not in done.stderr


def test_the_largest_live_values_are_in_the_record(hungry: Project) -> None:
    error = hungry.run("--budget", "600MB", "--set", "how=numpy")["error"]
    assert error["largest_values"]["kept"] == 20_000_000
    assert list(error["largest_values"])[:2] == ["kept", "also_kept"]


def test_the_budget_holds_while_a_checkpoint_is_written(hungry: Project) -> None:
    record = hungry.run("--budget", "600MB", "--set", "how=while committing")
    check_stopped(hungry, record)
    assert record["error"]["step"] == "greedy"
    assert "segment `s02`, writing its checkpoint: " in record["error"]["message"]
    assert list(record["error"]["largest_values"]) == ["greedy"]


def test_a_budget_too_small_for_python_is_exceeded_before_the_first_step(hungry: Project) -> None:
    record = hungry.run("--budget", "30MB")
    assert record["exit_code"] == 3
    assert record["error"]["step"] is None
    assert "segment `s01`, before its first step: " in record["error"]["message"]
    assert "too small to start Python" in record["error"]["message"]
    assert hungry.manifests() == {}


def test_what_was_finished_before_is_reused_with_a_larger_budget(hungry: Project) -> None:
    hungry.run("--budget", "600MB", "--set", "how=numpy")
    hungry.executed()
    assert hungry.statuses("--budget", "2GB") == {"s01": "reused", "s02": "ran"}
    assert hungry.executed() == []


def test_the_environment_variable_equals_the_option_and_the_option_wins(hungry: Project) -> None:
    record = hungry.run("--set", "how=numpy", MEMORY_BUDGET="600MB")
    check_stopped(hungry, record)
    assert "MEMORY_BUDGET" in record["error"]["message"]
    assert hungry.run("--budget", "1GB", MEMORY_BUDGET="30MB")["budget_bytes"] == 10**9


def test_the_quota_is_enforced_and_no_option_raises_it(hungry: Project) -> None:
    hungry.write("memory_budget.toml", '[cluster]\nram = "30 GB"\nquota = "2 %"\n')
    record = hungry.run("--budget", "100GB", "--set", "how=numpy")
    check_stopped(hungry, record)
    assert "2 % of 30 GB, memory_budget.toml" in record["error"]["message"]


def test_pages_of_mapped_files_count_only_where_the_scheduler_counts_them(
    project: Project,
) -> None:
    project.segments(
        s01="""
        import mmap

        @step
        def mapped(big_file: Path) -> int:
            with big_file.open("rb") as file:
                pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                total = int(np.frombuffer(pages, np.uint8).sum())
            return total
        """
    )
    project.write("pipeline.toml", '[inputs]\nbig_file = "big.bin"\n')
    with project.write("big.bin", "").open("wb") as file:
        file.truncate(900_000_000)
    assert project.run("--budget", "600MB")["exit_code"] == 0
    with (project.folder / "memory_budget.toml").open("a") as settings:
        settings.write('[budget]\ncount = "rss"\n')
    assert project.run("--budget", "600MB", "--fresh")["exit_code"] == 3


@pytest.mark.slow
def test_what_a_notebook_held_beside_a_step_refuses_nothing_afterwards(project: Project) -> None:
    project.segments(
        s01="""
        import time

        @step
        def large() -> float:
            array = np.ones(10_000_000)
            until = time.process_time() + 0.1
            while time.process_time() < until:
                pass
            return float(array.sum())
        """
    )
    notebook = """
        from demo.pipeline import PIPELINE
        from demo.checkpointing.base.errors import BudgetExceeded
        from demo.checkpointing.run.options import RunOptions
        from demo.checkpointing.run.run import run

        ballast = b"x" * 300_000_000
        began = PIPELINE.run().segments[0].steps[0].began_bytes
        budget = began + 40_000_000
        try:
            run(PIPELINE, RunOptions(fresh=True, budget=str(budget)))
        except BudgetExceeded:
            print(budget)
    """
    budget = project.python(notebook).split()[-1]
    planned = project.command("plan", "--budget", budget)
    assert planned.returncode == 0
    assert "A run would try: it was not measured as it is now." in " ".join(planned.stdout.split())
    record = project.run("--fresh", "--budget", budget)
    assert record["exit_code"] == 0, record["error"]
    again = project.run("--fresh", "--budget", str(int(record["peak_bytes"]) - 40_000_000))
    assert (again["exit_code"], again["error"]["why"]) == (3, "planned")
