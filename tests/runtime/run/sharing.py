"""A project whose checkpoints are at a URL, and its clones: other folders, as on other machines."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.runtime.conftest import MEMORY_BUDGET, Project

LEFT_BEHIND = ("checkpoints", "runs", "executed.txt", "out")  # what git does not track


def share(project: Project, url: str, **settings: object) -> Project:
    """Have a project's checkpoints at a URL, with these further settings of [checkpoints]."""
    lines = [f'path = "{url}"', *(f"{name} = {value}" for name, value in settings.items())]
    project.write("memory_budget.toml", "\n".join([MEMORY_BUDGET, "[checkpoints]", *lines]))
    return project


def clone(project: Project, folder: Path) -> Project:
    """The project as another machine gets it: without checkpoints, records and outputs."""
    shutil.copytree(
        project.folder, folder, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_BEHIND)
    )
    return Project(folder)
