"""`run`: live progress, a closing table or JSON, and an exit code."""

from __future__ import annotations

import json

from rich.console import Console

from ..base.errors import CheckpointingError, Interrupted
from ..base.interrupts import interruptible
from ..base.units import short
from ..run.describing import describe_project
from ..run.record import RunRecord
from ..run.run import RunOptions, run
from .console import closing_table, progress
from .project import parse_changes, print_error


def run_command(
    package: str,
    budget: str | None,
    changes: list[str],
    fresh: bool,
    rerun_from: str | None,
    only: str | None,
    as_json: bool,
) -> int:
    """Run the pipeline and show it; the exit code."""
    errors = Console(stderr=True)
    record: RunRecord | None = None
    failure: CheckpointingError | None = None
    try:
        with interruptible:
            project = describe_project(package)
            options = RunOptions(parse_changes(project, changes), budget, fresh, rerun_from, only)
            with progress(errors) as observe:
                record = run(project, options, observe)
    except CheckpointingError as error:
        failure = error
    except KeyboardInterrupt:
        if record is None:  # otherwise the run was complete
            failure = Interrupted("stopped before the run started.")
    if failure is not None:
        record = failure.record or RunRecord("", error=failure.as_json())
    assert record is not None, "a run that did not fail has a record"
    if as_json:
        print(json.dumps(record.as_json()))
    elif record.segments:
        console = Console()
        console.print(closing_table(record))
        for value, path in record.outputs.items():
            console.print(f"{value}: {short(path)}", highlight=False, markup=False, soft_wrap=True)
    if failure is not None:
        print_error(errors, failure)
    return failure.exit_code if failure else 0
