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

import numpy as np
import pytest
from flight_delays.checkpointing.memory.arrays import Arrays
from flight_delays.checkpointing.memory.costs import Costs, Searchable
from flight_delays.checkpointing.memory.cuts import Block, Choice, Cuts
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
    kind: Callable[[Sequence[Sequence[PartCost]]], Searchable]

    @property
    def cuts(self) -> Cuts:
        return cuts_of(self.table, self.must_cut, self.kind)

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


def arrays_of(table: Sequence[Sequence[PartCost]]) -> Arrays:
    """The same, by where parts stop."""
    ending = [
        [row[stop - n] for n, row in enumerate(table[: stop + 1])] for stop in range(len(table))
    ]
    return Arrays(
        peaks=[np.array([cost.peak for cost in column]) for column in ending],
        transfers=[np.array([cost.transfers for cost in column]) for column in ending],
    )


KINDS: list[Callable[[Sequence[Sequence[PartCost]]], Searchable]] = [costs_of, arrays_of]


def cuts_of(
    table: Sequence[Sequence[PartCost]],
    must_cut: Collection[int] = (),
    kind: Callable[[Sequence[Sequence[PartCost]]], Searchable] = costs_of,
) -> Cuts:
    """The blocks between forced cuts."""
    edges = [0, *sorted({cut for cut in must_cut if 0 < cut < len(table)}), len(table)]
    return Cuts(
        [
            Block(
                range(start, stop),
                lambda start=start, stop=stop: kind(  # type: ignore[misc]
                    [table[n][: stop - n] for n in range(start, stop)]
                ),
            )
            for start, stop in pairwise(edges)
        ]
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
    return Case(table, must_cut, limit, draw(st.sampled_from(KINDS)))


def the_best_parts_move_the_fewest_bytes_that_fit(case: Case) -> None:
    choice = case.cuts.within(case.limit)

    assert (case.sum(choice.parts) if choice else None) == case.best(case.limit)


def the_best_parts_are_all_steps_with_the_forced_cuts(case: Case) -> None:
    choice = case.cuts.within(case.limit)

    assert choice is None or choice.parts in list(every_way(len(case.table), case.must_cut))


def the_least_peak_is_that_of_the_lowest_way_to_cut(case: Case) -> None:
    assert case.cuts.least_peak == min(found.peak for found in case.sums)


def a_choice_is_the_best_that_fits_or_the_best_at_the_least_peak(case: Case) -> None:
    choice = case.cuts.choose(case.limit)

    least = min(found.peak for found in case.sums)
    assert choice.limit == max(case.limit, least)
    assert case.sum(choice.parts) == case.best(choice.limit)
    assert (choice.transfers, choice.peak) == case.sum(choice.parts)[::2]
    assert (choice.peak <= case.limit) == (case.best(case.limit) is not None)


def the_first_misfit_follows_the_most_steps_that_fit(case: Case) -> None:
    length = len(case.table)
    most = max((stop for stop in range(1, length + 1) if case.fits(stop)), default=0)

    expected = None if most == length else most
    assert case.cuts.first_misfit(case.limit) == expected


def what_was_found_for_one_limit_answers_for_no_other(case: Case) -> None:
    cuts = case.cuts
    for limit in (*range(case.limit - 2, case.limit + 3), case.limit):
        choice = cuts.within(limit)
        assert (case.sum(choice.parts) if choice else None) == case.best(limit)


CLAIMS = [
    the_best_parts_move_the_fewest_bytes_that_fit,
    the_best_parts_are_all_steps_with_the_forced_cuts,
    the_least_peak_is_that_of_the_lowest_way_to_cut,
    a_choice_is_the_best_that_fits_or_the_best_at_the_least_peak,
    the_first_misfit_follows_the_most_steps_that_fit,
    what_was_found_for_one_limit_answers_for_no_other,
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
@given(tables(most_steps=25), st.sets(st.integers(0, 25), max_size=3), st.sampled_from(KINDS))
def test_more_memory_never_moves_more_bytes(
    table: list[list[PartCost]],
    must_cut: set[int],
    kind: Callable[[Sequence[Sequence[PartCost]]], Searchable],
) -> None:
    cuts = cuts_of(table, must_cut, kind)
    limits = sorted({cost.peak for row in table for cost in row})
    moved = [cuts.choose(limit).transfers for limit in limits]

    assert moved == sorted(moved, reverse=True)


def table_of(*steps: Step) -> list[list[PartCost]]:
    return part_costs(Graph(steps, baseline=0))


def best_parts(
    table: Sequence[Sequence[PartCost]], must_cut: Collection[int], limit: int
) -> Parts | None:
    choice = cuts_of(table, must_cut).within(limit)
    return choice.parts if choice else None


def lawless(peaks: list[list[int]], transfers: list[list[int]]) -> list[list[PartCost]]:
    rows = zip(peaks, transfers, strict=True)
    return [[PartCost(*cost) for cost in zip(*row, strict=True)] for row in rows]


def step(size: int, *inputs: int, load: int = 0) -> Step:
    return Step(inputs, size, transient=0, load=load)


# Step 0 makes little, step 1 an output that stays; step 2 reads step 0's value, step 3 step 2's.
FOUR = table_of(step(1), step(100), step(60, 0), step(60, 2))
# Step 2 reads what step 1 makes, which takes more memory to load than to make.
COSTLY_TO_LOAD = table_of(step(15), step(10, load=50), step(1, 1))


def test_no_cut_is_made_where_everything_fits() -> None:
    assert best_parts(FOUR, (), limit=220) == (range(4),)


def test_the_cut_goes_where_little_is_live_although_a_longer_part_would_fit() -> None:
    limit = 161

    assert FOUR[0][2].peak <= limit
    assert best_parts(FOUR, (), limit) == (range(2), range(2, 4))


def test_a_part_starts_earlier_where_loading_takes_more_than_making() -> None:
    limit = 20

    assert COSTLY_TO_LOAD[2][0].peak > limit
    assert best_parts(COSTLY_TO_LOAD, (), limit) == (range(1), range(1, 3))


def test_forced_cuts_are_made_where_everything_fits() -> None:
    assert best_parts(FOUR, {3, 1}, limit=220) == (range(1), range(1, 3), range(3, 4))


def test_of_ways_that_move_as_much_the_one_with_fewest_parts_is_taken() -> None:
    costs = lawless(peaks=[[1, 2], [1]], transfers=[[0, 0], [0]])

    assert best_parts(costs, (), limit=2) == (range(2),)


def test_of_ways_with_as_many_parts_the_one_with_the_lowest_peak_is_taken() -> None:
    costs = lawless(peaks=[[1, 4, 9], [1, 5], [1]], transfers=[[0, 0, 0], [0, 0], [0]])

    assert best_parts(costs, (), limit=8) == (range(2), range(2, 3))


def test_a_choice_says_what_it_holds_and_moves() -> None:
    expected = Choice(parts=(range(2), range(2, 4)), limit=200, peak=120, transfers=2)

    assert cuts_of(FOUR).choose(usable=200) == expected


def test_where_nothing_fits_the_choice_is_for_the_least_peak() -> None:
    choice = cuts_of(COSTLY_TO_LOAD, {2}).choose(usable=20)

    assert best_parts(COSTLY_TO_LOAD, {2}, limit=20) is None
    assert (choice.limit, choice.peak) == (51, 51)


def test_the_first_step_that_cannot_fit_is_named() -> None:
    assert cuts_of(FOUR).first_misfit(99) == 1
    assert cuts_of(FOUR).first_misfit(100) is None
    assert cuts_of(COSTLY_TO_LOAD, {2}).first_misfit(20) == 2
