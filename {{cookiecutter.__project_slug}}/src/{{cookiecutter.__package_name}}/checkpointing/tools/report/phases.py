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

    `kind` is part (the lives of a segment's processes), step, or commit; `name` is the step's. Of
    several phases that are drawn as one the kind is several, and the name says which.
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


def joined(phases: Sequence[Phase], least: float) -> tuple[Phase, ...]:
    """Phases to draw, where those that follow each other and last less than `least` seconds are
    one, up to that length: a long run has more of them than a picture has room for.
    """
    drawn: list[list[Phase]] = []
    for phase in phases:
        last = drawn[-1] if drawn else []
        is_small = phase.end - phase.start < least
        if is_small and last and phase.end - last[0].start < 2 * least:
            last.append(phase)
        else:
            drawn.append([phase])
    return tuple(_as_one(group) for group in drawn)


def _as_one(group: Sequence[Phase]) -> Phase:
    first, last = group[0], group[-1]
    if len(group) == 1:
        return first
    ends = [phase.name or phase.segment for phase in (first, last)]
    return replace(first, kind="several", name=f"{ends[0]} … {ends[1]}", end=last.end)


def _phases(marks: Sequence[Mark], end: float, begins: set[str], ends: set[str]) -> Iterator[Phase]:
    last = max([end, *(mark.seconds for mark in marks)])
    ended: dict[str, float] = {}  # by segment, for several may be at work at once
    until: list[float] = []
    for mark in reversed(marks):
        until.append(ended.get(mark.segment, last))
        if mark.kind in ends:
            ended[mark.segment] = mark.seconds
    for mark, over in zip(marks, reversed(until), strict=True):
        if mark.kind in begins:
            yield Phase(mark.kind, mark.segment, mark.name, mark.seconds, over)
