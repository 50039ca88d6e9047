"""The forecast: the memory, writes and reads of any part of a pipeline, from the profile.

Memory at a step is the baseline, what the values that are live there hold between them, and what
the step itself adds: max over t of (sum of resident(t)) + transient(t). Values made in the part
count with the memory that came with them, shared memory once; values of earlier parts with what
loading them takes, which for mapped files is next to nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..base.settings import MemoryBudget
from ..codecs import family_known
from ..codecs.several import value_of
from ..graph.graph import Graph
from ..graph.steps import Segment, Step
from .costs import Costs
from .profile import Profile, SegmentProfile, StepMeasure
from .residency import Shared

UNKNOWN = StepMeasure("", "", finished=False)


@dataclass(frozen=True)
class PartForecast:
    """The expected memory and disk traffic of one part, in bytes."""

    steps: range
    """The numbers of its steps."""

    peaks: tuple[int, ...]
    """The peak of each step in order, then that of the commit."""

    written: int
    read: int

    unknown: tuple[str, ...]
    """Steps that were never measured: they count as nothing, so the figures are too small."""

    @property
    def peak(self) -> int:
        return max(self.peaks)


class Forecast:
    """What is known of every step of a graph, for any part of it.

    A step that was never measured counts with what is known: nothing. `unknown` names it.
    """

    def __init__(
        self,
        graph: Graph,
        profiles: Mapping[str, SegmentProfile],
        settings: MemoryBudget,
        largest_baseline: int = 0,
    ) -> None:
        self.graph = graph
        self.settings = settings
        self.keeps_all = settings.checkpoints.keep_all
        self.baselines = {name: known.baseline_bytes for name, known in profiles.items()}
        self._largest_baseline = max(largest_baseline, *self.baselines.values(), 0)
        self.parents = {name: known.parent_bytes for name, known in profiles.items()}
        self.measures: dict[str, StepMeasure] = {}
        self.loads: dict[str, int] = {}
        self.writes: dict[str, int] = {}
        self.shared: list[Shared] = []
        for profile in profiles.values():
            self.measures |= profile.steps
            self.shared += profile.shared
            self.loads |= _with_wholes(profile.loads)
            self.writes |= _largest_writes(profile.writes)
        self.shared_by: dict[str, list[int]] = {}
        """The numbers of the shared memory that each value has to do with."""

        for index, shared in enumerate(self.shared):
            for name in {shared.owner, *shared.holders}:
                self.shared_by.setdefault(name, []).append(index)

    def baseline(self, number: int) -> int:
        """The memory of a process before its first step, in bytes: each segment imports its own."""
        segment = self.graph.producer(self.graph.steps[number].name).name
        return self.baselines.get(segment) or self._largest_baseline

    def knows(self, step: Step) -> bool:
        """Whether a step has ever run to its end."""
        return step.name in self.measures and self.measures[step.name].finished

    def unknown(self, steps: range) -> tuple[str, ...]:
        """Which of some steps were never measured."""
        named = (self.graph.steps[n] for n in steps if n not in self.graph.skipped)
        return tuple(step.name for step in named if not self.knows(step))

    def rise(self, step: Step, unloaded: Collection[str], otherwise: int) -> int:
        """How far memory is expected to rise above what is held when a step begins.

        `unloaded` are the values that it would have to load. A step that was never measured counts
        with `otherwise`.
        """
        loads = sum(self.load(p.taken) for p in step.parameters if p.taken in unloaded)
        known = self.measures[step.name].needed_bytes if self.knows(step) else otherwise
        return loads + known

    def load(self, taken: str) -> int:
        """The held bytes that loading a value or an item of one takes.

        Where that was never seen, it is nothing for a mapped file, and else the size of the value.
        """
        value = value_of(taken)
        if taken in self.loads or value not in self.measures:
            return self.loads.get(taken, 0)
        is_table = "table" in _families(self.graph.steps[self.graph.number(value)])
        is_mapped = not (is_table and self.settings.checkpoints.format == "parquet")
        return (
            0
            if is_mapped and self.settings.budget.count == "held"
            else self.measures[value].file_bytes
        )

    def read(self, taken: str) -> int:
        """The bytes that are read of a value; of an item, as if all items were of one size."""
        measure = self.measures.get(value_of(taken), UNKNOWN)
        shape = self.graph.steps[self.graph.number(value_of(taken))].shape
        is_item = taken != value_of(taken) and shape is not None and shape.keys
        return measure.file_bytes // (len(shape.keys) if shape and is_item else 1)

    def part(self, part: range) -> PartForecast:
        """The forecast of one part, a range of step numbers."""
        growing = _GrowingPart(self, part.start)
        for number in part:
            growing.extend(number)
        return PartForecast(
            part,
            (*growing.peaks, growing.commit_peak),
            growing.written,
            growing.read,
            self.unknown(part),
        )

    def costs(self, steps: range) -> Costs:
        """The peaks and transfers of every part of a range of steps."""
        peaks: list[list[int]] = []
        transfers: list[list[int]] = []
        for first in steps:
            growing = _GrowingPart(self, first)
            peaks.append([])
            transfers.append([])
            for number in range(first, steps.stop):
                growing.extend(number)
                peaks[-1].append(max(*growing.peaks, growing.commit_peak))
                transfers[-1].append(growing.written + growing.read)
        return Costs(peaks, transfers)

    def must_cut(self, steps: range) -> set[int]:
        """Step numbers before which a part has to begin: some steps are a part of their own.

        What a sink is given is then on disk, should it fail, and nothing that fails later repeats
        it. Of a step that runs for each item, every item that is done is on disk at once.
        """
        alone = {n for n in steps if self.graph.steps[n].is_alone} - self.graph.skipped
        return {n for each in alone for n in (each, each + 1) if n in steps and n != steps.start}


def _with_wholes(loads: Mapping[str, int]) -> dict[str, int]:
    """What loading takes, of each value and item; of the whole of several all of it together."""
    wholes: dict[str, int] = {}
    for name, count in loads.items():
        wholes[value_of(name)] = wholes.get(value_of(name), 0) + count
    return {**loads, **wholes}


def _largest_writes(writes: Mapping[str, int]) -> dict[str, int]:
    """What writing takes, of each value: items are written one after the other."""
    largest: dict[str, int] = {}
    for name, count in writes.items():
        largest[value_of(name)] = max(largest.get(value_of(name), count), count)
    return largest


def _families(step: Step) -> set[str | None]:
    """The families of a step's value, or of the items that it is made of."""
    kinds = step.shape.types if step.shape else ()
    return {family_known(codec) for codec in (step.codec, *(kind.codec for kind in kinds))}


