"""What the commands do: find the project, call the runtime, print, and give an exit code."""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..base.errors import CheckpointingError, ConfigurationError, Interrupted
from ..base.interrupts import answered, interruptible
from ..base.units import short, size
from ..disk.loading import load_value
from ..disk.place import checkpoints_place, runs_place
from ..disk.store import Store
from ..disk.sweeping import Cleared
from ..memory.budget import effective_budget
from ..memory.limits import machine_limits
from ..reuse.bound import Bound, Project, bind
from ..reuse.standing import Standing, standings
from ..run.describing import describe_project
from ..run.record import RunRecord, clear_runs
from ..run.run import RunOptions, run
from .console import closing_table, progress

_ERROR_STYLE = "bold red"


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
        if record is None:  # else the run had come to its end
            failure = Interrupted("stopped before the run began.")
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


@answered
def status_command(package: str, changes: list[str], verify: bool, as_json: bool) -> int:
    """Tell how each segment stands; the exit code."""
    with _reported() as code:
        project = describe_project(package)
        bound = bind(project, parse_changes(project, changes))
        found = standings(bound, hash_all=verify)
        budget = effective_budget(project.settings.memory, machine_limits())
        if as_json:
            segments = [
                {"name": s.segment.name, "reusable": s.reusable, "reasons": list(s.reasons)}
                for s in found
            ]
            limits = [asdict(limit) for limit in budget.limits]
            told = {"budget_bytes": budget.bytes, "limits": limits, "segments": segments}
            print(json.dumps(told))
            return 0
        console = Console()
        console.print(_standing_table(bound, found))
        binding, *others = (f"{size(limit.bytes)} ({limit.source})" for limit in budget.limits)
        limited = f"memory budget: {binding}; other limits: {', '.join(others)}"
        console.print(limited, highlight=False, markup=False, soft_wrap=True)
        for name, source in bound.inputs.items():
            if source.is_url:
                console.print(f"input {name} is a URL; a change behind it is not noticed")
    return code[0]


@answered
def show_command(package: str, value: str, rows: int) -> int:
    """Print one checkpointed value; the exit code."""
    with _reported() as code:
        project = describe_project(package)
        found = load_value(project.graph, project.settings, value)
        shape = f", {' × '.join(map(str, found.shape))}" if hasattr(found, "shape") else ""
        print(f"{value}: {type(found).__name__}{shape}")
        if hasattr(found, "head"):
            found = found.head(rows)
        elif hasattr(found, "slice"):
            found = found.slice(0, rows)
        print(_as_text(found))
    return code[0]


def _as_text(found: Any) -> str:
    try:
        return str(found.to_string() if hasattr(found, "to_string") else found)
    except Exception as error:  # pandas keeps types of Arrow that it cannot print
        return f"its own library cannot print it: {error!r}"


@answered
def clean_command(package: str, old: bool, runs: bool) -> int:
    """Remove checkpoints, and run records if asked; the exit code.

    What no run has made stays, and a place that no run has claimed is left as it is.
    """
    with _reported() as code:
        project = describe_project(package)
        settings = project.settings
        checkpoints = checkpoints_place(settings, project.graph.name)
        records = runs_place(settings)
        has_records = records.is_ours() if runs else False  # refuses before anything is removed
        cleared = Cleared()
        if checkpoints.is_ours():
            store = Store(checkpoints.folder)
            with store.lock():
                spare = None
                if old:
                    found = standings(bind(project, {}))
                    spare = {(s.segment.name, s.key) for s in found if s.reusable and s.key}
                cleared += store.clear(spare=spare)
        if has_records:
            cleared += clear_runs(records.folder)
            records.give_up()
        print(f"{size(cleared.bytes)} set free")
        cleared.require_complete()
    return code[0]


def parse_changes(project: Project, changes: list[str]) -> dict[str, Any]:
    """`--set NAME=VALUE` as values: text for inputs and for params annotated `str`, else TOML.

    Raises:
        ConfigurationError: an argument is not NAME=VALUE.
    """
    texts = {
        parameter.name
        for step in project.graph.steps
        for parameter in step.parameters
        if parameter.annotation is str
    } | set(project.settings.wiring.inputs)
    parsed: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise ConfigurationError(f"--set {change!r}: write NAME=VALUE")
        parsed[name] = value
        if name not in texts:
            with contextlib.suppress(tomllib.TOMLDecodeError):
                parsed[name] = tomllib.loads(f"value = {value}")["value"]
    return parsed


def print_error(console: Console, error: CheckpointingError) -> None:
    """An error for a person: its own traceback first when a step raised, then what to do."""
    trace = error.details.get("traceback")
    if trace:
        console.print(trace.rstrip(), highlight=False, markup=False, soft_wrap=True)
    where = (
        ""
        if not error.segment or f"`{error.segment}`" in error.message
        else (f"segment `{error.segment}`" + (f", step `{error.step}`: " if error.step else ": "))
    )
    console.print("error:", style=_ERROR_STYLE, end=" ")
    console.print(f"{where}{error.message}", highlight=False, markup=False, soft_wrap=True)


@contextlib.contextmanager
def _reported() -> Iterator[list[int]]:
    """Errors as messages; the exit code is the only item of the list."""
    code = [0]
    try:
        yield code
    except CheckpointingError as error:
        print_error(Console(stderr=True), error)
        code[0] = error.exit_code


def _standing_table(bound: Bound, found: list[Standing]) -> Table:
    table = Table(title=bound.graph.name, title_justify="left")
    for heading in ("segment", "next run", "why", "on disk", "made"):
        table.add_column(heading)
    for item in found:
        kept = item.manifest
        table.add_row(
            item.segment.name,
            "[cyan]reused[/]" if item.reusable else "[yellow]runs[/]",
            escape("\n".join(item.reasons)),
            size(kept.bytes) if kept else "",
            kept.committed_at[:19].replace("T", " ") if kept else "",
        )
    return table
