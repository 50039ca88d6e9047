"""What holds for every file of this repository."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, TEMPLATE

BINARY = {".arrow", ".parquet", ".png"}
JUNK = ("__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache")


def listed(*options: str) -> list[str]:
    """The paths that `git ls-files` lists."""
    command = ["git", "ls-files", "-z", "--exclude-standard", *options]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in finished.stdout.split("\0") if path]


def kept_files() -> list[Path]:
    """What git tracks, or would when everything here were added."""
    paths = listed("--cached", "--others", "--deduplicate")
    return [ROOT / path for path in paths if (ROOT / path).is_file()]


def texts() -> dict[str, str]:
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in kept_files()
        if path.suffix not in BINARY
    }


def test_the_template_holds_nothing_that_git_ignores() -> None:
    assert listed("--others", "--ignored", "--", TEMPLATE.name) == []


def test_no_cache_of_any_tool_is_kept() -> None:
    assert [path for path in kept_files() if set(path.parts) & set(JUNK)] == []


def test_the_template_s_python_holds_no_jinja() -> None:
    sources = {path: text for path, text in texts().items() if path.startswith(TEMPLATE.name)}
    python = {path: text for path, text in sources.items() if path.endswith(".py")}
    assert python
    assert [path for path, text in python.items() if "cookiecutter." in text or "#%" in text] == []
    for text in python.values():
        ast.parse(text)


def test_no_path_of_anyone_s_machine_is_written_down() -> None:
    personal = re.compile(r"/home/(?!runner)\w+|/Users/\w+|/root/|[A-Z]:\\\\Users")
    here = Path(__file__).name
    found = {path for path, text in texts().items() if personal.search(text)}
    assert {path for path in found if Path(path).name != here} == set()


def test_no_lock_file_is_kept() -> None:
    names = {path.name for path in kept_files()}
    assert not names & {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml"}


def test_no_package_index_is_named() -> None:
    index = re.compile(r"(extra-)?index-url|find-links|files\.pythonhosted\.org|/simple/?\b")
    here = Path(__file__).name
    found = {path for path, text in texts().items() if index.search(text)}
    assert {path for path in found if Path(path).name != here} == set()


def test_dev_py_needs_the_standard_library_alone() -> None:
    tree = ast.parse((ROOT / "dev.py").read_text(encoding="utf-8"))
    modules = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {module.split(".")[0] for module in modules} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("command", ["demo", "dev", "lint", "test", "bench", "docs", "clean"])
def test_every_command_of_dev_py_is_explained_to_contributors(command: str) -> None:
    assert f"python3 dev.py {command}" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_question_has_a_human_prompt_without_markup() -> None:
    questions = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    prompts = questions["__prompts__"]
    assert list(prompts) == [key for key in questions if not key.startswith("_")]
    assert all(prompt.endswith("?") and "[" not in prompt for prompt in prompts.values())


def test_the_derived_names_are_rendered_as_they_are_trusted() -> None:
    """Only what `_derivations` lists is rendered as Jinja; the derived names must be on it."""
    questions = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    derived = [questions["__project_slug"], questions["__package_name"]]
    assert questions["_derivations"] == derived
    assert list(questions)[:2] == ["_derivations", "__answers_are_text"]


def test_the_changelog_has_upgrade_notes_for_every_version_and_what_is_unreleased() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    _, *versions = re.split(r"^## ", changelog, flags=re.MULTILINE)
    assert versions[0].startswith("[Unreleased]")
    assert [text for text in versions if text.count("\n### Upgrade notes\n") != 1] == []
