"""`status`: which segments a run would reuse, why the others would run, and the budget."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..base.units import size
from ..disk.manifest import Acceptance
from ..disk.place import runs_place
from ..memory.budget import effective_budget
from ..memory.limits import machine_limits
from ..memory.warden import warden
from ..reuse.bound import Bound, bind
from ..reuse.standing import (
    Reusable,
    Standing,
    Waiting,
    certain_steps,
    standings,
    which_steps,
)
from ..run.describing import describe_pipelines, describe_project
from ..run.ledger import Entry, runs_at_work
from ..run.outputs import Lookout
from .changes import parse_changes
from .ending import ended
from .items import item_lines
from .outside import outside_json, outside_lines


@ended
def status_command(
    package: str, pipeline: str | None, changes: list[str], verify: bool, as_json: bool
) -> int:
    """Show how each segment stands, of one pipeline or of all; the exit code."""
    projects = (
        describe_pipelines(package) if pipeline is None else [describe_project(package, pipeline)]
    )
    all_bound = [bind(p, parse_changes(p, changes), hash_all=verify) for p in projects]
    shown = [(bound, standings(bound, hash_all=verify), Lookout(bound)) for bound in all_bound]
    settings = projects[0].settings
    budget = effective_budget(settings.memory, machine_limits())
    guarding = warden()
    runs_place(settings).is_ours()
    at_work = runs_at_work(settings)
    if as_json:
        pipelines = [
            {
                "name": bound.graph.name,
                "segments": [_as_json(bound, lookout, item) for item in stand],
            }
            for bound, stand, lookout in shown
        ]
        content = {
            "budget_bytes": budget.bytes,
            "limits": [{"bytes": each.bytes, "source": each.source} for each in budget.limits],
            "warden": asdict(guarding),
            "segments": pipelines[0]["segments"],
            "pipelines": pipelines,
            "at_work": [asdict(entry) for entry in at_work],
        }
        print(json.dumps(content))
        return 0
    console = Console()
    for bound, stand, _ in shown:
        console.print(_standing_table(bound, stand))
    binding, *others = (f"{size(limit.bytes)} ({limit.source})" for limit in budget.limits)
    lines = [f"memory budget: {binding}; other limits: {', '.join(others)}"]
    lines += [f"enforced by the {guarding.kind}: {guarding.why}"]
    lines += [f"{entry.name} is at work: {_doing(entry)}" for entry in at_work]
    lines += [line for bound in all_bound for line in bound.store.remarks()]
    lines += [line for bound, stand, _ in shown for line in item_lines(bound, stand)]
    lines += [
        line
        for bound, stand, lookout in shown
        for item in stand
        for line in outside_lines(bound, lookout, item)
    ]
    lines += [
        f"input {name} is a URL; changes behind it are not noticed"
        for name in dict.fromkeys(
            name for b in all_bound for name, source in b.inputs.items() if source.is_url
        )
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0


def _as_json(bound: Bound, lookout: Lookout, item: Standing) -> dict[str, Any]:
    """How a segment stands; `runs` are the steps that a run runs for certain."""
    return {
        "name": item.segment.name,
        "reusable": isinstance(item, Reusable),
        "reasons": list(_reasons(bound, item)),
        "executor": bound.settings.wiring.run_on.get(item.segment.name, ""),
        "runs": list(certain_steps(bound, item)),
        "accepted": [acceptance.sentence for acceptance in _accepted(item)],
        **outside_json(bound, lookout, item),
    }


def _doing(entry: Entry) -> str:
    if entry.state in ("waiting", "last"):
        return "it waits for its share of the budget"
    return f"it may hold {size(entry.holds)}"


def _standing_table(bound: Bound, segment_standings: list[Standing]) -> Table:
    table = Table(title=bound.graph.name, title_justify="left")
    for heading in ("segment", "next run", "why", "on disk", "made"):
        table.add_column(heading)
    for item in segment_standings:
        kept = None if isinstance(item, Waiting) else item.manifest
        table.add_row(
            item.segment.name,
            _next_run(item) + _where(bound, item),
            escape("\n".join([*_reasons(bound, item), *(a.sentence for a in _accepted(item))])),
            size(kept.bytes) if kept else "",
            kept.committed_at[:19].replace("T", " ") if kept else "",
        )
    return table


def _next_run(item: Standing) -> str:
    if not isinstance(item, Reusable):
        return "[yellow]runs[/]"
    return "[cyan]reused[/], in part" if item.always else "[cyan]reused[/]"


def _where(bound: Bound, item: Standing) -> str:
    """Where a segment runs, if that is not here."""
    name = bound.settings.wiring.run_on.get(item.segment.name)
    return f" on {escape(name)}" if name and not isinstance(item, Reusable) else ""


def _reasons(bound: Bound, item: Standing) -> tuple[str, ...]:
    reasons = () if isinstance(item, Reusable) else item.reasons
    which = which_steps(bound, item)
    return (*reasons, which) if which else reasons


def _accepted(item: Standing) -> tuple[Acceptance, ...]:
    return item.manifest.accepted if isinstance(item, Reusable) else ()
