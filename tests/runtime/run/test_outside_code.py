"""Code outside the project, data of the package, and folders of inputs count in real runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..conftest import Project

Run = Callable[..., dict[str, Any]]

SEGMENTS = {
    "s01": """
    from sibling.rates import RATE

    @step
    def plain() -> float:
        return RATE
    """,
    "s02": """
    import pydoc

    @step
    def plugged(plain: float) -> float:
        return plain * pydoc.locate("plugin.FACTOR")
    """,
}


@pytest.fixture
def outside(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that imports a package on PYTHONPATH, and a plugin that only the run names."""
    monkeypatch.setenv("PYTHONPATH", str(project.folder / "lib"))
    project.write("lib/sibling/__init__.py", "")
    project.write("lib/sibling/rates.py", "RATE = 2.0\n")
    project.write("lib/plugin.py", "FACTOR = 3.0\n")
    project.segments(**SEGMENTS)
    return project


@pytest.fixture
def run(outside: Project) -> Iterator[Run]:
    """A function that runs it in one session, and returns the record."""
    with outside.session() as run:
        yield run


def ran(record: dict[str, Any]) -> list[str]:
    assert "error" not in record, record["error"]
    return [segment["name"] for segment in record["segments"] if segment["status"] == "ran"]


def test_outside_code_counts_and_nothing_else_does(outside: Project, run: Run) -> None:
    assert ran(run()) == ["s01", "s02"]
    assert ran(run()) == []
    outside.write("lib/sibling/rates.py", "RATE = 2.0  # in percent\n")
    outside.write("lib/plugin.py", "# of the year\nFACTOR = 3.0\n")
    assert ran(run()) == []
    outside.write("lib/sibling/rates.py", "RATE = 5.0\n")
    assert ran(run()) == ["s01", "s02"]
    assert outside.load("plugged") == "15.0"


def test_a_module_that_only_the_run_names_counts_from_then_on(outside: Project, run: Run) -> None:
    assert ran(run()) == ["s01", "s02"]
    assert outside.manifests()["s02"]["further"].keys() == {"plugin"}
    assert outside.manifests()["s01"]["further"] == {}
    outside.write("lib/plugin.py", "FACTOR = 4.0\n")
    assert "code of plugin changed" in " ".join(outside.command("status").stdout.split())
    assert ran(run()) == ["s02"]
    assert outside.load("plugged") == "8.0"
    (outside.folder / "lib/plugin.py").rename(outside.folder / "lib/sibling/plugin.py")
    outside.write("lib/plugin/__init__.py", "FACTOR = 5.0\n")
    assert ran(run()) == ["s02"]
    assert outside.load("plugged") == "10.0"


def test_a_part_is_not_resumed_after_code_that_it_ran_was_edited(outside: Project) -> None:
    outside.segments(
        s01="""
        import pydoc

        @step
        def plugged() -> float:
            return pydoc.locate("plugin.FACTOR")

        @step
        def sent(plugged: float) -> None:
            ran("sent")

        @step
        def last(plugged: float) -> float:
            assert not Path("broken").exists()
            return plugged
        """
    )
    outside.write("broken", "")
    with outside.session() as run:
        assert run()["error"]["step"] == "last"
        outside.write("lib/plugin.py", "FACTOR = 4.0\n")
        (outside.folder / "broken").unlink()
        assert "code of plugin changed" in " ".join(outside.command("status").stdout.split())
        assert ran(run()) == ["s01"]
    assert outside.load("last") == "4.0"
    assert outside.executed() == ["sent", "sent"]


def test_outside_code_that_a_step_imports_late_is_that_of_the_key(outside: Project) -> None:
    outside.segments(
        s01="""
        @step
        def plain() -> float:
            module = Path("lib/sibling/rates.py")
            text = module.read_text()
            module.write_text("RATE = 7.0")
            from sibling.rates import RATE
            if not Path("stay").exists():
                module.write_text(text)
            return RATE
        """
    )
    with outside.session() as run:
        assert ran(run()) == ["s01"]
        assert outside.load("plain") == "2.0"
        outside.write("stay", "")
        assert "sibling.rates changed while the pipeline ran" in run(fresh=True)["error"]["message"]


