"""The command `compare`: both runs, a table, and its meaning in plain sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...base.units import size
from ...run.describing import describe_project
from ...terminal.changes import parse_changes
from ...terminal.console import progress
from ...terminal.ending import attempt, exit_code
from .both import CompareOptions, compare
from .chart import memory_chart
from .figures import Comparison, Figures, PlainFigures

_NO_GAIN = 0.9  # of the memory of one script
_CAPTION = "memory of the script alone; with checkpoints, of all processes of the run"
_DISK = {
    "bytes written": "bytes_written",
    "bytes read": "bytes_read",
    "most on disk": "disk_bytes",
}


def compare_command(
    package: str,
    pipeline: str | None,
    budget: str | None,
    limit: str | None,
    changes: list[str],
    as_json: bool,
) -> int:
    """Compare both ways to run the pipeline and show the result; the exit code."""

    def make() -> Comparison:
        project = describe_project(package, pipeline)
        options = CompareOptions(parse_changes(project, changes), budget, limit)
        with progress(Console(stderr=True)) as observe:
            return compare(project, options, observe)

    comparison, failure = attempt(make, Comparison, "the comparison")
    if as_json:
        print(json.dumps(comparison.as_json()))
    elif comparison.plain is not None and comparison.checkpoints is not None:
        console = Console()
        both = comparison.plain, comparison.checkpoints
        console.print(memory_chart(comparison, *both, console.encoding), end="\n\n")
        console.print(comparison_table(comparison, *both))
        for line in sentences(comparison, *both):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    return exit_code(failure)


def comparison_table(comparison: Comparison, plain: PlainFigures, checkpoints: Figures) -> Table:
    """The memory, time and disk of each run, and the ratio of both."""
    budget = f"budget {size(comparison.budget_bytes)} ({comparison.budget_source})"
    title = f"{comparison.pipeline}: {budget}"
    table = Table(title=escape(title), title_justify="left", caption=_CAPTION)
    table.add_column("")
    for heading in ("plain script", "checkpoints", "ratio"):
        table.add_column(heading, justify="right")
    more, less = ("", "") if plain.status == "ran" else ("≥ ", "≤ ")
    share = [f"{run.peak_bytes / comparison.budget_bytes:.0%}" for run in (plain, checkpoints)]
    known = comparison.peak_ratio, comparison.own_ratio, comparison.time_ratio
    peak, own, took = map(_ratio, known)
    memory, held = size(checkpoints.peak_bytes), size(checkpoints.own_bytes)
    table.add_row("peak held memory", more + size(plain.peak_bytes), memory, peak and less + peak)
    table.add_row("  before any step", *(size(run.fixed_bytes) for run in (plain, checkpoints)))
    table.add_row("  by the steps", more + size(plain.own_bytes), held, own and less + own)
    table.add_row("of budget", more + share[0], share[1])
    table.add_row("time", f"{more}{plain.seconds:.1f} s", f"{checkpoints.seconds:.1f} s", took)
    for name, figure in _DISK.items():
        table.add_row(name, *(size(getattr(run, figure)) for run in (plain, checkpoints)))
    return table


def sentences(comparison: Comparison, plain: PlainFigures, checkpoints: Figures) -> Iterator[str]:
    """The result of the comparison, in sentences."""
    where = f"in step `{plain.ended_in}`" if plain.ended_in else "before its first step"
    budget, held = size(comparison.budget_bytes), size(plain.peak_bytes)
    match plain.status:
        case "ran":
            yield f"The plain script held up to {held}."
        case "stopped":
            yield f"The plain script was stopped {where}, with {held} held: {plain.why}."
        case _:
            yield f"The plain script failed {where}, with {held} held."
    if plain.over_budget_in is not None:
        yield f"It would have exceeded the budget of {budget} in step `{plain.over_budget_in}`."
    peak = size(checkpoints.peak_bytes)
    yield f"With checkpoints all steps ran within {peak}{_ratio_clause(comparison)}."
    yield from _result_sentences(comparison.same_results, comparison.same_but_for_time)
    yield f"Verdict: {verdict(comparison, plain)}"


def verdict(comparison: Comparison, plain: PlainFigures) -> str:
    """Whether the checkpoints pay, as a sentence."""
    ratio, needed = comparison.peak_ratio, size(plain.peak_bytes)
    if plain.over_budget_in is not None:
        return "checkpoints are needed, for one script does not fit the budget."
    if plain.status == "stopped":
        return "checkpoints are needed on this machine, for one script does not fit it."
    if ratio is None:
        return "unknown, because the plain script failed."
    if ratio > _NO_GAIN:
        return (
            "checkpoints save no memory here. Either the steps hold little beside what is fixed, "
            "or one segment holds nearly everything."
        )
    return (
        f"one script fits this budget. Checkpoints pay where less than {needed} is granted, or "
        f"where a restart costs more than {_added(comparison)}."
    )


def _added(comparison: Comparison) -> str:
    plain, checkpoints = comparison.plain, comparison.checkpoints
    assert plain is not None
    assert checkpoints is not None
    return f"{max(0.0, checkpoints.seconds - plain.seconds):.1f} s"


def _ratio_clause(comparison: Comparison) -> str:
    """The end of a sentence: both ratios, as far as they are known."""
    ratios = []
    if comparison.peak_ratio is not None:
        most = "" if comparison.time_ratio is not None else "at most "
        ratios.append(f"{most}{comparison.peak_ratio:.2f} × the memory")
    if comparison.time_ratio is not None:
        ratios.append(f"{comparison.time_ratio:.2f} × the time")
    return f": {', '.join(ratios)}" if ratios else ""


def _result_sentences(same: dict[str, bool] | None, but_for_time: list[str]) -> Iterator[str]:
    if same is None:
        yield "Results could not be compared."
        return
    others = [f"`{value}`" for value, is_same in same.items() if not is_same]
    if others:
        yield (
            f"Results differ: {', '.join(others)}. The cause may be a step that changes what it "
            f"was given, keeps something from call to call, reads the clock, draws random numbers "
            f"without a seed (`default_rng()`, `uuid4()`, `os.urandom()`), or sums up in several "
            f"threads; `review` finds most of these."
        )
    elif same:
        equal = [f"`{value}`" for value in same if value not in but_for_time]
        if equal:
            yield f"Same results: yes, every byte of {', '.join(equal)}."
    if but_for_time:
        named = ", ".join(f"`{value}`" for value in but_for_time)
        yield f"Same content, but for the time at which the file was made: {named}."
    if not same:
        yield "There are no outputs to compare."


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
