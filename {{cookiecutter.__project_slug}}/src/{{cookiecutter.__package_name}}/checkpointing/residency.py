"""Residency: the memory that the values of a running part hold, each piece counted once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import meter
from .codecs import pieces
from .settings import Count


@dataclass(frozen=True)
class Shared:
    """Memory that came with one value, its owner, and that `holders` keep alive as well."""

    owner: str
    holders: tuple[str, ...]
    bytes: int


@dataclass
class _Piece:
    owner: str
    bytes: int
    is_held: bool
    holders: set[str] = field(default_factory=set)


class Residency:
    """Who holds which memory, in bytes, among the frozen values of one part.

    Frames share memory: `frame.assign(...)` all but one column of it, a slice all of it. So what a
    part holds is less than the sum of its values' sizes, and dropping a value may free nothing.

    Pages of mapped files below `folder` are not held memory, unless `count` is "rss".
    """

    def __init__(self, folder: Path, count: Count) -> None:
        self._folder = folder
        self._holds_mapped = count == "rss"
        self._live: dict[str, list[_Piece]] = {}
        self._at: dict[int, _Piece] = {}
        self._freed: list[_Piece] = []

    def add(self, value: str, frozen: Any) -> int:
        """Note a value that was made or loaded; the held bytes that came with it."""
        mapped = meter.mapped_ranges(self._folder)

        def is_mapped(address: int) -> bool:
            return any(start <= address < stop for start, stop in mapped)

        own = 0
        self._live[value] = []
        for address, size in pieces(frozen, is_mapped).items():
            if address not in self._at:
                is_held = self._holds_mapped or not is_mapped(address)
                self._at[address] = _Piece(value, size, is_held)
                own += size if is_held else 0
            piece = self._at[address]
            piece.holders.add(value)
            self._live[value].append(piece)
        return own

    def drop(self, *values: str) -> None:
        """Note that nothing holds on to these values any more.

        What a step took over from them and returned is to be added before: it may be of them.
        """
        for value in values:
            self._live.pop(value, None)
        live = self._live_pieces()
        for address, piece in list(self._at.items()):
            if id(piece) not in live:  # the address may be given to something else
                self._freed.append(self._at.pop(address))

    @property
    def bytes(self) -> int:
        """What all values that were not dropped hold between them."""
        return sum(piece.bytes for piece in self._live_pieces().values() if piece.is_held)

    def shared(self) -> tuple[Shared, ...]:
        """All memory so far that more values held than the one it came with, mapped files too."""
        sums: dict[tuple[str, tuple[str, ...]], int] = {}
        for piece in (*self._freed, *self._at.values()):
            if others := tuple(sorted(piece.holders - {piece.owner})):
                sums[piece.owner, others] = sums.get((piece.owner, others), 0) + piece.bytes
        return tuple(Shared(owner, others, count) for (owner, others), count in sums.items())

    def _live_pieces(self) -> dict[int, _Piece]:
        return {id(piece): piece for held in self._live.values() for piece in held}
