"""File names that are no UTF-8: inputs, a step's files, the package's data, the project's path."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ...marks import one_in
from ..conftest import Project

ODD = os.fsdecode(b"caf\xe9")

SEGMENTS = {
    "s01": """
    @step
    def table(folder: Path) -> pd.DataFrame:
        print(sorted(path.name for path in folder.iterdir()))
        return pd.DataFrame({"n": [len(list(folder.iterdir()))]})

    @step
    def pages(workdir: Path) -> Path:
        (workdir / "out").mkdir()
        (workdir / "out" / "caf\\udce9").write_text("x")
        return workdir / "out"

    @step
    def page(workdir: Path) -> Path:
        (workdir / "caf\\udce9").write_text("x")
        return workdir / "caf\\udce9"
    """,
    "s02": """
    @step
    def again(table: pd.DataFrame, pages: Path, page: Path) -> pd.DataFrame:
        assert [path.name for path in pages.iterdir()] == [page.name] == ["caf\\udce9"]
        return table
    """,
}
WIRING = """
[inputs]
folder = "data"

[outputs]
pages = "out/pages"
again = "out/again.parquet"
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in a folder with such a name, which has run."""
    project = Project(tmp_path_factory.mktemp("odd") / f"de mo {ODD}")
    project.segments(**SEGMENTS)
    project.write("pipeline.toml", WIRING)
    (project.folder / "data").mkdir()
    (project.folder / "data" / ODD).write_text("1")
    (project.package / f"{ODD}.sql").write_text("select 1")
    assert project.run()["exit_code"] == 0
    return project


def test_a_run_reuses_what_it_made_of_them_and_publishes_them(odd: Project) -> None:
    record = odd.run()

    assert [segment["status"] for segment in record["segments"]] == ["reused", "reused"]
    assert record["outputs"]["again"] == str(odd.folder / "out" / "again.parquet")
    assert (odd.folder / "out" / "pages" / ODD).read_text() == "x"


def test_a_change_of_such_a_file_is_noticed(odd: Project, tmp_path: Path) -> None:
    changed = odd.copy(tmp_path / f"co py {ODD}")
    (changed.folder / "data" / ODD).write_text("2")
    reasons = json.loads(changed.command("status", "--json").stdout)["segments"][0]["reasons"]

    assert reasons == ["input folder changed", "runs `table`"]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    one_in(
        2,
        [
            (["status", "--verify"], "reused"),
            (["plan", "--json"], "{"),
            (["show", "page"], "caf\\udce9"),
            (["report"], "report.html"),
            (["report", "--markdown"], "s02"),
            (["review", "--format", "json"], "["),
            (["run", "--set", f"folder=no/{ODD}"], ""),
            (["clean"], "freed "),
        ],
    ),
)
def test_each_command_shows_them_in_any_encoding(
    odd: Project, tmp_path: Path, arguments: list[str], shown: str
) -> None:
    project = odd.copy(tmp_path / f"co py {ODD}") if arguments == ["clean"] else odd
    ended = project.command(*arguments, PYTHONIOENCODING="ascii")

    assert shown in ended.stdout
    assert "Traceback" not in ended.stderr
    assert ended.returncode == {"run": 2, "review": 4}.get(arguments[0], 0), ended.stderr
