"""What a step may take of the machine, for libraries that want to be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for real it would load pydantic before the fork server is started
    from ..base.settings import Spark


@dataclass(frozen=True)
class Room:
    """What one step may take.

    Attributes:
        memory: bytes that may come to be held on top of what is held when the step begins, with
            the headroom already taken off.
        spill: a folder of the step's own for what does not fit; it may not exist yet, and is
            removed with all that is in it when the part ends, however that happens.
        disk: bytes that may lie in that folder.
        threads: how many threads may compute.
        part: what runs, for people: `delays/s02_clean part 1`.
        lasting: a folder like `spill`, of an engine that goes on until the part ends.
        folder: the folder of the checkpoint, which exists; whoever writes values has to see it.
        most: the same without what a step gets less of that has exceeded the budget before: an
            engine that cannot start with `memory` takes as little of this as it needs.
        granted: bytes that the part may hold on all machines together, where an engine works on
            others too; memory of this machine counts in it.
        spark: where Spark runs, if memory_budget.toml or the environment says so.
    """

    memory: int
    spill: Path
    disk: int
    threads: int
    part: str = ""
    lasting: Path | None = None
    folder: Path | None = None
    most: int = 0
    granted: int = 0
    spark: Spark | None = None


class NoRoom(MemoryError):
    """An engine could not do with the memory that it was allowed.

    Args:
        message: a part of a sentence, for people.
        least: the bytes with which it would start, on top of what is held when the step begins; 0
            if it did start.
    """

    def __init__(self, message: str, least: int = 0) -> None:
        super().__init__(message)
        self.least = least
