"""Random pipelines as plain data, with a profile of each step; and what a part of one would take.

`Simulation` is the model of docs/runtime.md written down a second time, in the plainest way.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flight_delays.checkpointing.graph.steps import Parameter, Segment, Step
from flight_delays.checkpointing.memory.forecast import Forecast
from flight_delays.checkpointing.memory.profile import SegmentProfile, StepMeasure
from flight_delays.checkpointing.memory.residency import Shared
from flight_delays.checkpointing.pipeline import Pipeline
from hypothesis import strategies as st

from ..builders import MEMORY_BUDGET, toml_files

MOST_STEPS = 12
MEMORY = MEMORY_BUDGET + "[segment]\nmax_steps = 20\n"


def _function() -> None:
    """Stands for the function of every step: nothing of a graph is ever run."""


NAMES = [f"s{number:02}" for number in range(MOST_STEPS)]
globals().update(dict.fromkeys(NAMES, _function))


_FOLDER = tempfile.TemporaryDirectory(prefix="graphs-")


@cache
def root() -> Path:
    """A folder with the two TOML files of a project."""
    return toml_files(Path(_FOLDER.name), memory=MEMORY)


def step(number: int, reads: tuple[int, ...], *, sink: bool = False) -> Step:
    """A step that reads the values of earlier ones, and makes a frame unless it is a sink."""
    parameters = tuple(
        Parameter(NAMES[n], "pandas.DataFrame", None, "DataFrame", None) for n in reads
    )
    codec = None if sink else "DataFrame"
    return Step(NAMES[number], __name__, str(root() / "graph.py"), number, parameters, codec)


def graph(
    reads: list[tuple[int, ...]], *, sinks: tuple[int, ...] = (), lengths: tuple[int, ...] = ()
) -> Pipeline:
    """A pipeline whose step n reads the values `reads[n]`, in segments of these lengths."""
    steps = [step(n, read, sink=n in sinks) for n, read in enumerate(reads)]
    segments, start = [], 0
    for number, length in enumerate(lengths or (len(steps),), start=1):
        segments.append(Segment(f"segment{number}", steps[start : start + length]))
        start += length
    return Pipeline(*segments, name="graph")


def measure(identity: str = "same", **found: int) -> StepMeasure:
    """A step as it was measured: `measure(value=…)` for `value_bytes`, and so on."""
    sizes: dict[str, Any] = {f"{name}_bytes": size for name, size in found.items()}
    return StepMeasure("now", identity, **sizes)


def forecast(
    pipeline: Pipeline,
    measures: dict[str, StepMeasure],
    baseline: int = 0,
    *,
    keep_all: bool = False,
    **more: object,
) -> Forecast:
    """The forecast of a pipeline of one segment, from a profile given in full."""
    profile = SegmentProfile(1, baseline, measures, **more)  # type: ignore[arg-type]
    settings = pipeline.settings.keeping_all() if keep_all else pipeline.settings
    return Forecast(pipeline, {pipeline.segments[0].name: profile}, settings.memory)


_SIZES = st.integers(0, 100)


@st.composite
def forecasts(draw: st.DrawFn) -> Forecast:
    """A random graph with random sizes: values that share memory, loads that cost, sinks."""
    count = draw(st.integers(1, MOST_STEPS))
    reads: list[tuple[int, ...]] = []
    sinks = tuple(draw(st.sets(st.integers(0, count - 1), max_size=2)))
    for number in range(count):
        earlier = [n for n in range(number) if n not in sinks]
        reads.append(
            tuple(sorted(draw(st.sets(st.sampled_from(earlier), max_size=4)))) if earlier else ()
        )
    pipeline = graph(reads, sinks=sinks)
    measures = {
        NAMES[number]: measure(
            transient=draw(_SIZES),
            stopped=draw(_SIZES),
            drift=draw(st.integers(-30, 30)),
            value=0 if number in sinks else draw(_SIZES),
            file=0 if number in sinks else draw(_SIZES),
        )
        for number in range(count)
    }
    values = [NAMES[number] for number in range(count) if number not in sinks]
    some = st.dictionaries(st.sampled_from(values), _SIZES) if values else st.just({})
    shared = [
        Shared(owner, tuple(holders), draw(_SIZES))
        for owner in values[:-1]
        if (holders := sorted(draw(st.sets(st.sampled_from(values[values.index(owner) + 1 :])))))
    ]
    return forecast(
        pipeline,
        measures,
        baseline=draw(st.integers(1, 50)),
        keep_all=draw(st.booleans()),
        loads=draw(some),
        writes=draw(some),
        shared=tuple(shared),
    )


@dataclass(frozen=True)
class Simulation:
    """One part of a pipeline, step by step from sets of names."""

    forecast: Forecast
    part: range

    def peaks(self) -> list[int]:
        """What is held at each step's peak, and at that of the commit."""
        found = []
        drift = 0
        for number in self.part:
            step, measured = self._steps[number], self.forecast.measures[NAMES[number]]
            needed = max(measured.transient_bytes, measured.stopped_bytes)
            read = {p.name for p in step.parameters}
            loading = sum(self._load(n) for n in self._loaded(number) if n in read)
            waiting = sum(self._load(n) for n in self._loaded(number) if n not in read)
            during = drift + self._held(self._live(number)) + loading + needed
            drift = max(0, drift + measured.drift_bytes)
            after = drift + self._held(self._live(number + 1))
            if self.forecast.keeps_all and step.name not in self._outputs:
                after += self.forecast.writes.get(step.name, 0)
            found.append(self.forecast.baseline(0) + waiting + max(during, after))
        kept = self._live(self.part.stop)
        unwritten = kept & self._outputs if self.forecast.keeps_all else kept
        writing = max((self.forecast.writes.get(name, 0) for name in unwritten), default=0)
        return [*found, self.forecast.baseline(0) + drift + self._held(kept) + writing]

    def written(self) -> int:
        """Bytes of the values made here that a step after the part reads, or that all are kept."""
        everything = self.forecast.keeps_all
        kept = (n for n in self.part if everything or self._last_use(n) >= self.part.stop)
        return sum(self.forecast.measures[NAMES[n]].file_bytes for n in kept)

    def read(self) -> int:
        """Bytes of the values made before that are read here, each counted once."""
        names = {p.name for n in self.part for p in self._steps[n].parameters}
        numbers = (NAMES.index(name) for name in names)
        earlier = [n for n in numbers if n < self.part.start]
        return sum(self.forecast.measures[NAMES[n]].file_bytes for n in earlier)

    @property
    def _steps(self) -> tuple[Step, ...]:
        return self.forecast.graph.steps

    @property
    def _outputs(self) -> set[str]:
        return set(self.forecast.graph.outputs(range(len(self._steps))))

    def _load(self, name: str) -> int:
        return self.forecast.loads.get(name, 0)

    def _readers(self, number: int) -> list[int]:
        steps = enumerate(self._steps)
        return [n for n, step in steps if NAMES[number] in {p.name for p in step.parameters}]

    def _last_use(self, number: int) -> int:
        return max(self._readers(number), default=number)

    def _live(self, number: int) -> set[str]:
        """Values made in the part before a step that are needed at it, or after it."""
        made = (n for n in range(self.part.start, number) if not self._steps[n].is_sink)
        outputs = self._outputs
        return {NAMES[n] for n in made if self._last_use(n) >= number or NAMES[n] in outputs}

    def _loaded(self, number: int) -> set[str]:
        """Earlier values between their first and their last use in the part."""
        found = set()
        for value in range(self.part.start):
            uses = [n for n in self._readers(value) if n in self.part]
            if uses and uses[0] <= number <= uses[-1]:
                found.add(NAMES[value])
        return found

    def _held(self, live: set[str]) -> int:
        own = sum(self.forecast.measures[name].value_bytes for name in live)
        here = {NAMES[n] for n in self.part}
        return own + sum(
            shared.bytes
            for shared in self.forecast.shared
            if shared.owner in here - live and set(shared.holders) & live
        )
