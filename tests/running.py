"""Python that runs in a baked project, with the libraries of the tests and no install."""

from __future__ import annotations

import os
import subprocess
import sys

from .conftest import Project
from .java import java_variables


def tried(project: Project, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the project, in the environment of these tests, and these variables."""
    own = {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=project.folder,
        env=os.environ | java_variables() | own | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def python(project: Project, *words: str, **variables: str) -> str:
    """Run Python in the project, and return what it prints, once it has succeeded."""
    finished = tried(project, *words, **variables)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout
