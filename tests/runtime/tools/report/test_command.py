"""The command `report` after real runs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ...conftest import Project

SEGMENTS = {
    "s01": """
    @step
    def table(rows: int) -> pd.DataFrame:
        return pd.DataFrame({"number": range(rows)})
    """,
    "s02": """
    @step
    def doubled(table: pd.DataFrame) -> pd.DataFrame:
        return table * 2

    @step
    def summary(doubled: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"what": ["<b>mean|", "most"], "is": [doubled["number"].mean(), 58.0]})

    @step
    def row_sums(doubled: pd.DataFrame) -> pd.Series:
        return doubled["number"].head(3).set_axis(["a", "b", "c"])
    """,
}
WIRING = """
[params]
rows = 30
[outputs]
doubled = "data/out/doubled.parquet"
summary = "data/out/summary.csv"
row_sums = "data/out/row_sums.csv"
"""


@pytest.fixture(scope="module")
def original(shared_project: Project) -> Project:
    """A project that was run once."""
    shared_project.segments(**SEGMENTS)
    shared_project.write("pipeline.toml", WIRING)
    assert shared_project.run()["exit_code"] == 0
    return shared_project


@pytest.fixture
def done(original: Project, tmp_path: Path) -> Project:
    """A copy of that project, to change."""
    return original.copy(tmp_path / "demo")


def last_run(project: Project) -> Path:
    return max(path for path in (project.folder / "runs").iterdir() if path.is_dir())


def test_the_page_is_written_into_the_run_s_folder_and_its_path_is_printed(done: Project) -> None:
    said = done.command("report")
    target = last_run(done) / "report.html"

    assert (said.returncode, said.stderr) == (0, "")
    assert done.folder / said.stdout.strip() == target
    assert "<h1>demo</h1>" in target.read_text(encoding="utf-8")


def test_the_page_goes_where_it_is_asked_to(done: Project, tmp_path: Path) -> None:
    target = tmp_path / "a report.html"
    said = done.command("report", "--output", str(target))

    assert said.returncode == 0
    assert said.stdout.strip() == str(target)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not (last_run(done) / "report.html").exists()


def test_markdown_is_printed(done: Project) -> None:
    said = done.command("report", "--markdown")

    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("### `demo`: Completed.\n")
    assert "| `s01` | ran |" in said.stdout


def test_small_tables_among_the_outputs_are_shown_and_large_ones_are_not(done: Project) -> None:
    said = done.command("report", "--markdown").stdout
    assert "**Output** `summary`\n\n| what | is |\n| --- | ---: |\n" in said
    assert "| \\<b\\>mean\\| | 29 |\n| most | 58 |\n" in said
    assert "| a | 0 |\n| b | 2 |\n| c | 4 |\n" in said
    assert "**Output** `doubled`" not in said
    done.command("report")
    page = (last_run(done) / "report.html").read_text(encoding="utf-8")
    assert "<caption>summary</caption>" in page
    assert '<td>&lt;b&gt;mean|</td>\n<td class="number">29</td>' in page


def test_a_small_table_that_is_damaged_or_gone_is_left_out(done: Project) -> None:
    for file in (done.folder / "checkpoints").rglob("summary*"):
        file.chmod(0o600)
        file.write_bytes(b"damaged")
    said = done.command("report", "--markdown")
    assert said.returncode == 0
    assert "**Output** `summary`" not in said.stdout
    assert "**Output** `row_sums`" in said.stdout
    shutil.rmtree(done.folder / "checkpoints")
    assert "**Output**" not in done.command("report", "--markdown").stdout


def test_markdown_goes_to_a_file_that_is_named(done: Project, tmp_path: Path) -> None:
    said = done.command("report", "--markdown", "--output", str(tmp_path / "summary.md"))

    assert said.stdout.strip() == str(tmp_path / "summary.md")
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("### `demo`")


def test_a_failed_run_is_reported(done: Project) -> None:
    source = done.package / "segments" / "s02.py"
    source.write_text(source.read_text().replace("table * 2", "table.nothing"))
    assert done.run()["exit_code"] == 1
    said = done.command("report", "--markdown")

    assert said.returncode == 0
    assert "Failed in segment s02, at step doubled: a step failed." in said.stdout
    assert "AttributeError" in said.stdout


def test_a_reused_run_shows_what_was_measured_before(done: Project) -> None:
    assert done.statuses() == {"s01": "reused", "s02": "reused"}
    said = done.command("report", "--markdown")

    assert "Nothing had to run: every segment was reused." in said.stdout
    assert said.stdout.count("reused (measured ") == 2


def test_without_a_run_it_says_what_to_type(done: Project) -> None:
    shutil.rmtree(done.folder / "runs")
    said = done.command("report")

    assert (said.returncode, said.stdout) == (2, "")
    assert "no run of `demo` has left a record" in said.stderr
    assert "Type `run` first." in said.stderr


def test_a_damaged_record_is_named(done: Project) -> None:
    (last_run(done) / "record.json").write_text('{"pipeline": ')
    said = done.command("report")

    assert (said.returncode, said.stdout) == (5, "")
    assert f"{last_run(done) / 'record.json'} is damaged" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("options", [[], ["--markdown"]])
def test_an_output_in_a_folder_that_does_not_exist_is_refused(
    done: Project, options: list[str]
) -> None:
    said = done.command("report", *options, "--output", "no/such/report.html")

    assert (said.returncode, said.stdout) == (2, "")
    assert "--output no/such/report.html: the folder no/such does not exist" in said.stderr


def test_an_output_that_is_a_folder_is_refused(done: Project) -> None:
    said = done.command("report", "--markdown", "--output", "runs")

    assert said.returncode == 2
    assert "--output runs is a folder. Name a file." in said.stderr


def test_an_output_that_is_a_link_or_no_file_at_all_stays_what_it_is(
    done: Project, tmp_path: Path
) -> None:
    former, link, pipe = (tmp_path / name for name in ("former.md", "link.md", "pipe.md"))
    former.touch()
    link.symlink_to(former)
    os.mkfifo(pipe)
    written, refused = (
        done.command("report", "--markdown", "--output", str(path)) for path in (link, pipe)
    )

    assert (written.returncode, refused.returncode) == (0, 2)
    assert link.is_symlink()
    assert former.read_text(encoding="utf-8").startswith("### `demo`")
    assert pipe.is_fifo()


def test_without_its_libraries_the_page_is_refused_and_markdown_is_not(done: Project) -> None:
    missing = "import sys\n\nsys.modules['altair'] = None\n"
    (done.package / "__init__.py").write_text(missing)
    said = done.command("report")

    assert (said.returncode, said.stdout) == (2, "")
    assert "libraries that are not installed (altair)" in said.stderr
    assert "`pip install -e '.[report]'`" in said.stderr
    assert "`report --markdown` needs none" in said.stderr
    assert done.command("report", "--markdown").returncode == 0


def test_the_record_is_only_read(done: Project) -> None:
    before = (last_run(done) / "record.json").read_bytes()
    done.command("report", "--markdown")

    assert (last_run(done) / "record.json").read_bytes() == before
    assert json.loads(before)["pipeline"] == "demo"
