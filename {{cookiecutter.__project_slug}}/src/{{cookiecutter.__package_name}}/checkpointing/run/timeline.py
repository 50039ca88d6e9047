"""Memory over time: samples of the process tree, bounded in number for a run of any length."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..base.files import replace_text, storage_errors
from ..worker.messages import CommitStarted, StepStarted
from .events import (
    Observer,
    PartCut,
    PartEnded,
    PartStarted,
    RunStarted,
    Sampled,
    SegmentStarted,
    StepBegan,
    Turned,
)
from .record import TIMELINE

MOST_SAMPLES = 2000
_SHORTEST_SECONDS = 0.001  # below what lies between two samples of a worker


@dataclass(frozen=True)
class Mark:
    """An event, in seconds after the run's start."""

    seconds: float

    kind: str
    """`part` (a process starts at the step `name`), `step`, `commit`, `end` (the process ended
    well) or `cut` (it was stopped, to be cut before the step `name`)."""

    segment: str
    name: str


class Peaks:
    """Samples over time, at most `most` of them: the largest of each of many equal intervals.

    When there are too many, two neighbours become one, which keeps the larger: no peak is lost,
    and each keeps its own time. Memory between two kept samples may be lower than both.
    """

    def __init__(self, most: int = MOST_SAMPLES) -> None:
        self._most = most
        self._interval = _SHORTEST_SECONDS
        self._largest: dict[int, tuple[float, int]] = {}  # by the number of the interval

    def add(self, seconds: float, held_bytes: int) -> None:
        self._keep(seconds, held_bytes)
        while len(self._largest) > self._most:
            former, self._largest = self._largest, {}
            self._interval *= 2
            for sample in former.values():
                self._keep(*sample)

    def samples(self) -> list[tuple[float, int]]:
        """The kept samples as (seconds, held bytes), in the order of time."""
        return [sample for _, sample in sorted(self._largest.items())]

    def _keep(self, seconds: float, held_bytes: int) -> None:
        number = int(seconds / self._interval)
        former = self._largest.get(number)
        if former is None or held_bytes > former[1]:
            self._largest[number] = seconds, held_bytes


class Timeline:
    """An observer that records memory samples and marks, and passes every event on.

    Times are in seconds of `clock`, from the run's start. The number of samples is bounded; there
    are a few marks for each step.
    """

    def __init__(self, observe: Observer, clock: Callable[[], float] = time.monotonic) -> None:
        self._observe = observe
        self._clock = clock
        self._started = clock()
        self._segment = ""
        self._peaks = Peaks()
        self._marks: list[Mark] = []
        self.highest = 0
        """The most that all processes of the run held at once, in bytes."""

    def observe(self, event: Any) -> None:
        self._note(event)
        self._observe(event)

    def as_json(self) -> dict[str, Any]:
        """The samples as two lists of one length, and the marks."""
        samples = self._peaks.samples()
        return {
            "seconds": [round(seconds, 3) for seconds, _ in samples],
            "held_bytes": [held for _, held in samples],
            "marks": [asdict(mark) for mark in self._marks],
        }

    def save(self, folder: Path) -> None:
        """Write timeline.json into the run's folder. Raises StorageError."""
        with storage_errors("Writing the run's timeline", folder):
            replace_text(folder / TIMELINE, json.dumps(self.as_json()))

    def _note(self, event: Any) -> None:
        match event:
            case Sampled(held):
                self.highest = max(self.highest, held)
                self._peaks.add(self._seconds(), held)
            case RunStarted():
                self._started = self._clock()
            case SegmentStarted(segment) | Turned(segment):
                self._segment = segment
            case PartStarted(segment, step):
                self._segment = segment
                self._mark("part", step)
            case StepStarted(step) | StepBegan(step):
                self._mark("step", step)
            case CommitStarted():
                self._mark("commit")
            case PartEnded():
                self._mark("end")
            case PartCut(_, before):
                self._mark("cut", before)

    def _mark(self, kind: str, name: str = "") -> None:
        self._marks.append(Mark(round(self._seconds(), 3), kind, self._segment, name))

    def _seconds(self) -> float:
        return self._clock() - self._started
