"""What happens during a run, as plain facts, from a worker to its parent and on to observers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .history import SegmentRecord
from .manifest import Manifest


@dataclass(frozen=True)
class StepStarted:
    """A step is about to load what it needs and run. `live` is each held value's size in bytes."""

    step: str
    live: dict[str, int]


@dataclass(frozen=True)
class ValueLoaded:
    """The running step's worker has loaded a value; its size in bytes, mapped pages counted."""

    value: str
    bytes: int


@dataclass(frozen=True)
class StepEnded:
    """A step has returned and its value has its in-memory form. `seconds` counts both.

    `held_bytes` is what the process tree holds now: a quick step may fall between two samples.
    """

    step: str
    seconds: float
    held_bytes: int


@dataclass(frozen=True)
class CommitStarted:
    """The part's steps are done; its live values, with sizes in bytes, are about to be written."""

    live: dict[str, int]


@dataclass(frozen=True)
class PartCommitted:
    """The part's checkpoint exists."""

    manifest: Manifest


@dataclass(frozen=True)
class PartFailed:
    """The part ended without a checkpoint. `kind` is one of errors.BY_KIND."""

    kind: str
    message: str
    step: str | None = None
    traceback: str = ""


@dataclass(frozen=True)
class DamageFound:
    """A value's file is not what was committed; its segment has to run again."""

    value: str


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
