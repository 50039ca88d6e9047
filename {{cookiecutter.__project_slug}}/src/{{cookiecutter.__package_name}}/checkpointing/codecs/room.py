"""What a step may take of the machine, for libraries that want to be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    """

    memory: int
    spill: Path
    disk: int
    threads: int
