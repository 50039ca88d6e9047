"""What of many things a chart has room for; the tables below the charts have all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

MOST_ROWS = 60
"""The rows of a chart. More would be a page without end, and take seconds to draw."""

Thing = TypeVar("Thing")


def highest(things: Sequence[Thing], height: Callable[[Thing], float]) -> list[Thing]:
    """As many as a chart has rows for, in their order: the highest."""
    if len(things) <= MOST_ROWS:
        return [*things]
    ranked = sorted(range(len(things)), key=lambda n: height(things[n]), reverse=True)
    return [things[number] for number in sorted(ranked[:MOST_ROWS])]


def thinned(things: Sequence[Thing], most: int) -> Sequence[Thing]:
    """So many of them, evenly, the first and the last included."""
    if len(things) <= most:
        return things
    return [things[number * (len(things) - 1) // (most - 1)] for number in range(most)]


def spaced(
    things: Sequence[Thing], place: Callable[[Thing], float], least: float
) -> Iterator[Thing]:
    """Those that lie at least so many pixels behind the one before."""
    free = float("-inf")
    for thing in things:
        if place(thing) >= free:
            free = place(thing) + least
            yield thing
