"""What a run does: one process a segment, only live values on disk, outputs published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ..conftest import Project

SEGMENTS = {
    "s01_ingest": """
    import os

    @step
    def first_process() -> int:
        print("a word from a step")
        return os.getpid()

    @step
    def same_process() -> int:
        return os.getpid()

    @step
    def early() -> pd.DataFrame:
        return pd.DataFrame({"x": [1, 2, 3]})

    @step
    def passing(early: pd.DataFrame) -> pd.DataFrame:
        return early * 10

    @step
    def needed_next(passing: pd.DataFrame) -> pd.DataFrame:
        return passing + 1
    """,
    "s02_clean": """
    import os

    @step
    def second_process() -> int:
        return os.getpid()

    @step
    def cleaned(needed_next: pd.DataFrame, offset: int) -> pd.Series:
        return needed_next["x"] + offset

    @step
    def told(cleaned: pd.Series) -> None:
        with open("told.txt", "a") as target:
            target.write(f"{cleaned.sum()}\\n")
    """,
    "s03_report": """
    @step
    def table(early: pd.DataFrame, cleaned: pd.Series) -> pd.DataFrame:
        return early.assign(cleaned=cleaned)

    @step
    def total(table: pd.DataFrame) -> dict[str, int]:
        return {"total": int(table["cleaned"].sum())}

    @step
    def pages(total: dict[str, int], workdir: Path, lines_file: Path) -> Path:
        folder = workdir / "pages"
        folder.mkdir()
        (folder / "one.txt").write_text(lines_file.read_text() + str(total))
        (workdir / "scratch.txt").write_text("of no use later")
        return folder
    """,
}

WIRING = """
[inputs]
lines_file = "data/lines.txt"

[params]
offset = 5

[outputs]
table = "data/out/table.parquet"
total = "data/out/total.json"
pages = "data/out/pages"
"""


@pytest.fixture(scope="module")
def record(shared_project: Project) -> dict[str, Any]:
    """The record of one run of the pipeline above, which went well."""
    shared_project.write("data/lines.txt", "from a file\n")
    shared_project.write("pipeline.toml", WIRING)
    shared_project.segments(**SEGMENTS)
    record = shared_project.run()
    assert record["exit_code"] == 0, record
    return record


@pytest.fixture
def done(shared_project: Project, record: dict[str, Any]) -> Project:
    """The project after that run."""
    return shared_project


def test_steps_of_one_segment_share_a_process_and_no_two_segments_do(done: Project) -> None:
    first, same, second = (
        done.load(v) for v in ("first_process", "same_process", "second_process")
    )
    assert first == same
    assert first != second


def test_only_values_that_a_later_segment_reads_are_kept(done: Project) -> None:
    kept = {name: set(m["values"]) for name, m in done.manifests().items()}
    assert kept == {
        "s01_ingest": {"early", "needed_next"},
        "s02_clean": {"cleaned"},
        "s03_report": set(),
    }


def test_values_that_are_published_or_that_nothing_reads_are_outputs(done: Project) -> None:
    outputs = {name: set(m["outputs"]) for name, m in done.manifests().items()}
    assert outputs == {
        "s01_ingest": {"first_process", "same_process"},
        "s02_clean": {"second_process"},
        "s03_report": {"table", "total", "pages"},
    }


def test_the_outputs_are_published_where_the_configuration_says(done: Project) -> None:
    out = done.folder / "data" / "out"
    table = pd.read_parquet(out / "table.parquet")
    assert table.to_dict("list") == {"x": [1, 2, 3], "cleaned": [16, 26, 36]}
    assert json.loads((out / "total.json").read_text()) == {"total": 78}
    assert (out / "pages" / "one.txt").read_text() == "from a file\n{'total': 78}"


def test_the_record_names_the_path_of_every_output(done: Project, record: dict[str, Any]) -> None:
    outputs = record["outputs"]
    assert outputs["table"] == str(done.folder / "data/out/table.parquet")
    assert set(outputs) == {
        *("first_process", "same_process", "second_process"),
        *("table", "total", "pages"),
    }
    assert outputs["second_process"].startswith(str(done.checkpoints() / "s02_clean"))


def test_a_sink_runs_with_its_segment_and_keeps_nothing(done: Project) -> None:
    assert (done.folder / "told.txt").read_text() == "78\n"


def test_what_steps_print_goes_to_the_log_of_the_run(done: Project) -> None:
    [log] = (done.folder / "runs").glob("*/run.log")
    assert log.read_text() == "a word from a step\n"


def test_the_record_of_the_run_is_kept(done: Project, record: dict[str, Any]) -> None:
    [kept] = (done.folder / "runs").glob("*/record.json")
    assert json.loads(kept.read_text()) | {"exit_code": 0} == record


def test_nothing_is_left_but_what_the_manifests_name(done: Project) -> None:
    assert done.strays() == []


def test_no_process_is_left(done: Project) -> None:
    assert done.processes() == []


@pytest.mark.slow
def test_no_command_leaves_anything_in_the_systems_temporary_folder(
    done: Project, tmp_path: Path
) -> None:
    for command in (["run"], ["status"], ["show", "early"], ["run", "--budget", "30MB", "--fresh"]):
        done.command(*command, TMPDIR=str(tmp_path))
        assert list(tmp_path.iterdir()) == []


def test_checkpoints_between_segments_are_arrow_and_outputs_are_parquet(done: Project) -> None:
    manifests = done.manifests()
    assert manifests["s01_ingest"]["values"]["early"]["file"].endswith(".arrow")
    assert manifests["s03_report"]["outputs"]["table"]["file"].endswith(".parquet")


def test_a_segment_can_be_made_without_a_module_of_its_own(project: Project) -> None:
    project.segments(
        steps="""
        def one() -> int:
            return 1

        def two(one: int) -> int:
            return one + 1
        """
    )
    project.write(
        "src/demo/pipeline.py",
        """
        from .checkpointing import Pipeline, Segment
        from .segments.steps import one, two

        PIPELINE = Pipeline(Segment("first", [one]), Segment("second", [two]), name="demo")
        """,
    )
    assert project.statuses() == {"first": "ran", "second": "ran"}
    assert project.load("two") == "2"


def test_checkpoints_can_be_parquet_where_disk_is_scarce(project: Project) -> None:
    project.write(
        "memory_budget.toml",
        """
        [cluster]
        ram = "100 GB"
        quota = "50 %"
        [checkpoints]
        format = "parquet"
        """,
    )
    project.segments(
        s01="""
        @step
        def made() -> pd.DataFrame:
            return pd.DataFrame({"x": [1.5, None]}, index=pd.Index(["a", "b"], name="key"))
        """,
        s02="""
        @step
        def shown(made: pd.DataFrame) -> str:
            return repr(made.to_dict())
        """,
    )
    project.run()
    assert project.manifests()["s01"]["values"]["made"]["file"].endswith(".parquet")
    assert project.load("shown") == repr("{'x': {'a': 1.5, 'b': nan}}")


@pytest.mark.slow
def test_the_order_of_sets_is_the_same_in_every_run(project: Project) -> None:
    project.segments(
        s01="""
        @step
        def order() -> list[str]:
            return list({f"name {number}" for number in range(50)})
        """
    )
    project.run()
    first = project.load("order")
    project.run("--fresh")
    assert project.load("order") == first