def forecast_of(
    graph: Graph,
    profile: Profile,
    settings: MemoryBudget,
    input_bytes: Mapping[Segment, int] | None = None,
    only: Segment | None = None,
) -> Forecast:
    """The forecast from a profile, for segments whose input has so many bytes, where known.

    Args:
        only: the segment that it is for; nothing is read of others but those that it reads from.
    """
    sizes = {segment.name: count for segment, count in (input_bytes or {}).items()}
    segments = graph.segments
    if only is not None:
        sources = {graph.producer(value).name for value in graph.loaded(graph.span(only))}
        segments = tuple(s for s in segments if s.name in sources or s is only)
    names = [segment.name for segment in segments]
    profiles = {name: profile.of(name, sizes.get(name)) for name in names}
    return Forecast(graph, profiles, settings, profile.largest_baseline)


class _GrowingPart:
    """A part that begins at a given step and grows step by step.

    Attributes:
        peaks: of its steps so far, in bytes.
        written: bytes of its values that a step after it reads, or of all where all are kept;
            outputs are written in any case.
        read: bytes of the earlier values that it loads.
    """

    def __init__(self, forecast: Forecast, first: int) -> None:
        self._forecast = forecast
        self._graph = forecast.graph
        self._first = first
        self._baseline = forecast.baseline(first)
        self._live: set[str] = set()
        self._own = 0
        self._drift = 0
        self._held = 0
        self._shared: set[int] = set()
        """The numbers of the shared memory that is held without its owner."""

        self._last_read: dict[str, int] = {}
        self.peaks: list[int] = []
        self.written = 0
        self.read = 0

    def extend(self, number: int) -> None:
        """Take in the next step."""
        forecast, step = self._forecast, self._graph.steps[number]
        if number in self._graph.skipped:
            self.peaks.append(self._resident)
            return
        measure = forecast.measures.get(step.name, UNKNOWN)
        peak = self._resident + self._load(number, step) + measure.needed_bytes
        used = {p.source for p in self._graph.values_of(step)} & self._live
        if not step.is_sink:
            self._live.add(step.name)
            self._share(step.name)
            self._own += measure.value_bytes
            self.written += measure.file_bytes
        for name in (*used, step.name):
            if self._graph.last_use(name) <= number and name not in self._graph.read_again:
                self._let_go(name)
        self._drift = max(0, self._drift + measure.drift_bytes)
        self.peaks.append(max(peak, self._resident + self._write_at_once(step)))

    @property
    def commit_peak(self) -> int:
        """The peak of writing, if the part ended here."""
        is_output = self._graph.is_output
        waiting = filter(is_output, self._live) if self._forecast.keeps_all else self._live
        return self._resident + max((self._forecast.writes.get(n, 0) for n in waiting), default=0)

    def _write_at_once(self, step: Step) -> int:
        """What writing a step's value takes where all values are kept, but for outputs."""
        is_now = self._forecast.keeps_all and not self._graph.is_output(step.name)
        return self._forecast.writes.get(step.name, 0) if is_now else 0

    @property
    def _resident(self) -> int:
        return self._baseline + self._drift + self._own + self._held

    def _share(self, changed: str) -> None:
        """Count what a value shares, after it was made or let go."""
        for index in self._forecast.shared_by.get(changed, ()):
            shared = self._forecast.shared[index]
            is_held = (
                shared.owner not in self._live
                and not self._graph.is_made_before(shared.owner, self._first)  # of a mapped file
                and not self._live.isdisjoint(shared.holders)
            )
            if is_held != (index in self._shared):
                self._held += shared.bytes if is_held else -shared.bytes
                self._shared ^= {index}

    def _load(self, number: int, step: Step) -> int:
        """Note what a step loads; the memory of all the loaded values that it reads."""
        held = 0
        loaded = {
            p.taken
            for p in self._graph.values_of(step)
            if self._graph.is_made_before(p.source, self._first)
        }
        for name in loaded:
            size = self._forecast.load(name)
            held += size
            if name not in self._last_read:
                self.read += self._forecast.read(name)
            for between in range(self._last_read.get(name, number) + 1, number):
                self.peaks[between - self._first] += size
            self._last_read[name] = number
        return held

    def _let_go(self, name: str) -> None:
        measure = self._forecast.measures.get(name, UNKNOWN)
        self.written -= 0 if self._forecast.keeps_all else measure.file_bytes
        if name in self._live and not self._graph.is_output(name):
            self._live.discard(name)
            self._share(name)
            self._own -= measure.value_bytes
