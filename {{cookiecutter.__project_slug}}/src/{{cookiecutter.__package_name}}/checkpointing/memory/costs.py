"""The costs of every part of some steps, and the search for the best parts, on plain numbers.

Steps are numbered from 0. All sizes are bytes. `arrays.py` does the same for many steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Searchable(Protocol):
    """The costs of every part of some steps, in a form that can be searched."""

    def peak(self, part: range) -> int:
        """The most that a part holds."""

    def transfer(self, part: range) -> int:
        """What a part writes and reads of checkpoints."""

    def best_starts(self, limit: int) -> list[int | None]:
        """For each number of steps, where the last of the best parts for so many steps begins.

        None where no parts fit. The best move the fewest bytes while none holds more than `limit`;
        among equals these are the fewest, then those with the lowest peak.

        Values are immutable, loaded before their first use in a part, freed after their last, and
        written once, by the part that made them, if a later part uses them. So what a part holds
        and moves depends on where it starts and stops and on no other cut, and transfers add up.
        The best parts for the steps before `stop` then end with some part `start … stop`, and
        before it stand the best parts for the steps before `start`:

            best(stop) = min over start < stop of best(start) + transfer(start … stop),
                         for parts with a peak within the limit

        Every start is tried, for a longer part may hold less: loading a value can take more memory
        than making it did. With n steps that makes n (n + 1) / 2 parts to look at.
        """

    def least_peak(self) -> int:
        """The smallest limit for which there are parts that fit.

        The same recurrence, with the highest peak in place of the sum of transfers.
        """


class _Prefix(NamedTuple):
    """The best parts for the steps before some step; of two, the smaller tuple is the better.

    `start` is where the last of these parts begins.
    """

    transfers: int
    parts: int
    peak: int
    start: int


@dataclass(frozen=True)
class Costs:
    """What each possible part would cost: row `i`, item `k` is the part of the steps i … i + k.

    `peaks` are the most that a part holds, `transfers` what it writes and reads of checkpoints.
    """

    peaks: Sequence[Sequence[int]]
    transfers: Sequence[Sequence[int]]

    def peak(self, part: range) -> int:
        return self.peaks[part.start][len(part) - 1]

    def transfer(self, part: range) -> int:
        return self.transfers[part.start][len(part) - 1]

    def best_starts(self, limit: int) -> list[int | None]:
        """As `Searchable` says.

        Comparing by transfers, parts and peak in this order is exact: no part added to both of two
        prefixes makes the better one the worse.
        """
        best: list[_Prefix | None] = [_Prefix(transfers=0, parts=0, peak=0, start=0)]
        for stop in range(1, len(self.peaks) + 1):
            candidates = [
                _Prefix(
                    former.transfers + self.transfers[start][stop - start - 1],
                    former.parts + 1,
                    max(former.peak, peak),
                    start,
                )
                for start, former in enumerate(best)
                if former is not None and (peak := self.peaks[start][stop - start - 1]) <= limit
            ]
            best.append(min(candidates, default=None))
        return [prefix and prefix.start for prefix in best]

    def least_peak(self) -> int:
        """As `Searchable` says."""
        least = [0]
        for stop in range(1, len(self.peaks) + 1):
            least.append(
                min(
                    max(former, self.peaks[start][stop - start - 1])
                    for start, former in enumerate(least)
                )
            )
        return least[-1]


def best_parts(costs: Searchable, limit: int) -> tuple[range, ...] | None:
    """The parts that move the fewest bytes while none holds more than `limit`; None if none fit.

    A larger limit never moves more bytes, for what fits a limit fits a larger one.
    """
    starts = costs.best_starts(limit)
    stop = len(starts) - 1
    parts: list[range] = []
    while stop:
        start = starts[stop]
        if start is None:
            return None
        parts.append(range(start, stop))
        stop = start
    return tuple(reversed(parts))


def first_misfit(costs: Searchable, limit: int) -> int | None:
    """The number of the first step that no part can hold within `limit`; None if all steps fit.

    The steps before it fit, but however they are cut, a part that reaches this one does not.
    """
    starts = costs.best_starts(limit)
    reached = max(stop for stop, start in enumerate(starts) if start is not None)
    return None if reached == len(starts) - 1 else reached
