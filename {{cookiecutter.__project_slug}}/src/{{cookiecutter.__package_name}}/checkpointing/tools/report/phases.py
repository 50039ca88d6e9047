"""The phases of a run, from the marks of its timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ...run.timeline import Mark

_ENDS = {"part", "end", "cut"}  # marks after which a part runs no more


@dataclass(frozen=True)
class Phase:
    """A stretch of a run, in seconds after its start.

    `kind` is part (the lives of a segment's processes), step, or commit; `name` is the step's.
    """

    kind: str
    segment: str
    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Cut:
    """A segment continues in a fresh process, from the step `before` on.

    With `is_loss` the former process lost its results, and the steps up to `before` run again.
    """

    seconds: float
    segment: str
    before: str
    is_loss: bool


def segments(marks: Sequence[Mark], end: float) -> tuple[Phase, ...]:
    """The segments, each from its first process to the end of its last one.

    A process without an end mark lives until `end`.
    """
    lives = _phases(marks, end, begins={"part"}, ends=_ENDS)
    grouped = (list(group) for _, group in groupby(lives, key=lambda life: life.segment))
    return tuple(replace(group[0], end=group[-1].end) for group in grouped)


def steps(marks: Sequence[Mark], end: float) -> tuple[Phase, ...]:
    """The steps and the commits."""
    return tuple(_phases(marks, end, begins={"step", "commit"}, ends=_ENDS | {"step", "commit"}))


def cuts(marks: Sequence[Mark]) -> tuple[Cut, ...]:
    """The cuts of segments, in the order of time."""
    ordered = []
    ended = ""  # the segment whose part ended last, and well
    for mark in marks:
        if mark.kind == "cut":
            ordered.append(Cut(mark.seconds, mark.segment, mark.name, is_loss=True))
        if mark.kind == "part" and mark.segment == ended:
            ordered.append(Cut(mark.seconds, mark.segment, mark.name, is_loss=False))
        if mark.kind in _ENDS:
            ended = mark.segment if mark.kind == "end" else ""
    return tuple(ordered)


def _phases(marks: Sequence[Mark], end: float, begins: set[str], ends: set[str]) -> Iterator[Phase]:
    last = max([end, *(mark.seconds for mark in marks)])
    for number, mark in enumerate(marks):
        if mark.kind in begins:
            until = (
                later.seconds
                for later in marks[number + 1 :]
                if later.kind in ends and later.segment == mark.segment
            )
            yield Phase(mark.kind, mark.segment, mark.name, mark.seconds, next(until, last))
