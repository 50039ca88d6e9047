"""The command `plan`: what a run would take, from what earlier runs measured; it runs nothing."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

from ...base.errors import CheckpointingError, ConfigurationError
from ...base.interrupts import answered
from ...disk.place import runs_place
from ...memory.budget import EffectiveBudget, effective_budget
from ...memory.forecast import PartForecast, forecast_of
from ...memory.limits import machine_limits
from ...memory.plan import Choice, peak_step
from ...memory.profile import read_profile
from ...reuse.bound import Bound, bind, known_input_bytes
from ...reuse.standing import identities, reusable, standings
from ...run.describing import describe_project
from ...run.verdicts import require_fit
from ...terminal.project import parse_changes, print_error
from .mermaid import flowchart
from .outlook import Boundary, Outlook, outlook
from .table import print_outlook


@answered
def plan_command(
    package: str, budget: str | None, changes: list[str], as_json: bool, as_mermaid: bool
) -> int:
    """Show the plan of a run from the beginning; the exit code.

    That is 3 when a step is known not to fit, by a run with the same code, params and inputs.
    """
    errors = Console(stderr=True)
    try:
        if as_json and as_mermaid:
            raise ConfigurationError("--json and --mermaid: choose one of them.")
        project = describe_project(package)
        bound = bind(project, parse_changes(project, changes))
        memory = bound.settings.memory
        limit = effective_budget(memory, machine_limits(), budget)
        told = _look_out(bound, limit)
    except CheckpointingError as error:
        print_error(errors, error)
        return error.exit_code
    refusals = _refusals(bound, told, limit)
    failure = next(iter(refusals.values()), None)
    if as_json:
        print(json.dumps(outlook_json(told, limit, _outdated(bound, told), failure)))
    elif as_mermaid:
        print(flowchart(told))
    else:
        print_outlook(Console(), told, limit, _outdated(bound, told), refusals)
    if failure is not None:
        print_error(errors, failure)
    return failure.exit_code if failure else 0


def _look_out(bound: Bound, budget: EffectiveBudget) -> Outlook:
    """The outlook for inputs of the size that they have now, where they exist."""
    graph = bound.graph
    settings = bound.settings
    runs_place(settings).is_ours()
    upstream = reusable(standings(bound))
    profile = read_profile(settings.runs, graph.name, budget.count)
    forecast = forecast_of(graph, profile, settings.memory, known_input_bytes(bound, upstream))
    return outlook(forecast, budget.bytes, settings.memory.segment.headroom)


def _refusals(
    bound: Bound, told: Outlook, budget: EffectiveBudget
) -> dict[str, CheckpointingError]:
    """By segment, the error by which a run would refuse a step that does not fit."""
    known_by = identities(bound)
    found: dict[str, CheckpointingError] = {}
    for segment, planned in told.declared.items():
        try:
            require_fit(planned, told.forecast, segment, known_by[segment.name], budget)
        except CheckpointingError as error:
            found[segment.name] = error
    return found


def _outdated(bound: Bound, told: Outlook) -> list[str]:
    """Segments with a step that was measured with other code, params or inputs than it has now."""
    measures, known_by = told.forecast.measures, identities(bound)
    return [
        segment.name
        for segment in bound.graph.segments
        if {measures[s.name].identity for s in segment.steps if s.name in measures}
        - {known_by[segment.name]}
    ]


def outlook_json(
    told: Outlook, budget: EffectiveBudget, outdated: list[str], failure: CheckpointingError | None
) -> dict[str, Any]:
    """What `plan --json` prints; sizes in bytes, steps by name, in the order they run in.

    Of a whole plan `parts` counts the parts, `peak_bytes` is the most that is held, and
    `bytes_written` and `bytes_read` are the values kept for later parts, outputs left out:

    - `pipeline`, `budget_bytes`, `budget_source`, `headroom` as a share, `usable_bytes`: the budget
      without the headroom; `outputs`: the values that are written in any case;
    - `measured`: false when nothing is known; sizes are then 0. `unknown`: the steps that were
      never measured, and count as nothing; `outdated`: the segments that were measured with other
      code, params or inputs; `fixed_bytes`: what is held before any step;
    - `declared`: the plan with the declared boundaries; `best`: without them, where `before` lists
      the steps before which it cuts. `lower_bound_bytes`: no parts write and read less;
    - `segments`: [{`name`, `parts`: [{`steps`, `why`, `peak_bytes`, `peak_step`, `bytes_written`,
      `bytes_read`, `unknown`}]}]; `why` it begins there: segment, sink or memory; `peak_step`
      is null when it is the writing of the checkpoint that holds the most;
    - `boundaries`: [{`before`, a segment; `pays`; `verdict`: sink, needed, free, costs or hinders;
      `cost_bytes`; `live_bytes`, of the values kept across it; `instead`: steps before which there
      would be a cut without it; `unknown`}];
    - `other_budgets`: [{`budget_bytes`, `declared` and `best`: {`parts`, `peak_bytes`,
      `bytes_moved`}, null where that does not fit}]; `least`: {`budget_bytes`, `step`}, the budget
      below which that step fits no part, even without headroom;
    - `error`: as in `run --json`, if a run would refuse to start.
    """
    graph, best = told.forecast.graph, told.best
    names = [step.name for step in graph.steps]
    count = sum(len(planned.parts) for planned in told.declared.values())
    least, least_step = told.least
    return {
        "pipeline": graph.name,
        "budget_bytes": budget.bytes,
        "budget_source": budget.source,
        "headroom": told.headroom,
        "usable_bytes": told.usable,
        "outputs": list(graph.outputs(range(len(names)))),
        "measured": told.is_measured,
        "fixed_bytes": told.fixed,
        "unknown": list(told.unknown),
        "outdated": outdated,
        "declared": _sums(count, told.peak, told.written, told.read),
        "best": _sums(len(best.parts), best.peak, best.written, best.read)
        | {"before": [names[cut] for cut in best.cuts]},
        "lower_bound_bytes": told.lower_bound,
        "segments": [
            {"name": segment.name, "parts": [_part(told, part) for part in planned.parts]}
            for segment, planned in told.declared.items()
        ],
        "boundaries": [_boundary(told, boundary) for boundary in told.boundaries],
        "other_budgets": [
            {
                "budget_bytes": other.budget,
                "declared": _choice(other.declared),
                "best": _choice(other.best),
            }
            for other in told.others
        ],
        "least": {"budget_bytes": least, "step": names[least_step]},
        **({"error": failure.as_json()} if failure else {}),
    }


def _part(told: Outlook, part: PartForecast) -> dict[str, Any]:
    graph = told.forecast.graph
    steps = graph.steps[part.part.start : part.part.stop]
    return {
        "steps": [step.name for step in steps],
        "why": told.why(part),
        "peak_bytes": part.peak,
        "peak_step": peak_step(told.forecast, part),
        "bytes_written": part.written,
        "bytes_read": part.read,
        "unknown": list(part.unknown),
    }


def _boundary(told: Outlook, boundary: Boundary) -> dict[str, Any]:
    graph = told.forecast.graph
    names = [step.name for step in graph.steps]
    return {
        "before": graph.producer(names[boundary.before]).name,
        "pays": boundary.pays,
        "verdict": boundary.verdict,
        "cost_bytes": boundary.cost,
        "live_bytes": boundary.live,
        "instead": [names[cut] for cut in boundary.instead],
        "unknown": list(boundary.unknown),
    }


def _sums(parts: int, peak: int, written: int, read: int) -> dict[str, Any]:
    return {
        "parts": parts,
        "peak_bytes": peak,
        "bytes_written": written,
        "bytes_read": read,
    }


def _choice(choice: Choice | None) -> dict[str, int] | None:
    if choice is None:
        return None
    return {
        "parts": len(choice.parts),
        "peak_bytes": choice.peak,
        "bytes_moved": choice.transfers,
    }
