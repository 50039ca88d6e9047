"""A graph without some steps knows who reads what, as if it had been asked of every step."""

from __future__ import annotations

from flight_delays.checkpointing.graph.graph import Graph
from flight_delays.checkpointing.memory.forecast import Forecast
from hypothesis import given, settings
from hypothesis import strategies as st

from ..memory.graphs import MOST_STEPS, forecasts


def readers(graph: Graph, value: str) -> list[int]:
    """The numbers of the steps that run and read a value."""
    running = (n for n in range(len(graph.steps)) if n not in graph.skipped)
    return [n for n in running if value in {p.source for p in graph.steps[n].parameters}]


@given(forecasts(), st.sets(st.integers(0, MOST_STEPS - 1)))
@settings(max_examples=50, deadline=None)
def test_a_value_is_needed_until_the_last_step_that_runs_has_read_it(
    found: Forecast, numbers: set[int]
) -> None:
    whole = found.graph
    graph = whole.without({n for n in numbers if n < len(whole.steps)})

    for made, step in enumerate(graph.steps):
        assert graph.last_use(step.name) == max(readers(graph, step.name), default=made)
        assert whole.last_use(step.name) == max(readers(whole, step.name), default=made)


@given(forecasts())
@settings(max_examples=50, deadline=None)
def test_a_value_is_kept_by_the_cuts_that_it_crosses(found: Forecast) -> None:
    graph = found.graph
    for step in graph.steps:
        before = range(1, len(graph.steps) + 1)
        keeping = [cut for cut in before if step.name in graph.kept(range(cut))]
        assert keeping == [cut for cut in before if cut in graph.crossed(step.name)]
