"""What happens during a run, as plain facts for those who watch it.

What a worker tells of its steps, in `worker.messages`, comes to them as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .record import SegmentRecord


@dataclass(frozen=True)
class RunStarted:
    """`segments` are (name, number of steps) in order; sizes in bytes."""

    pipeline: str
    budget_bytes: int
    budget_source: str
    segments: tuple[tuple[str, int], ...]
    log: str


@dataclass(frozen=True)
class SegmentStarted:
    segment: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class PartStarted:
    """A process is about to run the steps from `step` on, the segment's step number `number`.

    `why` tells why it does not begin with the segment.
    """

    segment: str
    step: str
    number: int = 1
    why: str = ""


@dataclass(frozen=True)
class PartEnded:
    """The process of a part has ended, and what it made is on disk."""

    segment: str


@dataclass(frozen=True)
class PartCut:
    """What a part did is lost: it runs again, up to the step before which it is now cut."""

    segment: str
    before: str
    why: str


@dataclass(frozen=True)
class Sampled:
    """Held memory of the process tree, in bytes."""

    held_bytes: int


@dataclass(frozen=True)
class SegmentEnded:
    """A segment has its checkpoint, made in this run or an earlier one."""

    record: SegmentRecord


@dataclass(frozen=True)
class Noticed:
    """Something that a person should know, though the run goes on."""

    message: str


Observer = Callable[[Any], None]
