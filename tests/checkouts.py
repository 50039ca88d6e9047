"""Generated projects under version control, and an environment that names no other project."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .conftest import Project

_IDENTITY = {
    f"GIT_{who}_{what}": f"{who}@example.org".lower()
    for who in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}
_OF_THIS_PROJECT = {"VIRTUAL_ENV", "PYTHONPATH", "MEMORY_BUDGET", "RUFF_CACHE_DIR"}


def environment(*programs: Path) -> dict[str, str]:
    """This process's environment, with folders of programs to look in first."""
    kept = {key: value for key, value in os.environ.items() if key not in _OF_THIS_PROJECT}
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    return {**kept, **_IDENTITY, "PATH": path, "GIT_CONFIG_GLOBAL": os.devnull}


def git(folder: Path, *words: str) -> str:
    """Run git; returns what it prints."""
    command = ["git", *words]
    finished = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout.strip()


def commit(folder: Path, message: str = "a version") -> None:
    """Commit everything that git does not ignore, past any hook."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", message)


def repository(project: Project) -> Project:
    """Put a project under version control, on the branch main."""
    git(project.folder, "init", "--quiet", "--initial-branch", "main")
    commit(project.folder)
    return project
