"""Residency: the memory of the values of a running part, each piece counted once."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.units import Count
from ..codecs import pieces
from ..codecs.several import value_of
from . import meter

if TYPE_CHECKING:
    from ..codecs.table.pieces import Piece


@dataclass(frozen=True)
class Shared:
    """Memory that came with one value, its owner, and that `holders` keep alive as well.

    What the items of one value share among them is their value's own.
    """

    owner: str
    holders: tuple[str, ...]
    bytes: int


@dataclass
class _Held:
    """A piece of memory among the values of a part."""

    owner: str
    """The value that it came with."""

    bytes: int

    counts: bool
    """Whether it is held memory: the pages of mapped files are not, by default."""

    holders: set[str] = field(default_factory=set)
    """All values that have ever kept it alive."""


class Residency:
    """Which frozen values of a part keep which memory alive, in bytes.

    Frames share memory: `frame.assign(...)` all but one of its columns, a slice all of it. So a
    part holds less than the sum of its values' sizes, and dropping a value may free nothing.

    Pages of mapped files below `folder` are not held memory, unless `count` is "rss".
    """

    def __init__(self, folder: Path, count: Count) -> None:
        self._folder = folder
        self._holds_mapped = count == "rss"
        self._live: dict[str, set[Piece]] = {}
        self._held: dict[Piece, _Held] = {}
        self._freed: list[_Held] = []

    def add(self, value: str, frozen: Any, *, in_batches: bool = False) -> int:
        """Add a value that was made or loaded; return the held bytes that came with it.

        Of a value that is written or read `in_batches` mapped pages do not stay, so none count.
        """
        mapped = functools.cache(functools.partial(meter.mapped_ranges, self._folder))

        def is_mapped(address: int) -> bool:
            if isinstance(frozen, bytes):
                return False
            return any(start <= address < stop for start, stop in mapped())

        own = 0
        self._live[value] = pieces(frozen, is_mapped)
        for piece in self._live[value]:
            if piece not in self._held:
                stays = self._holds_mapped and not in_batches
                counts = stays or not is_mapped(piece.address)
                self._held[piece] = _Held(value, piece.bytes, counts)
                own += piece.bytes if counts else 0
            self._held[piece].holders.add(value)
        return own

    def drop(self, *values: str) -> None:
        """Remove values that nothing refers to any more.

        Call `add` for the step's result first: it may share memory with these.
        """
        for value in values:
            self._live.pop(value, None)
        live = set().union(*self._live.values())
        for piece in self._held.keys() - live:
            self._freed.append(self._held.pop(piece))

    @property
    def bytes(self) -> int:
        """The held memory of all values that were not dropped."""
        return sum(held.bytes for held in self._held.values() if held.counts)

    def shared(self) -> tuple[Shared, ...]:
        """All memory so far that several values kept alive, mapped files too."""
        sums: dict[tuple[str, tuple[str, ...]], int] = {}
        for held in (*self._freed, *self._held.values()):
            owner = value_of(held.owner)
            if others := tuple(sorted({*map(value_of, held.holders)} - {owner})):
                sums[owner, others] = sums.get((owner, others), 0) + held.bytes
        return tuple(Shared(owner, others, count) for (owner, others), count in sums.items())
