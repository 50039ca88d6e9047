"""The best cuts of some steps under any limit. What was worked out for one limit is kept.

Steps that begin a part at any cost, such as the first of a segment, or one that follows a sink,
divide the others into blocks. Each block is searched alone, and not at all where it fits as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from .costs import Searchable, best_parts, first_misfit
from .forecast import Forecast, PartForecast

_MOST_LISTED = 20_000
"""What is read for all parts of a block that is worked out one by one; more are, as arrays."""


@dataclass(frozen=True)
class Choice:
    """The parts of a range of steps, the highest of their peaks and the sum of their transfers.

    They are the best for every limit from `peak` up to `limit`, for which they were chosen.
    """

    parts: tuple[range, ...]
    limit: int
    peak: int
    transfers: int


class Block:
    """Steps without a forced cut between them.

    Args:
        steps: their numbers.
        costs: works out the costs of their parts, with steps numbered from 0.
        whole: of them as one part: it moves the fewest bytes there are. None: it may not.
    """

    def __init__(
        self, steps: range, costs: Callable[[], Searchable], whole: PartForecast | None = None
    ) -> None:
        self.steps = steps
        self._costs_of = costs
        self._whole = whole
        self._choices: list[Choice] = []

    @cached_property
    def costs(self) -> Searchable:
        return self._costs_of()

    @cached_property
    def least_peak(self) -> int:
        """The smallest limit for which there are parts that fit."""
        if len(self.steps) == 1 and self._whole is not None:
            return self._whole.peak
        return self.costs.least_peak()

    @property
    def most_needed(self) -> float:
        """A limit for which some parts fit for sure."""
        return math.inf if self._whole is None else self._whole.peak

    def within(self, limit: int) -> Choice | None:
        """The best parts within a limit; None if none fit."""
        if self._whole is not None and self._whole.peak <= limit:
            moved = self._whole.written + self._whole.read
            return Choice((self.steps,), limit, self._whole.peak, moved)
        for known in self._choices:
            if known.peak <= limit <= known.limit:
                return known
        if limit < self.least_peak:
            return None
        parts = best_parts(self.costs, limit)
        assert parts is not None, "some parts fit the least peak"
        start = self.steps.start
        choice = Choice(
            tuple(range(start + part.start, start + part.stop) for part in parts),
            limit,
            max(map(self.costs.peak, parts)),
            sum(map(self.costs.transfer, parts)),
        )
        self._choices.append(choice)
        return choice

    def first_misfit(self, limit: int) -> int | None:
        """The first step that no part can hold within a limit; None if all fit."""
        if limit >= self.most_needed or limit >= self.least_peak:
            return None
        offset = first_misfit(self.costs, limit)
        return None if offset is None else self.steps.start + offset


class Blocks:
    """The blocks of a pipeline, each worked out once."""

    def __init__(self, forecast: Forecast) -> None:
        self._forecast = forecast
        self._known: dict[range, Block] = {}
        self._parts: dict[range, PartForecast] = {}

    def part(self, steps: range) -> PartForecast:
        """The forecast of a part."""
        if steps not in self._parts:
            self._parts[steps] = self._forecast.part(steps)
        return self._parts[steps]

    def of(self, steps: range, must_cut: Collection[int]) -> Cuts:
        """Those of a range of steps, with a cut before each step in `must_cut`."""
        edges = [steps.start, *sorted(set(must_cut) & set(steps[1:])), steps.stop]
        spans = (range(start, stop) for start, stop in pairwise(edges))
        return Cuts([self._block(span) for span in spans])

    def _block(self, steps: range) -> Block:
        if steps not in self._known:
            whole = self.part(steps)
            self._known[steps] = Block(steps, lambda: self._costs(steps), whole)
        return self._known[steps]

    def _costs(self, steps: range) -> Searchable:
        graph = self._forecast.graph
        reads = (1 + len(graph.values_of(graph.steps[number])) for number in steps)
        if sum(place * count for place, count in enumerate(reads, 1)) <= _MOST_LISTED:
            return self._forecast.costs(steps)
        from .arrays import arrays_of  # loads NumPy, which a run does without

        return arrays_of(self._forecast, steps)


class Cuts:
    """The best cuts of some blocks in their order."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = blocks

    @cached_property
    def least_peak(self) -> int:
        """The smallest limit for which there are parts that fit."""
        least = 0
        for block in sorted(self.blocks, key=lambda block: block.most_needed, reverse=True):
            if block.most_needed <= least:
                break
            least = max(least, block.least_peak)
        return least

    def within(self, limit: int) -> Choice | None:
        """The parts that move the fewest bytes while none holds more than `limit`.

        Among equals these are the fewest, then those with the lowest peak. None if none fit.
        """
        parts: list[range] = []
        peak = transfers = 0
        for block in self.blocks:
            choice = block.within(limit)
            if choice is None:
                return None
            parts += choice.parts
            peak, transfers = max(peak, choice.peak), transfers + choice.transfers
        return Choice(tuple(parts), limit, peak, transfers)

    def choose(self, usable: int) -> Choice:
        """The best parts within `usable` bytes, or else within the smallest limit that some fit.

        The answer fits if its `peak` is within `usable`, and otherwise nothing does.
        """
        choice = self.within(usable) or self.within(self.least_peak)
        assert choice is not None, "some parts fit the least peak"
        return choice

    def first_misfit(self, limit: int) -> int | None:
        """The number of the first step that no part can hold within `limit`; None if all fit."""
        misfits = (block.first_misfit(limit) for block in self.blocks)
        return next((misfit for misfit in misfits if misfit is not None), None)
