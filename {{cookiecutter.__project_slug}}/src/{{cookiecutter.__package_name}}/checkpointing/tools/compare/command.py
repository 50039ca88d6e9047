"""The command `compare`: both runs, a table, and what it means in plain sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...base.errors import CheckpointingError, Interrupted
from ...base.interrupts import interruptible
from ...base.units import size
from ...run.describing import describe_project
from ...terminal.console import progress
from ...terminal.project import parse_changes, print_error
from .both import CompareOptions, compare
from .figures import Comparison, Figures, PlainFigures

_CAPTION = "memory of the script alone; with checkpoints, of all processes of the run"
_DISK = {
    "bytes written": "bytes_written",
    "bytes read": "bytes_read",
    "most on disk": "disk_bytes",
}


def compare_command(
    package: str, budget: str | None, limit: str | None, changes: list[str], as_json: bool
) -> int:
    """Compare both ways to run the pipeline and show the result; the exit code."""
    errors = Console(stderr=True)
    found: Comparison | None = None
    failure: CheckpointingError | None = None
    try:
        with interruptible:
            project = describe_project(package)
            options = CompareOptions(parse_changes(project, changes), budget, limit)
            with progress(errors) as observe:
                found = compare(project, options, observe)
    except CheckpointingError as error:
        failure = error
    except KeyboardInterrupt:
        if found is None:  # else the comparison had come to its end
            failure = Interrupted("stopped before the comparison began.")
    if failure is not None:
        found = failure.record or Comparison(error=failure.as_json())
    assert found is not None, "a comparison that did not fail was made"
    if as_json:
        print(json.dumps(found.as_json()))
    elif found.plain is not None and found.checkpoints is not None:
        console = Console()
        console.print(comparison_table(found, found.plain, found.checkpoints))
        for line in sentences(found, found.plain, found.checkpoints):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if failure is not None:
        print_error(errors, failure)
    return failure.exit_code if failure else 0


def comparison_table(found: Comparison, plain: PlainFigures, checkpoints: Figures) -> Table:
    """What each run took, and what the one with checkpoints took of the other."""
    title = f"{found.pipeline}: budget {size(found.budget_bytes)} ({found.budget_source})"
    table = Table(title=escape(title), title_justify="left", caption=_CAPTION)
    table.add_column("")
    for heading in ("plain script", "checkpoints", "ratio"):
        table.add_column(heading, justify="right")
    more, less = ("", "") if plain.status == "ran" else ("≥ ", "≤ ")
    share = [f"{run.peak_bytes / found.budget_bytes:.0%}" for run in (plain, checkpoints)]
    peak, took = (_ratio(ratio) for ratio in (found.peak_ratio, found.time_ratio))
    memory = size(checkpoints.peak_bytes)
    table.add_row("peak held memory", more + size(plain.peak_bytes), memory, peak and less + peak)
    table.add_row("of it before any step", *(size(run.fixed_bytes) for run in (plain, checkpoints)))
    table.add_row("of budget", more + share[0], share[1])
    table.add_row("time", f"{more}{plain.seconds:.1f} s", f"{checkpoints.seconds:.1f} s", took)
    for name, figure in _DISK.items():
        table.add_row(name, *(size(getattr(run, figure)) for run in (plain, checkpoints)))
    return table


def sentences(found: Comparison, plain: PlainFigures, checkpoints: Figures) -> Iterator[str]:
    """What the comparison shows, in words."""
    where = f"in step `{plain.ended_in}`" if plain.ended_in else "before its first step"
    budget, held = size(found.budget_bytes), size(plain.peak_bytes)
    match plain.status:
        case "ran":
            yield f"The plain script held up to {held}."
        case "stopped":
            yield f"The plain script was stopped {where}, with {held} held: {plain.why}."
        case _:
            yield f"The plain script failed {where}, with {held} held."
    if plain.over_budget_in is not None:
        yield f"It would have exceeded the budget of {budget} in step `{plain.over_budget_in}`."
    elif plain.status == "ran":
        yield (
            f"It would have stayed within the budget of {budget}: for their memory alone these "
            f"steps need no checkpoints."
        )
    yield f"With checkpoints all steps ran within {size(checkpoints.peak_bytes)}{_told(found)}."
    yield from _told_of_results(found.same_results)


def _told(found: Comparison) -> str:
    ratios = []
    if found.peak_ratio is not None:
        most = "" if found.time_ratio is not None else "at most "
        ratios.append(f"{most}{found.peak_ratio:.2f} × the memory")
    if found.time_ratio is not None:
        ratios.append(f"{found.time_ratio:.2f} × the time")
    return f": {', '.join(ratios)}" if ratios else ""


def _told_of_results(same: dict[str, bool] | None) -> Iterator[str]:
    if same is None:
        yield "Results could not be compared."
        return
    others = [f"`{value}`" for value, is_same in same.items() if not is_same]
    if others:
        yield (
            f"Results differ: {', '.join(others)}. The cause may be a step that changes what it "
            f"was given, keeps something from call to call, reads the clock, or sums up in several "
            f"threads."
        )
    elif same:
        yield f"Same results: yes, every byte of {', '.join(f'`{value}`' for value in same)}."
    else:
        yield "There are no outputs to compare."


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
