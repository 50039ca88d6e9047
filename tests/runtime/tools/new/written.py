"""Small projects to which something is added, as text: no process, no import of their code."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from flight_delays.checkpointing.tools.new.making import Made, new_pipeline, new_segment, new_step
from flight_delays.checkpointing.tools.new.project import project_in
from flight_delays.checkpointing.tools.new.writing import write_all

HEADER = """\
import pandas as pd

from ..checkpointing import step
"""
STEP = '''

@step
def {name}({parameters}) -> {returns}:
    """A value."""
    return {body}
'''
SEGMENTS = {
    "s01_ingest": ("flights", "", "pd.DataFrame", 'pd.DataFrame({"number": [1]})'),
    "s02_clean": ("flown", "flights: pd.DataFrame", "pd.DataFrame", "flights.dropna()"),
    "s03_enrich": ("delays", "flown: pd.DataFrame", "pd.DataFrame", "flown.dropna()"),
}
BUDGET = '[cluster]\nram = "100 GB"\nquota = "50 %"\n'
RUFF = """\
[tool.ruff]
line-length = 100
extend-exclude = ["src/*/checkpointing"]

[tool.ruff.lint]
select = ["B", "C4", "DTZ", "E", "F", "I", "N", "NPY", "PD", "PT", "RET",
    "RUF", "SIM", "TC", "UP", "W"]

[tool.ruff.lint.flake8-type-checking]
runtime-evaluated-decorators = ["demo.checkpointing.step"]
"""


@dataclass(frozen=True)
class Written:
    """A project in a folder of its own, whose package is `demo`."""

    folder: Path

    @property
    def package(self) -> Path:
        return self.folder / "src" / "demo"

    @property
    def pipeline(self) -> Path:
        return self.package / "pipeline.py"

    def put(self, path: str, text: str) -> Path:
        """Write a file, whose text may be indented."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(textwrap.dedent(text).encode())
        return target

    def segment(self, name: str, step: str, parameters: str, returns: str, body: str) -> None:
        """Write a segment of one step."""
        text = STEP.format(name=step, parameters=parameters, returns=returns, body=body)
        self.put(f"src/demo/segments/{name}.py", HEADER + text)

    def add_segment(self, name: str, after: str | None = None, pipeline: str | None = None) -> Made:
        return self._write(
            new_segment(project_in(self.folder, self.package), name, after, pipeline)
        )

    def add_step(self, name: str, into: str) -> Made:
        return self._write(new_step(project_in(self.folder, self.package), name, into))

    def add_pipeline(self, name: str) -> Made:
        return self._write(new_pipeline(project_in(self.folder, self.package), name))

    def _write(self, made: Made) -> Made:
        if not made.by_hand:
            write_all(
                {path: source.content for path, source in made.created.items()},
                {path: source.content for path, source in made.changed.items()},
            )
        return made

    def files(self) -> dict[str, bytes]:
        """All files by their paths."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}

    def text(self, path: str) -> str:
        return (self.folder / path).read_bytes().decode()

    def require_tidy(self) -> None:
        """Fail if ruff would change anything."""
        for words in (["format", "--diff"], ["check"]):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", words[0], "--no-cache", *words[1:], "."],
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr


def written(folder: Path) -> Written:
    """A project of three segments, of which each passes a table on to the next."""
    project = Written(folder)
    for name, step in SEGMENTS.items():
        project.segment(name, *step)
    project.put("src/demo/__init__.py", '"""A package."""\n')
    project.put("src/demo/segments/__init__.py", "")
    project.put(
        "src/demo/pipeline.py",
        """\
        from .checkpointing import Pipeline
        from .segments import s01_ingest, s02_clean, s03_enrich

        PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, name="demo")
        """,
    )
    project.put("memory_budget.toml", BUDGET)
    project.put("pipeline.toml", '[inputs]\nraw_file = "raw.csv"\n\n[params]\nlimit = 3\n')
    project.put("pyproject.toml", RUFF)
    return project