def test_a_large_data_file_of_the_package_takes_no_memory(project: Project) -> None:
    project.segments(s01="@step\ndef made() -> int:\n    return 1\n")
    with (project.package / "weights.bin").open("wb") as file:
        file.truncate(400_000_000)
    record = project.run("--budget", "300MB")
    assert record["exit_code"] == 0, record
    assert record["peak_bytes"] < 250_000_000


FOLDER = """
@step
def names(source: Path) -> list[str]:
    {edit}
    return sorted(path.name for path in source.iterdir())
"""
EDITS = {
    "an entry added": "(source / 'new.txt').touch()",
    "an entry removed": "(source / 'b.txt').unlink()",
    "times set back": "s = source / 'a.txt'; t = s.stat(); s.write_text('B'); "
    "__import__('os').utime(s, ns=(t.st_atime_ns, t.st_mtime_ns))",
    "a change behind a link": "Path('elsewhere/x.txt').write_text('y')",
}


@pytest.fixture(scope="module")
def folder_input(shared_project: Project) -> Project:
    project = shared_project
    project.write("data/a.txt", "A")
    project.write("data/b.txt", "B")
    project.write("elsewhere/x.txt", "x")
    (project.folder / "data/far").symlink_to("../elsewhere")
    project.write("pipeline.toml", '[inputs]\nsource = "data"\n')
    return project


@pytest.mark.parametrize("edit", ["times set back", pytest.param("*", marks=pytest.mark.slow)])
def test_an_edit_of_a_folder_during_a_run_ends_it(
    folder_input: Project, tmp_path: Path, edit: str
) -> None:
    for number, act in enumerate(EDITS.values() if edit == "*" else [EDITS[edit]]):
        project = folder_input.copy(tmp_path / f"demo{number}")
        project.segments(s01=FOLDER.format(edit=act))
        record = project.run()
        assert record["exit_code"] == 2, act
        assert "changed while the pipeline ran" in record["error"]["message"], act


def test_an_editor_at_work_beside_an_input_is_no_edit(
    folder_input: Project, tmp_path: Path
) -> None:
    project = folder_input.copy(tmp_path / "demo")
    project.segments(s01=FOLDER.format(edit="(source / 'a.txt~').touch()"))
    assert project.statuses() == {"s01": "ran"}
    assert project.statuses() == {"s01": "reused"}


@pytest.mark.slow
def test_verify_finds_what_the_saved_checksums_cannot(
    folder_input: Project, tmp_path: Path
) -> None:
    """Bytes that changed, and a file system that says nothing of it."""
    project = folder_input.copy(tmp_path / "demo")
    project.segments(s01=FOLDER.format(edit="pass"))
    project.write("src/demo/query.sql", "select 1")
    assert project.statuses() == {"s01": "ran"}
    for path in ("data/a.txt", "src/demo/query.sql"):
        file, cache = project.folder / path, project.checkpoints() / "hashes.json"
        file.write_text(file.read_text().swapcase().replace("1", "2"))
        stat, known = os.stat(file), json.loads(cache.read_text())
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]
        known[str(file)] = [*stamp, known[str(file)][5], 0, True]
        cache.write_text(json.dumps(known))

    def status(*arguments: str) -> list[str]:
        text = project.command("status", "--json", *arguments).stdout
        reasons: list[str] = json.loads(text)["segments"][0]["reasons"]
        return reasons

    assert status() == []
    assert status("--verify") == ["code of demo/query.sql changed", "input source changed"]
    assert status() == ["code of demo/query.sql changed", "input source changed"]
