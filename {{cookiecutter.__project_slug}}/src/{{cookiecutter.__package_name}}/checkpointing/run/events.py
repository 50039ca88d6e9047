"""The events of a run, for its observers: the console, the timeline, the record.

The messages of a worker (`worker.messages`) are passed on to observers as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .record import SegmentRecord


@dataclass(frozen=True)
class RunStarted:
    """A run begins."""

    pipeline: str
    budget_bytes: int
    budget_source: str

    segments: tuple[tuple[str, int], ...]
    """Name and number of steps of each, in order."""

    log: str
    """The path of the file that gets the output of steps."""


@dataclass(frozen=True)
class Turned:
    """The next events are of this segment; those before were of another, which goes on, too."""

    segment: str


@dataclass(frozen=True)
class SegmentStarted:
    segment: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class SegmentStopped:
    """A segment has ended without a checkpoint; `why` is for people."""

    segment: str
    why: str


@dataclass(frozen=True)
class PartStarted:
    """A process is about to run a segment's steps from `step` on."""

    segment: str
    step: str

    number: int = 1
    """The number of `step` in its segment, counted from 1."""

    why: str = ""
    """Why the part does not begin with the segment's first step; empty if it does."""

    numbers: dict[str, int] = field(default_factory=dict)
    """The numbers in the segment of the steps that are left to run, where some do not run."""


@dataclass(frozen=True)
class PartEnded:
    """The process of a part has ended, and its values are on disk."""

    segment: str


@dataclass(frozen=True)
class PartCut:
    """The work of a part is lost: it runs again, up to a new cut before the step `before`."""

    segment: str
    before: str
    why: str


@dataclass(frozen=True)
class Sampled:
    """Held memory of the process tree of the run, in bytes."""

    held_bytes: int


@dataclass(frozen=True)
class SentElsewhere:
    """A segment is about to run on an executor."""

    segment: str
    executor: str
    place: str

    budget_bytes: int
    """The memory that it may hold there."""


@dataclass(frozen=True)
class StepBegan:
    """A step has begun elsewhere."""

    step: str
    item: str = ""


@dataclass(frozen=True)
class SampledElsewhere:
    """Held memory of the process tree of a segment that runs elsewhere, in bytes."""

    held_bytes: int


@dataclass(frozen=True)
class SegmentEnded:
    """A segment has its checkpoint, made in this run or an earlier one."""

    record: SegmentRecord


@dataclass(frozen=True)
class Noticed:
    """A message for people; the run continues."""

    message: str


Observer = Callable[[Any], None]
