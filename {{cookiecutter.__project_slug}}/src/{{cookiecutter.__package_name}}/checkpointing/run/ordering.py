"""The order of steps that a run takes, where pipeline.toml leaves it to the plan."""

from __future__ import annotations

from dataclasses import replace

from ..memory.forecast import forecast_of
from ..memory.ordering import Ordering, better_orders, in_order
from ..memory.profile import Profile
from ..reuse.bound import Bound


def in_planned_order(bound: Bound, profile: Profile, budget: int) -> Bound:
    """The same pipeline, with the steps of its segments in the order in which they run.

    Args:
        budget: bytes that a run may hold.
    """
    return replace(bound, graph=in_order(bound.graph, planned_orders(bound, profile, budget)))


def planned_orders(bound: Bound, profile: Profile, budget: int) -> tuple[Ordering, ...]:
    """Other orders of steps than the written ones, in which a run runs them.

    None unless `[steps] order` is `planned`: then those that spare a segment what its cuts cost, as
    far as the profile tells.
    """
    if bound.settings.wiring.steps.order == "written":
        return ()
    return other_orders(bound, profile, budget, only_if_cut=True)


def other_orders(
    bound: Bound, profile: Profile, budget: int, *, only_if_cut: bool = False
) -> tuple[Ordering, ...]:
    """Other orders of steps that pay, of segments that run here.

    Args:
        only_if_cut: of those segments alone that memory cuts.
    """
    settings = bound.settings
    return better_orders(
        forecast_of(bound.graph, profile, settings.memory),
        budget,
        settings.memory.segment.headroom,
        {name: code.changing for name, code in bound.code.items()},
        settings.wiring.run_on,
        only_if_cut=only_if_cut,
    )
