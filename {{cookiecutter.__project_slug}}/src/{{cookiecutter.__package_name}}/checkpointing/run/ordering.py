"""The order of steps that a run takes, where pipeline.toml leaves it to the plan."""

from __future__ import annotations

from dataclasses import replace

from ..memory.forecast import forecast_of
from ..memory.ordering import better_orders, in_order
from ..memory.profile import Profile
from ..reuse.bound import Bound


def in_planned_order(bound: Bound, profile: Profile, budget: int) -> Bound:
    """The same pipeline, with the steps of its segments in the order in which they run.

    That is the order in which they are written, unless `[steps] order` is `planned` and another one
    spares a segment what its cuts cost, as far as the profile tells.

    Args:
        budget: bytes that a run may hold.
    """
    settings = bound.settings
    if settings.wiring.steps.order == "written":
        return bound
    forecast = forecast_of(bound.graph, profile, settings.memory)
    orderings = better_orders(
        forecast,
        budget,
        settings.memory.segment.headroom,
        {name: code.changing for name, code in bound.code.items()},
        settings.wiring.run_on,
        only_if_cut=True,
    )
    return replace(bound, graph=in_order(bound.graph, orderings))
