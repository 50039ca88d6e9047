"""The memory above which a worker is killed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Ceiling(Protocol):
    """The memory above which a worker is killed, which may change while it works."""

    @property
    def bytes(self) -> int: ...

    @property
    def most(self) -> int:
        """What it may come to be."""

    def widen(self, wanted: int) -> bool:
        """Whether the processes may hold so many bytes from now on."""


@dataclass(frozen=True)
class Fixed:
    """A ceiling that never changes."""

    bytes: int

    @property
    def most(self) -> int:
        return self.bytes

    def widen(self, wanted: int) -> bool:
        return wanted <= self.bytes
