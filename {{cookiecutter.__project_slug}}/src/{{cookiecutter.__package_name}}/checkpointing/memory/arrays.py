"""The costs of every part of many steps, as arrays: the model of `forecast.py`, for all starts.

With n steps there are n (n + 1) / 2 parts. For each step in turn, everything is worked out for all
the parts that end with it at once: item `i` of an array is the part that begins with step `i`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..graph.steps import Step
from .forecast import UNKNOWN, Forecast
from .residency import Shared

Bytes: TypeAlias = npt.NDArray[np.int64]

_NEVER = np.int64(1) << 62  # more bytes than there are: of parts that do not fit


@dataclass(frozen=True)
class Arrays:
    """What each possible part costs: item `stop - 1` has the parts that end before step `stop`."""

    peaks: Sequence[Bytes]
    transfers: Sequence[Bytes]

    def peak(self, part: range) -> int:
        return int(self.peaks[part.stop - 1][part.start])

    def transfer(self, part: range) -> int:
        return int(self.transfers[part.stop - 1][part.start])

    def best_starts(self, limit: int) -> list[int | None]:
        """As `costs.Searchable` says."""
        count = len(self.peaks)
        transfers, parts, peaks = (np.zeros(count + 1, np.int64) for _ in range(3))
        starts: list[int | None] = [0]
        for stop, (peak, transfer) in enumerate(zip(self.peaks, self.transfers, strict=True), 1):
            moved = np.where(peak <= limit, transfers[:stop] + transfer, _NEVER)
            least = moved.min()
            if least >= _NEVER:
                transfers[stop] = _NEVER
                starts.append(None)
                continue
            equal = np.flatnonzero(moved == least)
            if len(equal) > 1:
                equal = _lowest(equal, parts[equal])
            highest = np.maximum(peaks[equal], peak[equal])
            if len(equal) > 1:
                equal = _lowest(equal, highest)
            start = int(equal[0])
            transfers[stop], parts[stop] = least, parts[start] + 1
            peaks[stop] = max(peaks[start], peak[start])
            starts.append(start)
        return starts

    def least_peak(self) -> int:
        """As `costs.Searchable` says."""
        least = np.zeros(len(self.peaks) + 1, np.int64)
        for stop, peak in enumerate(self.peaks, 1):
            least[stop] = np.maximum(least[:stop], peak).min()
        return int(least[-1])


def _lowest(numbers: Bytes, by: Bytes) -> Bytes:
    lowest: Bytes = numbers[by == by.min()]
    return lowest


def arrays_of(forecast: Forecast, steps: range) -> Arrays:
    """The peaks and transfers of every part of a range of steps."""
    growing = _GrowingParts(forecast, steps)
    for number in steps:
        growing.extend(number)
    return Arrays(growing.totals, growing.transfers)


class _GrowingParts:
    """The parts that end with some step, for every step that they may begin with.

    Attributes:
        totals: for each step so far, the peaks of the parts that end with it.
        transfers: the same of the bytes that they write and read.
    """

    def __init__(self, forecast: Forecast, steps: range) -> None:
        self._forecast = forecast
        self._graph = forecast.graph
        self._first = steps.start
        self._names = {self._graph.steps[n].name: n - steps.start for n in steps}
        self._baseline = np.array([forecast.baseline(n) for n in steps], np.int64)
        self._own, self._drift, self._held, self._peak, self._written, self._read, self._write = (
            np.zeros(len(steps), np.int64) for _ in range(7)
        )
        self._each = np.zeros((len(steps), len(steps)), np.int64) if self._waits(steps) else None
        """The peak of each step, by the step that its part begins with; None: it never changes."""

        self._live: set[str] = set()
        self._counted: dict[int, int] = {}
        """Of shared memory, by its number, in how many of the parts it counts, the first ones."""

        self._last_read: dict[str, int] = {}
        self.totals: list[Bytes] = []
        self.transfers: list[Bytes] = []

    def _waits(self, steps: range) -> bool:
        """Whether anything that was loaded may be held between two steps that read it."""
        taken = [p.taken for n in steps for p in self._graph.values_of(self._graph.steps[n])]
        return any(map(self._forecast.load, set(taken)))

    def extend(self, number: int) -> None:
        """Take in the next step."""
        forecast, step, count = self._forecast, self._graph.steps[number], len(self.totals) + 1
        if number in self._graph.skipped:
            self._note(self._resident(count))
        else:
            measure = forecast.measures.get(step.name, UNKNOWN)
            peak = self._resident(count) + self._load(step, count) + measure.needed_bytes
            self._make(step, count)
            drift = self._drift[:count]
            np.maximum(drift + measure.drift_bytes, 0, out=drift)
            is_now = forecast.keeps_all and not self._graph.is_output(step.name)
            at_once = forecast.writes.get(step.name, 0) if is_now else 0
            self._note(np.maximum(peak, self._resident(count) + at_once))
        writing = np.maximum.accumulate(self._write[:count][::-1])[::-1]
        self.totals.append(np.maximum(self._peak[:count], self._resident(count) + writing))
        self.transfers.append(self._written[:count] + self._read[:count])

    def _resident(self, count: int) -> Bytes:
        kept = self._baseline[:count], self._drift[:count], self._own[:count], self._held[:count]
        resident: Bytes = kept[0] + kept[1] + kept[2] + kept[3]
        return resident

    def _note(self, peak: Bytes) -> None:
        count = len(peak)
        np.maximum(self._peak[:count], peak, out=self._peak[:count])
        if self._each is not None:
            self._each[:count, count - 1] = peak

    def _load(self, step: Step, count: int) -> Any:
        """Note what a step loads, in the parts that begin after the step that makes it."""
        held = np.zeros(count, np.int64)
        for source, taken in {(p.source, p.taken) for p in self._graph.values_of(step)}:
            size, after = self._forecast.load(taken), self._made(source) + 1
            former = self._last_read.get(taken, -1)
            self._last_read[taken] = count - 1
            held[after:] += size
            self._read[max(after, former + 1) : count] += self._forecast.read(taken)
            if size and self._each is not None and after <= former < count - 2:
                waiting = self._each[after : former + 1, former + 1 : count - 1]
                waiting += size
                peak = self._peak[after : former + 1]
                np.maximum(peak, waiting.max(axis=1), out=peak)
        return held

    def _made(self, name: str) -> int:
        """The step that makes a value, from the first of the range; -1 for one before all."""
        number = self._graph.number(name)
        return -1 if number in self._graph.skipped else max(-1, number - self._first)

    def _make(self, step: Step, count: int) -> None:
        """Add a step's value, and let go of what no later step reads."""
        forecast, graph = self._forecast, self._graph
        changed = set()
        used = {p.source for p in graph.values_of(step)} & self._live
        if not step.is_sink:
            measure = forecast.measures.get(step.name, UNKNOWN)
            self._live.add(step.name)
            changed.add(step.name)
            self._own[:count] += measure.value_bytes
            self._written[:count] += measure.file_bytes
            if not forecast.keeps_all or graph.is_output(step.name):
                self._write[count - 1] = forecast.writes.get(step.name, 0)
        for name in (*used, step.name):
            if graph.last_use(name) <= graph.number(step.name) and name not in graph.read_again:
                parts = self._names[name] + 1
                measure = forecast.measures.get(name, UNKNOWN)
                self._written[:parts] -= 0 if forecast.keeps_all else measure.file_bytes
                if name in self._live and not graph.is_output(name):
                    self._live.discard(name)
                    changed.add(name)
                    self._own[:parts] -= measure.value_bytes
                    self._write[parts - 1] = 0
        for index in {index for name in changed for index in forecast.shared_by.get(name, ())}:
            self._share(index, forecast.shared[index])

    def _share(self, index: int, shared: Shared) -> None:
        """Count shared memory in the parts in which its owner was let go and a holder is live."""
        former = self._counted.get(index, 0)
        live = (self._names[name] for name in shared.holders if name in self._live)
        parts = 1 + max(live, default=-1)
        if shared.owner in self._live or self._graph.is_made_before(shared.owner, self._first):
            parts = 0
        parts = min(parts, self._names.get(shared.owner, parts) + 1)
        self._held[former:parts] += shared.bytes
        self._held[parts:former] -= shared.bytes
        self._counted[index] = parts
