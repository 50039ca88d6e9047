"""`status`: which segments a run would reuse, why the others would run, and the budget."""

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
from .project import parse_changes, print_error, reported

@answered
def status_command(package: str, changes: list[str], verify: bool, as_json: bool) -> int:
    """Tell how each segment stands; the exit code."""
    with reported() as code:
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
