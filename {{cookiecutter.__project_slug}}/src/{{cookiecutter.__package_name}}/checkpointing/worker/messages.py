"""An order: one part to run, as plain data that a worker can be sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.units import Count
from ..disk.manifest import FileRecord, Manifest
from ..graph.steps import Segment, Step


@dataclass(frozen=True)
class Source:
    """Where a value of an earlier part lies, and whether its file must be hashed before loading."""

    folder: Path
    record: FileRecord
    verify: bool


@dataclass(frozen=True)
class Order:
    """One part to run: its steps, what they read, what is to be kept, and where.

    Attributes:
        first: the number of the segment's first step.
        part: the numbers of the part's steps, within `range(first, first + len(segment.steps))`.
        last_use: for each of the segment's values the number of the last step that reads it.
        outputs: the segment's values that are published, or that nothing reads.
        before: what the segment's earlier parts left.
        done: sinks that an earlier attempt at this part has finished; they are not repeated.
        arguments: inputs and params by (step, parameter).
        stamps: of the input files, from when they were hashed.
        allowance: the most bytes that may be written.
    """

    root: Path
    store: Path
    pipeline: str
    segment: Segment
    first: int
    part: range
    key: str
    ingredients: dict[str, Any]
    params: dict[str, str]
    last_use: dict[str, int]
    outputs: tuple[str, ...]
    before: Manifest | None
    done: frozenset[str]
    sources: dict[str, Source]
    arguments: dict[tuple[str, str], Any]
    stamps: dict[Path, tuple[int, int]]
    format: str
    allowance: int
    count: Count
    log: Path

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the part."""
        return self.segment.steps[self.part.start - self.first : self.part.stop - self.first]

    def is_complete(self, stop: int) -> bool:
        """Whether the segment is done when the part ends before step number `stop`."""
        return stop == self.first + len(self.segment.steps)
