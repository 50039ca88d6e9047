"""The command `plan`: what a run would need, from measurements of earlier runs; runs no step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console

from ...base.errors import CheckpointingError, ConfigurationError
from ...disk.place import runs_place
from ...graph.steps import Segment
from ...memory.budget import EffectiveBudget, effective_budget, executor_budget
from ...memory.cuts import Choice
from ...memory.forecast import PartForecast, forecast_of
from ...memory.limits import machine_limits
from ...memory.ordering import in_order
from ...memory.plan import peak_step, plan
from ...memory.profile import Profile, read_profile
from ...reuse.bound import Bound, bind, known_input_bytes
from ...reuse.standing import (
    Reusable,
    Stale,
    Standing,
    Waiting,
    certain_steps,
    identities,
    reusable,
    standings,
    which_steps,
)
from ...run.describing import describe_project
from ...run.ordering import other_orders, planned_orders
from ...run.verdicts import require_fit
from ...terminal.changes import parse_changes
from ...terminal.ending import ended, exit_code
from .mermaid import flowchart
from .orders import orders_json
from .outlook import Boundary, Elsewhere, Outlook, outlook_of
from .table import print_outlook


@ended
def plan_command(
    package: str,
    pipeline: str | None,
    budget: str | None,
    changes: list[str],
    keep_all: bool,
    as_json: bool,
    as_mermaid: bool,
) -> int:
    """Show the plan of a run from the beginning; the exit code.

    The code is 3 if a run with the same code, params and inputs showed that a step does not fit.
    """
    if as_json and as_mermaid:
        raise ConfigurationError("--json and --mermaid: choose one of them.")
    project = describe_project(package, pipeline)
    if keep_all:
        project = replace(project, settings=project.settings.keeping_all())
    declared = bind(project, parse_changes(project, changes))
    settings = declared.settings
    limit = effective_budget(settings.memory, machine_limits(), budget)
    runs_place(settings).is_ours()
    profile = read_profile(settings.runs, declared.graph.name, limit.count)
    taken = planned_orders(declared, profile, limit.bytes)
    bound = replace(declared, graph=in_order(declared.graph, taken))
    stand = standings(bound)
    outlook = replace(
        _outlook(bound, profile, limit, stand),
        orders=other_orders(declared, profile, limit.bytes),
        taken=taken,
    )
    refusals = _refusals(bound, outlook, limit)
    failure = next(iter(refusals.values()), None)
    if as_json:
        content = outlook_json(outlook, limit, _outdated(bound, outlook), failure)
        print(json.dumps(content | {"next_run": _next_run(bound, stand)}))
    elif as_mermaid:
        print(flowchart(outlook))
    else:
        sentence = _next_sentence(bound, stand)
        print_outlook(Console(), outlook, limit, _outdated(bound, outlook), refusals, sentence)
    return exit_code(failure)


def _next_run(bound: Bound, stand: Sequence[Standing]) -> list[dict[str, Any]]:
    """By segment, the steps that the next run runs for certain."""
    return [{"name": now.segment.name, "steps": list(certain_steps(bound, now))} for now in stand]


def _next_sentence(bound: Bound, stand: Sequence[Standing]) -> str:
    """What the next run does, where former checkpoints spare it something."""
    phrases = []
    for now in stand:
        which = which_steps(bound, now)
        match now:
            case Reusable() if not which:
                phrases.append(f"{now.segment.name} is reused")
            case Waiting():
                phrases.append(f"{now.segment.name} {'; '.join(now.reasons)}")
            case Stale(stopped=True) if not which:
                phrases.append(f"{now.segment.name} {'; '.join(now.reasons)}")
            case _:
                phrases.append(f"{now.segment.name} {which or 'runs'}")
    if all(isinstance(now, Waiting) or phrases[n].endswith(" runs") for n, now in enumerate(stand)):
        return ""
    return f"The next run: {', '.join(phrases)}."


def _outlook(
    bound: Bound, profile: Profile, budget: EffectiveBudget, stand: Sequence[Standing]
) -> Outlook:
    """The outlook for the inputs with their present size, where they exist."""
    graph = bound.graph
    settings = bound.settings
    upstream = reusable(stand)
    memory, sizes = settings.memory, known_input_bytes(bound, upstream)
    headroom = memory.segment.headroom
    forecast = forecast_of(graph, profile, memory, sizes)
    sent = [s for s in graph.segments if s.name in settings.wiring.run_on]
    elsewhere = tuple(
        Elsewhere(
            segment,
            settings.wiring.run_on[segment.name],
            plan(
                forecast,
                graph.span(segment),
                _budget_of(bound, segment, budget).bytes,
                headroom,
            ),
        )
        for segment in sent
    )
    return outlook_of(forecast, budget.bytes, headroom, elsewhere)


def _budget_of(bound: Bound, segment: Segment, budget: EffectiveBudget) -> EffectiveBudget:
    """The budget of a segment: that of a run, or the memory of its executor."""
    wiring = bound.settings.wiring
    if (name := wiring.run_on.get(segment.name)) is None:
        return budget
    return executor_budget(name, int(wiring.executors[name].memory), budget.count)


def _refusals(
    bound: Bound, outlook: Outlook, budget: EffectiveBudget
) -> dict[str, CheckpointingError]:
    """By segment, the error with which a run would refuse a step that does not fit."""
    known_by = identities(bound)
    refusals: dict[str, CheckpointingError] = {}
    for segment, planned in outlook.declared.items():
        try:
            require_fit(planned, outlook.forecast, segment, known_by[segment.name], budget)
        except CheckpointingError as error:
            refusals[segment.name] = error
    for each in outlook.elsewhere:
        segment, limit = each.segment, _budget_of(bound, each.segment, budget)
        try:
            require_fit(each.planned, outlook.forecast, segment, known_by[segment.name], limit)
        except CheckpointingError as error:
            refusals[segment.name] = error
    return refusals


def _outdated(bound: Bound, outlook: Outlook) -> list[str]:
    """Segments with a step whose code, params or inputs have changed since it was measured."""
    measures, known_by = outlook.forecast.measures, identities(bound)
    return [
        segment.name
        for segment in bound.graph.segments
        if {measures[s.name].identity for s in segment.steps if s.name in measures}
        - {known_by[segment.name]}
    ]


def outlook_json(
    outlook: Outlook,
    budget: EffectiveBudget,
    outdated: list[str],
    failure: CheckpointingError | None,
) -> dict[str, Any]:
    """What `plan --json` prints; sizes in bytes, steps by name, in the order they run in.

    In a whole plan `parts` is the number of parts, `peak_bytes` the highest memory, and
    `bytes_written` and `bytes_read` the values kept for later parts, or all of them with
    `keep_all`, without the files of outputs:

    - `pipeline`, `budget_bytes`, `budget_source`, `headroom` as a share, `usable_bytes`: the budget
      without the headroom; `outputs`: the values that are written in any case;
    - `measured`: false when nothing is known; sizes are then 0. `unknown`: the steps that were
      never measured, and count as nothing; `outdated`: the segments that were measured with other
      code, params or inputs; `elastic`: the steps that were measured to take what memory there
      is, in batches or for an engine, and count little; `fixed_bytes`: memory in use before any
      step;
    - `declared`: the plan with the declared boundaries; `best`: without them, where `before` lists
      the steps before which it cuts. `lower_bound_bytes`: no parts write and read less;
    - `segments`: [{`name`, `parts`: [{`steps`, `why`, `peak_bytes`, `peak_step`, `bytes_written`,
      `bytes_read`, `unknown`}]}]; `why` it begins there: segment, sink (it follows one),
      before sink, items, or memory; `peak_step` is null if writing the checkpoint needs the most
      memory;
    - `elsewhere`: [{`name`, `executor`, `budget_bytes`, `parts`, `peak_bytes`}], the segments that
      run on an executor, which are in no other list;
    - `boundaries`: [{`before`, a segment; `pays`; `verdict`: sink, needed, free, costs or hinders;
      `cost_bytes`; `live_bytes`, of the values kept across it; `instead`: steps before which there
      would be a cut without it; `unknown`}];
    - `other_budgets`: [{`budget_bytes`, `declared` and `best`: {`parts`, `peak_bytes`,
      `bytes_moved`}, null where that does not fit}]; `least`: {`budget_bytes`, `step`}, the budget
      below which that step does not fit in any part, even without headroom; null where no segment
      runs here;
    - `orders`: [{`name`, a segment; `steps`, in another order that pays; `taken`: whether a run
      runs them so; `written` and `planned`: its plan in both orders}];
    - `next_run`: [{`name`, `steps`}], the steps of each segment that the next run runs for certain:
      of a segment that waits for another none are known;
    - `error`: as in `run --json`, if a run would refuse to start.
    """
    graph, best = outlook.forecast.graph, outlook.best
    names = [step.name for step in graph.steps]
    count = sum(len(planned.parts) for planned in outlook.declared.values())
    least = outlook.least
    return {
        "pipeline": graph.name,
        "budget_bytes": budget.bytes,
        "budget_source": budget.source,
        "headroom": outlook.headroom,
        "usable_bytes": outlook.usable,
        "outputs": list(graph.outputs(range(len(names)))),
        "measured": outlook.is_measured,
        "fixed_bytes": outlook.fixed,
        "unknown": list(outlook.unknown),
        "outdated": outdated,
        "elastic": list(outlook.elastic),
        "declared": _sums(count, outlook.peak, outlook.written, outlook.read),
        "best": _sums(len(best.parts), best.peak, best.written, best.read)
        | {"before": [names[cut] for cut in best.cuts]},
        "lower_bound_bytes": outlook.lower_bound,
        "segments": [
            {
                "name": segment.name,
                "parts": [_part(outlook, part_forecast) for part_forecast in planned.parts],
            }
            for segment, planned in outlook.declared.items()
        ],
        "elsewhere": [
            {
                "name": each.segment.name,
                "executor": each.executor,
                "budget_bytes": each.planned.budget,
                "parts": len(each.planned.parts),
                "peak_bytes": each.planned.peak,
            }
            for each in outlook.elsewhere
        ],
        "boundaries": [_boundary(outlook, boundary) for boundary in outlook.boundaries],
        "other_budgets": [
            {
                "budget_bytes": other.budget,
                "declared": _choice(other.declared),
                "best": _choice(other.best),
            }
            for other in outlook.others
        ],
        "orders": orders_json(outlook.orders, outlook.taken),
        "least": least and {"budget_bytes": least[0], "step": names[least[1]]},
        **({"error": failure.as_json()} if failure else {}),
    }


def _part(outlook: Outlook, part_forecast: PartForecast) -> dict[str, Any]:
    graph = outlook.forecast.graph
    steps = graph.steps[part_forecast.steps.start : part_forecast.steps.stop]
    return {
        "steps": [step.name for step in steps],
        "why": outlook.why(part_forecast),
        "peak_bytes": part_forecast.peak,
        "peak_step": peak_step(outlook.forecast, part_forecast),
        "bytes_written": part_forecast.written,
        "bytes_read": part_forecast.read,
        "unknown": list(part_forecast.unknown),
    }


def _boundary(outlook: Outlook, boundary: Boundary) -> dict[str, Any]:
    graph = outlook.forecast.graph
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
