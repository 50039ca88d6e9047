"""Why a segment is cut where it is: a reason for each part but the first, which people read."""

from __future__ import annotations

from collections.abc import Collection

from ..graph.graph import Graph

HANDED_OVER = "handed over"
PLANNED = "planned"


def planned_cuts(
    cuts: Collection[int], graph: Graph, left: Collection[int], behind: Collection[int]
) -> dict[int, str]:
    """The reason of each cut of a plan, by the number of the step before which it lies.

    Args:
        left: the steps that are left to run: a cut lies before one of these.
        behind: the cuts after what runs each time.
    """
    sinks = {number for number in left if graph.steps[number].is_sink}
    each = {number for number in left if graph.steps[number].each}
    reasons = {}
    for cut in cuts:
        if (start := min((n for n in left if n >= cut), default=None)) is None:
            continue
        if cut - 1 in sinks:
            reasons[start] = "after a sink"
        elif start in sinks:
            reasons[start] = "before a sink"
        elif start in each or cut - 1 in each:
            reasons[start] = "before its items" if start in each else "after all items"
        else:
            reasons[start] = "after what runs each time" if cut in behind else PLANNED
    return reasons
