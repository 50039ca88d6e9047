"""Random step graphs, and what a part of one costs: the plain model that the planner is held to.

The model is played step by step, with no shortcut, and shares no code with the runtime.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

SEED = 40
LARGEST = 10**10  # bytes of the largest value


@dataclass(frozen=True)
class Step:
    """One step of a graph: the numbers of the steps whose values it reads, and bytes.

    `size` is the value that it makes, `transient` what it holds besides its inputs and its value
    while it runs, and `load` what the value holds in a part that loads it from its checkpoint.
    """

    inputs: tuple[int, ...]
    size: int
    transient: int
    load: int


@dataclass(frozen=True)
class Graph:
    """Steps in the order they run in, and the bytes that a process holds before the first."""

    steps: tuple[Step, ...]
    baseline: int

    @cached_property
    def uses(self) -> list[list[int]]:
        """For each value the numbers of the steps that read it, in order; none for an output."""
        numbers = range(len(self.steps))
        return [[n for n in numbers if value in self.steps[n].inputs] for value in numbers]


@dataclass(frozen=True)
class PartCost:
    """Bytes: the most that a part holds, and what it writes and reads for the other parts."""

    peak: int
    transfers: int


@dataclass(frozen=True)
class Problem:
    """A graph, and a limit in bytes: each step fits on its own, all of them together do not."""

    graph: Graph
    limit: int


def simulate(graph: Graph, part: range) -> PartCost:
    """What it costs to run these steps in one process, played step by step.

    - A value of an earlier part is read just before its first use in the part, holds its `load`,
      and goes after its last use in the part.
    - A value made in the part goes after its last use. If later parts use it too, it stays until
      the part ends and is written once. If nothing uses it, it is an output and stays as well; that
      it is written does not count, for no cut changes it.
    """
    resident: dict[int, int] = {}
    peak = transfers = 0
    for number in part:
        step = graph.steps[number]
        for value in step.inputs:
            if value not in resident:
                resident[value] = graph.steps[value].load
                transfers += graph.steps[value].size
        resident[number] = step.size
        peak = max(peak, sum(resident.values()) + step.transient)
        for value in list(resident):
            uses = graph.uses[value]
            if value < part.start:
                uses = [use for use in uses if use in part]
            if uses and uses[-1] <= number:
                del resident[value]
    for value in part:
        if any(use >= part.stop for use in graph.uses[value]):
            transfers += graph.steps[value].size
    return PartCost(graph.baseline + peak, transfers)


def part_costs(graph: Graph) -> list[list[PartCost]]:
    """The cost of every possible part: row `i`, item `k` is the part of the steps i … i + k."""
    stop = len(graph.steps)
    return [
        [simulate(graph, range(start, last + 1)) for last in range(start, stop)]
        for start in range(stop)
    ]


def random_graph(rng: random.Random, length: int, largest: int = LARGEST) -> Graph:
    """A graph of so many steps, whose values are of up to `largest` bytes.

    Sizes are spread over three orders of magnitude. A step in ten reads no other step's value; the
    rest read one to three, as often of the three steps before as of any. Transients go up to the
    size of the value and of the largest input. Of five values four load at up to 5 % of their size
    and one at 50–150 %, as what cannot be mapped does.
    """
    steps: list[Step] = []
    for number in range(length):
        inputs = _inputs(rng, number)
        size = int(largest * 10 ** -rng.uniform(0, 3))
        at_work = size + max((steps[value].size for value in inputs), default=0)
        share = rng.uniform(0, 0.05) if rng.random() < 0.8 else rng.uniform(0.5, 1.5)
        steps.append(Step(inputs, size, int(at_work * rng.random()), int(size * share)))
    return Graph(tuple(steps), baseline=int(largest / 100))


def _inputs(rng: random.Random, number: int) -> tuple[int, ...]:
    if number == 0 or rng.random() < 0.1:
        return ()
    found = set()
    for _ in range(rng.randint(1, 3)):
        is_recent = rng.random() < 0.5
        found.add(rng.randrange(max(0, number - 3) if is_recent else 0, number))
    return tuple(sorted(found))


def problems(count: int, length: int, seed: int = SEED) -> Iterator[Problem]:
    """So many graphs of two steps or more that need cuts, the same for the same seed.

    The limit lies anywhere between the peak of the worst single step and that of the uncut graph.
    Every cut moves some bytes, so that transfers can be given as a ratio to the optimum.
    """
    rng = random.Random(seed)
    while count:
        graph = random_graph(rng, length)
        alone = max(simulate(graph, range(n, n + 1)).peak for n in range(length))
        whole = simulate(graph, range(length)).peak
        limit = int(alone + rng.random() * (whole - alone))
        is_costly = all(simulate(graph, range(cut)).transfers for cut in range(1, length))
        if limit < whole and is_costly:
            yield Problem(graph, limit)
            count -= 1
