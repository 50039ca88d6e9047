"""What happens during a run, as plain facts, from a worker to its parent and on to observers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..disk.manifest import Manifest
from ..memory.residency import Shared
from .record import SegmentRecord


@dataclass(frozen=True)
class StepStarted:
    """A step is about to load what it needs and run.

    `live` is each held value's size in bytes, `live_bytes` what they hold between them: values may
    share memory. `held_bytes` is what the process tree holds.
    """

    step: str
    live: dict[str, int]
    live_bytes: int = 0
    held_bytes: int = 0


@dataclass(frozen=True)
class ValueLoaded:
    """The running step's worker has loaded a value.

    `bytes` is its size, mapped pages counted, `held_bytes` the memory that loading it took;
    `seconds` counts its verification.
    """

    value: str
    bytes: int
    held_bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class StepEnded:
    """A step has returned and its value has its in-memory form. `seconds` counts both.

    `held_bytes` is what the process tree holds now: a quick step may fall between two samples.
    `live_bytes` is what the values hold that are still needed. `input_bytes` is the size of the
    step's arguments, `value_bytes` the memory that came with its value, `file_bytes` about what
    the value's file takes, `shared` what values of the part share. Unless it is the part's last,
    the worker waits to be told whether to go on.
    """

    step: str
    seconds: float
    held_bytes: int
    live_bytes: int = 0
    input_bytes: int = 0
    value_bytes: int = 0
    file_bytes: int = 0
    shared: tuple[Shared, ...] = ()


@dataclass(frozen=True)
class CommitStarted:
    """The part's steps are done; its live values, with sizes in bytes, are about to be written."""

    live: dict[str, int]
    live_bytes: int = 0
    held_bytes: int = 0


@dataclass(frozen=True)
class WriteStarted:
    """One value is about to be written; `held_bytes` is what the process tree holds."""

    value: str
    held_bytes: int


@dataclass(frozen=True)
class WriteEnded:
    """One value's files are durable: their bytes, and the seconds that writing took."""

    value: str
    bytes: int
    seconds: float


@dataclass(frozen=True)
class PartCommitted:
    """The part is done: what its segment left so far is on disk."""

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
