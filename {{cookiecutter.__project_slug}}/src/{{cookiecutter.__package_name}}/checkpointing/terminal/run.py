"""`run`: live progress, a closing table or JSON, and an exit code."""

from __future__ import annotations

import json

from rich.console import Console

from ..base.units import short
from ..run.describing import describe_project
from ..run.options import RunOptions
from ..run.record import RunRecord
from ..run.run import run
from .changes import parse_changes
from .console import closing_table, progress
from .ending import attempt, exit_code


def run_command(
    package: str,
    pipeline: str | None,
    budget: str | None,
    changes: list[str],
    fresh: bool,
    rerun_from: str | None,
    only: str | None,
    jobs: int | None,
    keep_all: bool,
    as_json: bool,
) -> int:
    """Run the pipeline and show it; the exit code."""

    def make() -> RunRecord:
        project = describe_project(package, pipeline)
        params = parse_changes(project, changes)
        options = RunOptions(params, budget, fresh, rerun_from, only, jobs, keep_all)
        with progress(Console(stderr=True)) as observe:
            return run(project, options, observe)

    record, failure = attempt(make, lambda: RunRecord(""), "the run")
    if as_json:
        print(json.dumps(record.as_json()))
    elif record.segments:
        console = Console()
        console.print(closing_table(record))
        for value, path in record.outputs.items():
            console.print(f"{value}: {short(path)}", highlight=False, markup=False, soft_wrap=True)
    return exit_code(failure)
