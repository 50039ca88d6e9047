"""What a run looks at before anything runs: what it will reuse, and what can be refused at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..disk.manifest import Manifest
from ..graph.steps import Step
from ..memory.budget import EffectiveBudget, executor_budget
from ..memory.forecast import forecast_of
from ..memory.plan import plan
from ..memory.profile import Profile
from ..reuse.bound import Bound
from ..reuse.standing import Reusable, Stale, Standing, Waiting, standing, usable
from ..reuse.variables import require_secrets
from .places import require_executor, require_places
from .verdicts import require_fit


def foresee(
    bound: Bound,
    budget: EffectiveBudget,
    forced: Collection[str],
    profile: Profile,
    identities: Mapping[str, str],
) -> dict[str, Standing]:
    """The standing of every segment now. Refuses a run with a step that is known not to fit.

    A segment that waits for another may be reusable later, and is checked in its turn. Of an
    unfinished segment only the steps that are still to be run are checked.

    Args:
        forced: the segments that run in any case.

    Raises BudgetExceeded, and ConfigurationError for what lacks a secret or a place.
    """
    graph, memory = bound.graph, bound.settings.memory
    run_on = bound.settings.wiring.run_on
    foreseen = dict[str, Standing]()
    upstream, to_run = dict[str, Manifest](), list[Step]()
    for segment in graph.segments:
        now = foreseen[segment.name] = standing(bound, segment, upstream)
        is_forced = segment.name in forced
        if (manifest := usable(now)) is not None and not is_forced:
            upstream[segment.name] = manifest
        if isinstance(now, Reusable) and not is_forced:
            continue
        if isinstance(now, Waiting) and not is_forced and bound.store.has_any(segment.name):
            continue
        steps = graph.span(segment)
        left = now.left if isinstance(now, Stale) and not is_forced else frozenset(steps)
        if not left:
            continue
        here = _budget_of(segment.name, bound, budget)
        running = graph.without(frozenset(steps) - left)
        forecast = forecast_of(running, profile, memory, only=segment)
        part = range(min(left), steps.stop)
        planned = plan(forecast, part, here.bytes, memory.segment.headroom)
        require_fit(planned, forecast, segment, identities[segment.name], here)
        if segment.name not in run_on:
            to_run += [graph.steps[number] for number in sorted(left)]
        else:
            require_executor(segment, bound.settings)
    require_places(to_run, bound.settings, budget)
    _require_secrets(bound, forced, foreseen)
    return foreseen


def _budget_of(segment: str, bound: Bound, budget: EffectiveBudget) -> EffectiveBudget:
    """The budget of a segment: the run's, or the memory of the executor that it is sent to."""
    wiring = bound.settings.wiring
    if (name := wiring.run_on.get(segment)) is None:
        return budget
    return executor_budget(name, int(wiring.executors[name].memory), budget.count)


def _require_secrets(
    bound: Bound, forced: Collection[str], foreseen: Mapping[str, Standing]
) -> None:
    """Refuse what lacks a secret; what is reused needs none."""
    steps = [
        step
        for segment in bound.graph.segments
        if segment.name in forced or not isinstance(foreseen[segment.name], Reusable)
        for step in segment.steps
    ]
    require_secrets(steps, bound.settings.wiring, bound.variables.secrets)
