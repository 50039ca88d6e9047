"""A generated project takes over later versions of the template, by cruft."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT, Bakery, Project
from .test_repository import kept_files

AUTHOR = 'O\'Brien "{{ 7 * 7 }}" #% if 🛫 \\'
IDENTITY = {
    f"GIT_{who}_{what}": f"{who}@example.org".lower()
    for who in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}


def run(*command: str | Path, cwd: Path) -> str:
    environment = os.environ | IDENTITY | {"TMPDIR": str(cwd.parent)}
    finished = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def commit(folder: Path) -> None:
    run("git", "add", "--all", cwd=folder)
    run("git", "commit", "--quiet", "--message", "a version", cwd=folder)


@dataclass(frozen=True)
class Pair:
    """A copy of the template, and a project that cruft made from it, each a git repository."""

    template: Path
    project: Project


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    template, out = tmp_path / "template", tmp_path / "out"
    for path in kept_files():
        copy = template / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    out.mkdir()
    run("git", "init", "--quiet", cwd=template)
    commit(template)
    config = Bakery(tmp_path).config
    answers = yaml.safe_load(config.read_text()) | {"default_context": {"author": AUTHOR}}
    config.write_text(yaml.safe_dump(answers))
    cruft = (sys.executable, "-m", "cruft", "create", template, "--config-file", config)
    run(*cruft, "--no-input", cwd=out)
    project = Project(out / "flight-delays")
    run("git", "init", "--quiet", cwd=project.folder)
    commit(project.folder)
    return Pair(template, project)


def update(project: Project) -> str:
    return run(sys.executable, "-m", "cruft", "update", "--skip-apply-ask", cwd=project.folder)


def test_an_update_brings_the_new_runtime_and_keeps_the_answers_and_the_team_s_steps(
    pair: Pair,
) -> None:
    project = pair.project
    assert project.toml("pyproject.toml")["project"]["authors"] == [{"name": AUTHOR}]
    before = project.text("pyproject.toml")
    steps = project.package / "segments" / "s02_clean.py"
    steps.write_text(steps.read_text() + "\n# the team's\n")
    commit(project.folder)

    [runtime] = pair.template.glob("*/src/*/checkpointing/__init__.py")
    runtime.write_text(runtime.read_text() + "\n# a later version\n")
    commit(pair.template)
    update(project)

    assert project.text("src/flight_delays/checkpointing/__init__.py").endswith("later version\n")
    assert steps.read_text().endswith("# the team's\n")
    assert project.text("pyproject.toml") == before


def test_an_update_of_what_is_up_to_date_changes_nothing(pair: Pair) -> None:
    assert "Nothing to do" in update(pair.project)
    assert run("git", "status", "--porcelain", cwd=pair.project.folder) == ""


def test_an_update_s_own_changes_of_the_runtime_are_no_edits_by_hand_but_the_team_s_are(
    pair: Pair,
) -> None:
    project = pair.project
    assert review(project) == "The review found nothing.\n"
    [store] = pair.template.glob("*/src/*/checkpointing/store.py")
    store.write_text(store.read_text() + "\n# a later version\n")
    (store.parent / "later.py").write_text('"""A file that is new in this version."""\n')
    commit(pair.template)
    update(project)
    assert project.has_file("src/flight_delays/checkpointing/later.py")
    assert review(project) == "The review found nothing.\n"

    commit(project.folder)
    files = project.package / "checkpointing" / "files.py"
    files.write_text("# ours\n" + files.read_text())
    commit(project.folder)
    store.write_text(store.read_text() + "\n# a still later version\n")
    commit(pair.template)
    update(project)
    assert files.read_text().startswith("# ours\n")
    assert project.text("src/flight_delays/checkpointing/store.py").endswith("later version\n")
    lines = [line for line in review(project).splitlines() if "CKP" in line]
    assert [line.partition(":")[0] for line in lines] == [
        "src/flight_delays/checkpointing/files.py"
    ]


def review(project: Project) -> str:
    """What the project's own review prints."""
    finished = subprocess.run(
        [sys.executable, "-m", "flight_delays", "review"],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode in (0, 4), finished.stderr
    return finished.stdout
