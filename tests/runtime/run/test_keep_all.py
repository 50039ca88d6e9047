"""`run --keep-all` keeps every value, without holding any of them longer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ..conftest import Project, run_once
from .cutting import BUDGET, choose_cuts

SEGMENTS = {
    "s01": """
    import os

    @step
    def rows() -> pd.DataFrame:
        ran("rows")
        return pd.DataFrame({"x": np.arange(100.0)})

    @step
    def page(workdir: Path, rows: pd.DataFrame) -> Path:
        ran("page")
        (workdir / "page.txt").write_text(f"{len(rows)} rows")
        return workdir / "page.txt"

    @step
    def doubled(rows: pd.DataFrame, page: Path) -> pd.DataFrame:
        ran("doubled")
        on_disk = [path.name.partition(".")[0] for path in page.parents[1].iterdir()]
        Path("on_disk.txt").write_text(" ".join(sorted(on_disk)))
        order = Path("die.txt").read_text() if Path("die.txt").exists() else ""
        Path("die.txt").unlink(missing_ok=True)
        if order == "killed":
            os.kill(os.getpid(), 9)
        if order == "raises":
            raise ValueError("no")
        return rows * 2

    @step
    def total(doubled: pd.DataFrame) -> float:
        ran("total")
        return float(doubled["x"].sum())
    """,
    "s02": """
    @step
    def half(total: float) -> float:
        ran("half")
        return total / 2
    """,
}
EVERY = {"rows", "page", "doubled", "total"}
READER = """
    @step
    def more(rows: pd.DataFrame, page: Path, doubled: pd.DataFrame, half: float) -> str:
        ran("more")
        return f"{len(rows)} {page.read_text()} {doubled['x'].sum() + half}"
"""
SETTING = '[cluster]\nram = "100 GB"\nquota = "50 %"\n[checkpoints]\nkeep_all = true\n'


def kept(project: Project) -> set[str]:
    """The values of the first segment that are kept for later segments."""
    return set(project.manifests()["s01"]["values"])


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project that ran once, and kept what it needs."""
    project = run_once(shared_project, SEGMENTS, "")
    assert kept(project) == {"total"}
    return project


@pytest.fixture(scope="module")
def all_kept(original: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same project after `run --keep-all --fresh`."""
    project = original.copy(tmp_path_factory.mktemp("kept") / "demo")
    record = project.run("--keep-all", "--fresh")
    assert record["exit_code"] == 0
    project.executed()
    return project


def test_every_value_stays_and_can_be_shown(all_kept: Project) -> None:
    assert kept(all_kept) == EVERY
    assert "rows: DataFrame, 100 × 1" in all_kept.command("show", "rows").stdout
    assert all_kept.load("page").startswith("PosixPath(")
    assert all_kept.load("doubled").startswith("x\n0     0.0\n1     2.0")
    assert all_kept.strays() == []


def test_a_value_is_on_disk_before_the_step_that_reads_it_last(
    original: Project, all_kept: Project
) -> None:
    assert "rows" not in (original.folder / "on_disk.txt").read_text().split()
    assert "rows" in (all_kept.folder / "on_disk.txt").read_text().split()


def test_a_new_consumer_of_any_value_runs_no_producer_again(
    all_kept: Project, tmp_path: Path
) -> None:
    project = all_kept.copy(tmp_path / "demo")
    project.segments(**SEGMENTS, s03=READER)
    assert project.statuses() == {"s01": "reused", "s02": "reused", "s03": "ran"}
    assert project.executed() == ["more"]
    assert project.load("more") == "'100 100 rows 14850.0'"


def test_turning_it_on_or_off_makes_no_checkpoint_stale(done: Project) -> None:
    reused = {"s01": "reused", "s02": "reused"}
    assert done.statuses("--keep-all") == reused
    done.write("memory_budget.toml", SETTING)
    assert done.statuses() == reused
    assert set(done.statuses("--rerun-from", "s01").values()) == {"ran"}
    assert kept(done) == EVERY
    done.write("memory_budget.toml", SETTING.replace("true", "false"))
    assert done.statuses() == reused
    assert kept(done) == EVERY


def test_show_of_a_value_that_was_not_kept_names_the_way(original: Project) -> None:
    shown = original.command("show", "rows")
    assert shown.returncode == 5
    assert "`run --keep-all --rerun-from s01` keeps every value" in shown.stderr


def test_values_of_all_parts_stay_however_a_segment_is_cut(done: Project) -> None:
    shutil.rmtree(done.folder / "checkpoints")
    steps = {"s01": ["rows", "page", "doubled", "total"], "s02": ["half"]}
    choose_cuts(done, steps, {"page", "total"})
    record = done.run("--budget", BUDGET, "--keep-all")
    assert record["segments"][0]["parts"] == 3
    assert kept(done) == EVERY
    assert done.strays() == []


def test_a_part_that_runs_again_leaves_no_file_of_its_first_attempt(done: Project) -> None:
    done.write("die.txt", "killed")
    record = done.run("--keep-all", "--fresh")
    assert record["exit_code"] == 0
    assert record["segments"][0]["cuts"] == [{"before": "doubled", "why": "killed"}]
    assert done.executed() == [
        "rows",
        "page",
        "doubled",
        "rows",
        "page",
        "doubled",
        "total",
        "half",
    ]
    assert kept(done) == EVERY
    assert done.strays() == []


def test_a_step_that_raises_leaves_no_file_that_nothing_names(done: Project) -> None:
    done.write("die.txt", "raises")
    assert done.run("--keep-all", "--rerun-from", "s01")["exit_code"] == 1
    assert done.strays() == []
    assert done.statuses() == {"s01": "reused", "s02": "reused"}


def test_it_takes_disk_and_no_memory(project: Project) -> None:
    """Six tables of 80 MB, each read by the next step alone: at most three are held at once."""
    steps = [
        f"@step\ndef t{n}(t{n - 1}: pd.DataFrame) -> pd.DataFrame:\n    return t{n - 1} + 1.0\n"
        for n in range(1, 6)
    ]
    first = "@step\ndef t0() -> pd.DataFrame:\n"
    first += '    return pd.DataFrame({"x": np.zeros(10_000_000)})\n'
    last = '@step\ndef size(t5: pd.DataFrame) -> float:\n    return float(t5["x"].sum())\n'
    project.segments(s01="\n".join([first, *steps, last]))
    [segment] = project.run("--keep-all")["segments"]
    held = [step["peak_bytes"] for step in segment["steps"]]
    assert segment["parts"] == 1
    assert segment["bytes_written"] > 480_000_000
    assert max(held) - segment["steps"][0]["began_bytes"] < 300_000_000
    assert [write["value"] for write in segment["writes"]][:6] == [f"t{n}" for n in range(6)]
