"""Small projects that exist only to be reviewed: text in, findings out."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flight_delays.checkpointing.base.seal import write_record
from flight_delays.checkpointing.tools.review.checks import review
from flight_delays.checkpointing.tools.review.findings import Finding

IDENTITY = {
    f"GIT_{who}_{role}": f"{who}@example.org".lower()
    for who in ("AUTHOR", "COMMITTER")
    for role in ("NAME", "EMAIL")
}
HEADER = """
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
import numpy as np
import pandas as pd
from ..checkpointing import Columns, step
"""
VERSION, COMMIT = "1.4.0", "5eed" * 10
RUNTIME = (
    '"""A stand-in for the runtime, of which only the record matters here."""\n\n'
    f'__version__ = "{VERSION}"\n'
)


@dataclass(frozen=True)
class Reviewed:
    """A project in a folder of its own, whose package is `demo`."""

    folder: Path
    package: str = "src/demo"

    def write(self, **files: str) -> Reviewed:
        """Write segments by name, each below the usual imports; the pipeline lists them."""
        for name, text in files.items():
            body = textwrap.dedent(HEADER) + textwrap.dedent(text)
            self.put({f"{self.package}/segments/{name}.py": body})
        names = ", ".join(files)
        pipeline = (
            f"from .checkpointing import Pipeline\nfrom .segments import {names}\n\n"
            f"PIPELINE = Pipeline({names})\n"
        )
        return self.put({f"{self.package}/pipeline.py": pipeline})

    def put(self, files: Mapping[str, str | bytes]) -> Reviewed:
        """Write files as they are, by their paths in the project."""
        defaults = {
            "pipeline.toml": "",
            "memory_budget.toml": "",
            f"{self.package}/__init__.py": "",
            f"{self.package}/checkpointing/__init__.py": RUNTIME,
        }
        missing = {p: text for p, text in defaults.items() if not (self.folder / p).exists()}
        for path, text in {**missing, **files}.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text if isinstance(text, bytes) else text.encode())
        if missing:
            self.record()
        return self

    def record(self, version: str = VERSION) -> None:
        """Note the checksums of the template's files, as generating a project does."""
        runtime = self.folder / self.package / "checkpointing"
        write_record(self.folder, runtime, "a-template", version, COMMIT)

    def commit(self) -> None:
        """Make the project a git repository with all that stands there now."""
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "before"]):
            subprocess.run(["git", *words], cwd=self.folder, env=os.environ | IDENTITY, check=True)

    def findings(self, base: str | None = None) -> list[Finding]:
        return review(self.folder, self.folder / self.package, base)

    def rules(self, base: str | None = None) -> list[str]:
        """The rules that are broken, once for each finding, in the order of the files."""
        return [finding.rule for finding in self.findings(base)]


def lines_of(findings: list[Finding]) -> list[str]:
    """Findings as `file:line rule`, without the folders."""
    return [f"{re.sub('.*/', '', f.path)}:{f.line} {f.rule}" for f in findings]
