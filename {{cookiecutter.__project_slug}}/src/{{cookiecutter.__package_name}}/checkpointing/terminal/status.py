"""`status`: which segments a run would reuse, why the others would run, and the budget."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..base.units import size
from ..memory.budget import effective_budget
from ..memory.limits import machine_limits
from ..reuse.bound import Bound, bind
from ..reuse.standing import Reusable, Standing, Waiting, standings
from ..run.describing import describe_project
from .changes import parse_changes
from .ending import ended


@ended
def status_command(package: str, changes: list[str], verify: bool, as_json: bool) -> int:
    """Show how each segment stands; the exit code."""
    project = describe_project(package)
    bound = bind(project, parse_changes(project, changes), hash_all=verify)
    segment_standings = standings(bound, hash_all=verify)
    budget = effective_budget(project.settings.memory, machine_limits())
    if as_json:
        segments = [
            {
                "name": item.segment.name,
                "reusable": isinstance(item, Reusable),
                "reasons": list(_reasons(item)),
            }
            for item in segment_standings
        ]
        limits = [asdict(limit) for limit in budget.limits]
        content = {"budget_bytes": budget.bytes, "limits": limits, "segments": segments}
        print(json.dumps(content))
        return 0
    console = Console()
    console.print(_standing_table(bound, segment_standings))
    binding, *others = (f"{size(limit.bytes)} ({limit.source})" for limit in budget.limits)
    limited = f"memory budget: {binding}; other limits: {', '.join(others)}"
    console.print(limited, highlight=False, markup=False, soft_wrap=True)
    for name, source in bound.inputs.items():
        if source.is_url:
            console.print(f"input {name} is a URL; changes behind it are not noticed")
    return 0


def _standing_table(bound: Bound, segment_standings: list[Standing]) -> Table:
    table = Table(title=bound.graph.name, title_justify="left")
    for heading in ("segment", "next run", "why", "on disk", "made"):
        table.add_column(heading)
    for item in segment_standings:
        kept = None if isinstance(item, Waiting) else item.manifest
        table.add_row(
            item.segment.name,
            "[cyan]reused[/]" if isinstance(item, Reusable) else "[yellow]runs[/]",
            escape("\n".join(_reasons(item))),
            size(kept.bytes) if kept else "",
            kept.committed_at[:19].replace("T", " ") if kept else "",
        )
    return table


def _reasons(item: Standing) -> tuple[str, ...]:
    return () if isinstance(item, Reusable) else item.reasons
