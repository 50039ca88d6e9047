"""The plain model that the planner is held to gives what one works out by hand."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from random_graphs import Graph, PartCost, Step, part_costs, problems, random_graph, simulate

# first ── second ──┐
#   └────────────── third      fourth: nothing reads it, nor `third`
CHAIN = Graph(
    (
        Step(inputs=(), size=100, transient=5, load=1),
        Step(inputs=(0,), size=20, transient=50, load=30),
        Step(inputs=(0, 1), size=3, transient=0, load=0),
        Step(inputs=(), size=4, transient=0, load=0),
    ),
    baseline=1000,
)


@pytest.mark.parametrize(
    ("part", "peak", "transfers"),
    [
        pytest.param(range(0, 1), 100 + 5, 100, id="a value used later is written once"),
        pytest.param(range(0, 2), 100 + 20 + 50, 120, id="it stays until the part ends"),
        pytest.param(range(0, 3), 100 + 20 + 50, 0, id="a value used up here is not written"),
        pytest.param(range(1, 2), 1 + 20 + 50, 120, id="a value of an earlier part is loaded"),
        pytest.param(range(1, 3), 1 + 20 + 50, 100, id="it is read once, however often used"),
        pytest.param(range(2, 3), 1 + 30 + 3, 120, id="loading may hold more than making did"),
        pytest.param(range(2, 4), 1 + 30 + 3, 120, id="a loaded value goes after its last use"),
        pytest.param(range(3, 4), 4, 0, id="an output counts in the peak alone"),
    ],
)
def test_a_part_costs_what_the_model_says(part: range, peak: int, transfers: int) -> None:
    assert simulate(CHAIN, part) == PartCost(1000 + peak, transfers)


def test_the_table_of_costs_has_every_part_once() -> None:
    table = part_costs(CHAIN)

    assert [len(row) for row in table] == [4, 3, 2, 1]
    assert table[1][2] == simulate(CHAIN, range(1, 4))


def test_an_output_stays_until_its_part_ends() -> None:
    outputs = Graph(tuple(Step((), size, 0, 0) for size in (1, 10, 100)), baseline=0)

    assert simulate(outputs, range(0, 3)) == PartCost(111, 0)
    assert simulate(outputs, range(1, 3)) == PartCost(110, 0)


def test_a_value_that_is_used_up_makes_room() -> None:
    steps = [Step((n - 1,) if n else (), 10, 0, 0) for n in range(20)]

    assert simulate(Graph(tuple(steps), baseline=0), range(20)) == PartCost(20, 0)


def test_the_same_seed_gives_the_same_graphs_however_many_are_asked_for() -> None:
    assert list(problems(2, 12)) == list(islice(problems(5, 12), 2))
    assert list(problems(2, 12)) != list(problems(2, 12, seed=41))


def test_a_problem_needs_cuts_and_its_steps_fit_alone() -> None:
    for problem in problems(10, 12):
        graph, limit = problem.graph, problem.limit
        assert simulate(graph, range(12)).peak > limit
        assert all(simulate(graph, range(n, n + 1)).peak <= limit for n in range(12))


def test_a_graph_has_the_length_and_the_largest_size_that_were_asked_for() -> None:
    graph = random_graph(random.Random(1), 12, largest=8)

    assert len(graph.steps) == 12
    assert all(0 <= step.size <= 8 for step in graph.steps)
    assert all(value < n for n, step in enumerate(graph.steps) for value in step.inputs)
