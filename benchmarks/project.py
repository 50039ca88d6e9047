"""A small project around the template's runtime, written for one benchmark."""

from __future__ import annotations

import compileall
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flight_delays import checkpointing
from measure import Watched, watch

_MAIN = """\
from .checkpointing.start import start

start()

from .checkpointing.cli import application

application("{package}")()
"""
_PIPELINE = """\
from .checkpointing import Pipeline
from .segments import {names}

PIPELINE = Pipeline({names}, name="{package}")
"""
_MEMORY_BUDGET = """\
[cluster]
ram = "1000 GB"
quota = "100 %"

[checkpoints]
keep = 0
"""


@dataclass(frozen=True)
class Project:
    """A project in a folder of its own; `python -m <package>` runs its commands."""

    folder: Path
    package: str

    def python(
        self,
        *arguments: str | Path,
        limit: int | None = None,
        more: Mapping[str, str] | None = None,
        memory: bool = True,
    ) -> Watched:
        """Run Python where the package can be imported, watched from outside.

        `more` is added to its environment; `memory` as for `watch`.
        """
        path = {"PYTHONPATH": str(self.folder / "src")} | dict(more or {})
        return watch([sys.executable, *arguments], self.folder, path, limit, memory=memory)

    def command(
        self,
        *arguments: str,
        limit: int | None = None,
        more: Mapping[str, str] | None = None,
        memory: bool = True,
    ) -> Watched:
        """Run one of the project's commands."""
        return self.python("-m", self.package, *arguments, limit=limit, more=more, memory=memory)


def write_project(
    folder: Path, package: str, segments: Mapping[str, str], wiring: str = ""
) -> Project:
    """Write a project anew.

    Args:
        segments: the source of each segment's module, in order.
        wiring: the text of pipeline.toml.
    """
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "src" / package
    (source / "segments").mkdir(parents=True)
    shutil.copytree(
        Path(checkpointing.__file__).parent,
        source / "checkpointing",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    compileall.compile_dir(source / "checkpointing", quiet=1)  # as after the first command
    (source / "__init__.py").touch()
    (source / "segments" / "__init__.py").touch()
    (source / "__main__.py").write_text(_MAIN.format(package=package))
    for name, text in segments.items():
        (source / "segments" / f"{name}.py").write_text(text)
    names = ", ".join(segments)
    (source / "pipeline.py").write_text(_PIPELINE.format(names=names, package=package))
    (folder / "pipeline.toml").write_text(wiring)
    (folder / "memory_budget.toml").write_text(_MEMORY_BUDGET)
    return Project(folder, package)


def as_segment(source: str, steps: str) -> str:
    """The source of a segment that is kept here as a module of a folder named `steps`.

    There it can be checked. In a project the runtime and the other modules lie beside it.
    """
    source = source.replace(
        "from flight_delays.checkpointing import", "from ..checkpointing import"
    )
    return source.replace(f"from {steps}.", "from ..")


def sample_project(folder: Path) -> Project:
    """A copy of the generated project: the one whose package is importable."""
    baked = Path(checkpointing.__file__).parents[3]
    if not (baked / "pipeline.toml").exists():
        raise SystemExit(f"{baked} is no generated project: run `python3 dev.py bench`")
    shutil.rmtree(folder, ignore_errors=True)
    left = ("__pycache__", "checkpoints", "runs", "out", "tests", ".venv")
    shutil.copytree(baked, folder, ignore=shutil.ignore_patterns(*left))
    return Project(folder, "flight_delays")
