"""The planner's answers are those of brute force, which tries every set of cuts.

What parts cost comes from the plain model in benchmarks/random_graphs.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, pairwise
from typing import NamedTuple

import pytest
from flight_delays.checkpointing.memory.forecast import Costs
from flight_delays.checkpointing.memory.plan import (
    Choice,
    best_parts,
    choose,
    first_misfit,
    ladder,
    least_peak,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import Graph, PartCost, Step, part_costs, random_graph

Parts = tuple[range, ...]
MOST_STEPS = 12
thorough = settings(deadline=None, database=None)


class Sum(NamedTuple):
    """What some parts come to, in the order by which one way of cutting is better than another."""

    transfers: int
    parts: int
    peak: int


@dataclass(frozen=True)
class Case:
    """A question to the planner, and all the ways there are to answer it."""

    table: list[list[PartCost]]
    must_cut: Collection[int]
    limit: int

    @property
    def costs(self) -> Costs:
        return costs_of(self.table)

    @cached_property
    def sums(self) -> list[Sum]:
        return [self.sum(parts) for parts in every_way(len(self.table), self.must_cut)]

    def sum(self, parts: Parts) -> Sum:
        found = [self.table[part.start][len(part) - 1] for part in parts]
        return Sum(sum(c.transfers for c in found), len(parts), max(c.peak for c in found))

    def best(self, limit: int) -> Sum | None:
        return min((found for found in self.sums if found.peak <= limit), default=None)

    def fits(self, stop: int) -> bool:
        """Whether the steps before `stop` can be cut so that all their parts fit."""
        return any(
            self.sum(parts).peak <= self.limit for parts in every_way(stop, self.must_cut) if parts
        )


def every_way(stop: int, must_cut: Collection[int]) -> Iterator[Parts]:
    """The steps before `stop`, cut at every set of places that holds the forced ones."""
    forced = {cut for cut in must_cut if 0 < cut < stop}
    free = sorted(set(range(1, stop)) - forced)
    for chosen in chain.from_iterable(combinations(free, n) for n in range(len(free) + 1)):
        edges = [0, *sorted(forced.union(chosen)), stop]
        yield tuple(range(start, end) for start, end in pairwise(edges))


def costs_of(table: Sequence[Sequence[PartCost]]) -> Costs:
    return Costs(
        peaks=[[cost.peak for cost in row] for row in table],
        transfers=[[cost.transfers for cost in row] for row in table],
    )


@st.composite
def tables(draw: st.DrawFn, most_steps: int = MOST_STEPS) -> list[list[PartCost]]:
    """Costs of a random graph; small sizes make for ties, which large ones never have."""
    length = draw(st.sampled_from(range(1, most_steps + 1)))
    largest = draw(st.sampled_from([8, 10**10]))
    rng = random.Random(draw(st.integers(0, 10**9)))
    return part_costs(random_graph(rng, length, largest))


@st.composite
def lawless_tables(draw: st.DrawFn) -> list[list[PartCost]]:
    """Costs that no graph has: a longer part may well hold less, or move less."""
    length = draw(st.integers(1, 7))
    cost = st.builds(PartCost, peak=st.integers(0, 5), transfers=st.integers(0, 5))
    rows = [st.lists(cost, min_size=n, max_size=n) for n in range(length, 0, -1)]
    return list(draw(st.tuples(*rows)))


@st.composite
def cases(draw: st.DrawFn, kinds: st.SearchStrategy[list[list[PartCost]]]) -> Case:
    table = draw(kinds)
    must_cut = draw(st.just(set()) | st.sets(st.integers(0, len(table)), max_size=4))
    peaks = sorted({cost.peak for row in table for cost in row}, reverse=True)
    limit = draw(st.sampled_from(peaks)) - draw(st.integers(0, 1))
    return Case(table, must_cut, limit)


def the_best_parts_move_the_fewest_bytes_that_fit(case: Case) -> None:
    parts = best_parts(case.costs, case.must_cut, case.limit)

    assert (case.sum(parts) if parts else None) == case.best(case.limit)


def the_best_parts_are_all_steps_with_the_forced_cuts(case: Case) -> None:
    parts = best_parts(case.costs, case.must_cut, case.limit)

    assert parts is None or parts in list(every_way(len(case.table), case.must_cut))


def the_least_peak_is_that_of_the_lowest_way_to_cut(case: Case) -> None:
    assert least_peak(case.costs, case.must_cut) == min(found.peak for found in case.sums)


def a_choice_is_the_best_that_fits_or_the_best_at_the_least_peak(case: Case) -> None:
    choice = choose(case.costs, case.must_cut, case.limit)

    least = min(found.peak for found in case.sums)
    assert choice.limit == max(case.limit, least)
    assert case.sum(choice.parts) == case.best(choice.limit)
    assert (choice.transfers, choice.peak) == case.sum(choice.parts)[::2]
    assert (choice.peak <= case.limit) == (case.best(case.limit) is not None)


def the_first_misfit_follows_the_most_steps_that_fit(case: Case) -> None:
    length = len(case.table)
    most = max((stop for stop in range(1, length + 1) if case.fits(stop)), default=0)

    expected = None if most == length else most
    assert first_misfit(case.costs, case.must_cut, case.limit) == expected


def the_ladder_is_every_best_way_from_unlimited_memory_down(case: Case) -> None:
    expected = []
    limit = max(cost.peak for row in case.table for cost in row)
    while (best := case.best(limit)) is not None:
        expected.append((limit, best))
        limit = best.peak - 1

    found = ladder(case.costs, case.must_cut)
    assert [(choice.limit, case.sum(choice.parts)) for choice in found] == expected
    assert found[-1].peak == least_peak(case.costs, case.must_cut)


CLAIMS = [
    the_best_parts_move_the_fewest_bytes_that_fit,
    the_best_parts_are_all_steps_with_the_forced_cuts,
    the_least_peak_is_that_of_the_lowest_way_to_cut,
    a_choice_is_the_best_that_fits_or_the_best_at_the_least_peak,
    the_first_misfit_follows_the_most_steps_that_fit,
    the_ladder_is_every_best_way_from_unlimited_memory_down,
]
each_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)


@each_claim
@settings(thorough, max_examples=100)
@given(case=cases(tables() | lawless_tables()))
def test_brute_force_finds_that(claim: Callable[[Case], None], case: Case) -> None:
    claim(case)


@pytest.mark.exhaustive
@each_claim
@settings(thorough, max_examples=2000)
@given(case=cases(tables()))
def test_brute_force_finds_on_thousands_of_graphs_that(
    claim: Callable[[Case], None], case: Case
) -> None:
    claim(case)


@settings(thorough, max_examples=50)
@given(tables(most_steps=25), st.sets(st.integers(0, 25), max_size=3))
def test_more_memory_never_moves_more_bytes(
    table: list[list[PartCost]], must_cut: set[int]
) -> None:
    costs = costs_of(table)
    limits = sorted({cost.peak for row in table for cost in row})
    moved = [choose(costs, must_cut, limit).transfers for limit in limits]

    assert moved == sorted(moved, reverse=True)


@settings(thorough, max_examples=50)
@given(tables(most_steps=25), st.sets(st.integers(0, 25), max_size=3))
def test_down_the_ladder_peaks_fall_and_bytes_or_parts_grow(
    table: list[list[PartCost]], must_cut: set[int]
) -> None:
    rungs = ladder(costs_of(table), must_cut)

    for upper, lower in pairwise(rungs):
        assert lower.peak <= lower.limit < upper.peak
        assert (lower.transfers, len(lower.parts)) > (upper.transfers, len(upper.parts))


def costs_of_steps(*steps: Step) -> Costs:
    return costs_of(part_costs(Graph(steps, baseline=0)))


def step(size: int, *inputs: int, load: int = 0) -> Step:
    return Step(inputs, size, transient=0, load=load)


# Step 0 makes little, step 1 an output that stays; step 2 reads step 0's value, step 3 step 2's.
FOUR = costs_of_steps(step(1), step(100), step(60, 0), step(60, 2))
# Step 2 reads what step 1 makes, which takes more memory to load than to make.
COSTLY_TO_LOAD = costs_of_steps(step(15), step(10, load=50), step(1, 1))


def test_no_cut_is_made_where_everything_fits() -> None:
    assert best_parts(FOUR, (), limit=220) == (range(4),)


def test_the_cut_goes_where_little_is_live_although_a_longer_part_would_fit() -> None:
    limit = 161

    assert FOUR.peak(range(3)) <= limit
    assert best_parts(FOUR, (), limit) == (range(2), range(2, 4))


def test_a_part_starts_earlier_where_loading_takes_more_than_making() -> None:
    limit = 20

    assert COSTLY_TO_LOAD.peak(range(2, 3)) > limit
    assert best_parts(COSTLY_TO_LOAD, (), limit) == (range(1), range(1, 3))


def test_forced_cuts_are_made_where_everything_fits() -> None:
    assert best_parts(FOUR, {3, 1}, limit=220) == (range(1), range(1, 3), range(3, 4))


def test_of_ways_that_move_as_much_the_one_with_fewest_parts_is_taken() -> None:
    costs = Costs(peaks=[[1, 2], [1]], transfers=[[0, 0], [0]])

    assert best_parts(costs, (), limit=2) == (range(2),)


def test_of_ways_with_as_many_parts_the_one_with_the_lowest_peak_is_taken() -> None:
    costs = Costs(peaks=[[1, 4, 9], [1, 5], [1]], transfers=[[0, 0, 0], [0, 0], [0]])

    assert best_parts(costs, (), limit=8) == (range(2), range(2, 3))


def test_a_choice_says_what_it_holds_and_moves() -> None:
    expected = Choice(parts=(range(2), range(2, 4)), limit=200, peak=120, transfers=2)

    assert choose(FOUR, (), usable=200) == expected


def test_where_nothing_fits_the_choice_is_for_the_least_peak() -> None:
    choice = choose(COSTLY_TO_LOAD, {2}, usable=20)

    assert best_parts(COSTLY_TO_LOAD, {2}, limit=20) is None
    assert (choice.limit, choice.peak) == (51, 51)


def test_the_first_step_that_cannot_fit_is_named() -> None:
    assert first_misfit(FOUR, (), limit=99) == 1
    assert first_misfit(FOUR, (), limit=100) is None
    assert first_misfit(COSTLY_TO_LOAD, {2}, limit=20) == 2


def test_the_ladder_says_from_which_memory_on_how_many_parts_do() -> None:
    rungs = [(choice.peak, len(choice.parts), choice.transfers) for choice in ladder(FOUR, ())]

    assert rungs == [(220, 1, 0), (120, 2, 2), (101, 3, 122), (100, 4, 122)]
