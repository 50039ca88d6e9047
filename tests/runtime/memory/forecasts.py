"""Forecasts of hand-made pipelines, for tests that plan without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

from flight_delays.checkpointing.memory.forecast import Forecast
from flight_delays.checkpointing.memory.profile import SegmentProfile, StepMeasure
from hypothesis import strategies as st

from .. import builders

ROOMY = builders.MEMORY_BUDGET + "[segment]\nmax_steps = 200\n"
BASELINE = 100


@dataclass(frozen=True)
class Told:
    """A step as a test tells it: the steps that it reads, and bytes.

    `value` is what its value holds and takes on disk, `extra` what it holds besides while it runs,
    `load` what the value holds where it is loaded, `write` what writing it takes. With `measured`
    false it was never run; an elastic one takes as much memory as there is.
    """

    reads: tuple[str, ...] = ()
    value: int = 0
    extra: int = 0
    load: int = 0
    write: int = 0
    is_sink: bool = False
    measured: bool = True
    is_elastic: bool = False


Segments = Sequence[Mapping[str, Told]]


def forecast(folder: Path, segments: Segments, wiring: str = "") -> Forecast:
    """The forecast of segments s01, s02, … with these steps, whose values are numbers."""
    sources = ["\n".join(_function(*named) for named in steps.items()) for steps in segments]
    made = builders.pipeline(folder, *sources, wiring=wiring, memory=ROOMY)
    loads = {name: told.load for steps in segments for name, told in steps.items()}
    profiles = {
        segment.name: SegmentProfile(
            input_bytes=0,
            baseline_bytes=BASELINE if any(told.measured for told in steps.values()) else 0,
            steps={name: _measure(told) for name, told in steps.items() if told.measured},
            loads={read: loads[read] for told in steps.values() for read in told.reads},
            writes={name: told.write for name, told in steps.items()},
        )
        for segment, steps in zip(made.segments, segments, strict=True)
    }
    return Forecast(made, profiles, made.settings.memory)


def _function(name: str, told: Told) -> str:
    parameters = ", ".join(f"{read}: int" for read in told.reads)
    return f"@step\ndef {name}({parameters}) -> {None if told.is_sink else 'int'}:\n    return 0\n"


def _measure(told: Told) -> StepMeasure:
    return StepMeasure(
        measured_at="2026-01-01T00:00:00+00:00",
        identity="known",
        transient_bytes=told.value + told.extra,
        value_bytes=told.value,
        file_bytes=told.value,
        is_elastic=told.is_elastic,
    )


@st.composite
def graphs(draw: st.DrawFn, most: int = 7) -> list[dict[str, Told]]:
    """Two segments or more of a few steps each, a sink among them now and then."""
    count = draw(st.integers(2, most))
    starts = draw(st.sets(st.integers(1, count - 1), min_size=1, max_size=3))
    segments: list[dict[str, Told]] = []
    readable: list[str] = []
    for number in range(count):
        if number == 0 or number in starts:
            segments.append({})
        reads = (
            draw(st.lists(st.sampled_from(readable), unique=True, max_size=3)) if readable else []
        )
        sizes = st.integers(0, 99)
        told = Told(
            tuple(reads),
            draw(sizes),
            draw(sizes),
            draw(sizes),
            draw(sizes),
            is_sink=draw(st.integers(0, 7)) == 7,
        )
        segments[-1][f"v{number}"] = told
        readable += [] if told.is_sink else [f"v{number}"]
    return segments


def every_way(steps: range, given: set[int]) -> Iterator[tuple[range, ...]]:
    """All the parts that steps can be cut into, with the given cuts and any others."""
    free = [n for n in steps[1:] if n not in given]
    for count in range(len(free) + 1):
        for cuts in combinations(free, count):
            places = sorted({steps.start, steps.stop, *cuts, *(given & set(steps[1:]))})
            yield tuple(range(*pair) for pair in pairwise(places))


@dataclass(frozen=True)
class Sum:
    """What some parts come to, in bytes."""

    peak: int
    transfers: int
    count: int


def sums(found: Forecast, steps: range, given: set[int]) -> list[Sum]:
    """What every way of cutting comes to; each part is asked of the forecast alone."""
    answers = []
    for parts in every_way(steps, given | found.must_cut(steps)):
        each = [found.part(part) for part in parts]
        moved = sum(part.written + part.read for part in each)
        answers.append(Sum(max(part.peak for part in each), moved, len(parts)))
    return answers


def least_transfers(ways: Sequence[Sum], usable: int) -> tuple[int, int]:
    """By brute force: the limit that has to be, and the fewest bytes that are moved within it."""
    limit = max(usable, min(way.peak for way in ways))
    return limit, min(way.transfers for way in ways if way.peak <= limit)
