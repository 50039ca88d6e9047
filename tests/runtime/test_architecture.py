"""The runtime's folders are its architecture: each says what it is for, and no file is too long.

Which folder may import which is in pyproject.toml; `python3 dev.py lint` holds every import to it.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
from pathlib import Path

import pytest
from flight_delays.checkpointing.base import location
from flight_delays.checkpointing.run import workers

from dev import ROOT

from .conftest import RUNTIME, Project

FOLDERS = sorted(path.name for path in RUNTIME.iterdir() if (path / "__init__.py").exists())
FILES = sorted(RUNTIME.rglob("*.py"))
TOOLS = sorted(path.name for path in (RUNTIME / "tools").iterdir() if path.is_dir())
ENGINE_LINES, ALL_LINES = 29_900, 37_300


def code_lines(path: Path) -> int:
    """Lines that are neither blank, comment nor docstring."""
    source = path.read_text(encoding="utf-8")
    told: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            told |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in told
        for number, line in enumerate(source.splitlines(), start=1)
    )


@pytest.mark.parametrize("folder", [*FOLDERS, *(f"tools/{tool}" for tool in TOOLS)])
def test_a_folder_says_in_a_sentence_what_it_is_for(folder: str) -> None:
    text = (RUNTIME / folder / "__init__.py").read_text(encoding="utf-8")
    assert re.match(r'""".+[.:]', str(ast.get_docstring(ast.parse(text)) and text))


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_page_on_the_runtime_leads_through_every_folder(folder: str) -> None:
    page = (ROOT / "docs" / "runtime.md").read_text(encoding="utf-8")
    assert f"`{folder}/" in page


def test_the_page_on_the_runtime_names_no_file_that_is_not_there() -> None:
    page = (ROOT / "docs" / "runtime.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", page))
    assert {name for name in named if not (RUNTIME / name).exists()} == set()


def test_no_file_is_too_long_to_be_read_in_one_go() -> None:
    lengths = {
        path.relative_to(RUNTIME).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in FILES
    }
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_whoever_owns_a_project_can_read_the_engine() -> None:
    """The engine is what takes part in a run: everything but the tools."""
    of_tools = [path for path in FILES if path.is_relative_to(RUNTIME / "tools")]
    engine = sum(code_lines(path) for path in FILES if path not in of_tools)
    assert engine < ENGINE_LINES
    assert engine + sum(map(code_lines, of_tools)) < ALL_LINES


def test_the_runtime_knows_its_own_folder_and_name() -> None:
    """Else its own code would count as the project's, and every update change every key."""
    assert location.RUNTIME == RUNTIME
    assert location.RUNTIME_NAME == "flight_delays.checkpointing"


def test_what_is_loaded_before_workers_are_forked_exists() -> None:
    """The fork server is silent about a module that it cannot import, and every worker slower."""
    assert f"{location.RUNTIME_NAME}.worker.main" in workers.PRELOADED
    assert [name for name in workers.PRELOADED if importlib.util.find_spec(name) is None] == []


def test_without_the_tools_the_rest_of_the_commands_work(project: Project) -> None:
    """No tool knows another, as import-linter checks, so each can be removed alone as well."""
    project.segments(s01="@step\ndef one() -> int: return 1")
    runtime = project.package / "checkpointing"
    runtime.unlink()
    shutil.copytree(RUNTIME, runtime, ignore=shutil.ignore_patterns("__pycache__"))
    table = runtime / "cli.py"
    text = table.read_text(encoding="utf-8")
    for tool in TOOLS:
        shutil.rmtree(runtime / "tools" / tool)
        text = text.replace(f'    "{tool}": ', f'    # "{tool}": ')
    table.write_text(text, encoding="utf-8")
    for command in (["run"], ["status"], ["show", "one"], ["clean"]):
        done = project.command(*command)
        assert done.returncode == 0, done.stderr
    help_text = project.command("--help").stdout
    assert [tool for tool in TOOLS if tool in help_text] == []
