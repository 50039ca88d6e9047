"""The pipeline's values over its steps: where each is made, read, and kept on disk."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nlargest

from ...graph.graph import Graph
from .facts import Measured, disk_bytes, value_bytes

_MOST_NAMES = 20  # of the values that are live at a checkpoint; the table of values has all


@dataclass(frozen=True)
class Life:
    """One value, from the step that makes it to the last that reads it, by the steps' numbers.

    A sink makes no value: `is_sink`. `bytes` is its additional memory, None if that is
    unknown; `bytes_on_disk` is then 0.
    """

    value: str
    segment: str
    made: int
    readers: tuple[int, ...]
    is_sink: bool
    is_output: bool
    bytes: int | None
    bytes_on_disk: int

    @property
    def last(self) -> int:
        return self.readers[-1] if self.readers else self.made

    def crosses(self, before: int) -> bool:
        """Whether it is live at a checkpoint before the step of that number."""
        return self.made < before <= self.last


@dataclass(frozen=True)
class Checkpoint:
    """A place where memory is freed: before the step of number `before`.

    `segment` ends there or, if `why` gives the reason of a cut, continues in another process.
    """

    before: int
    segment: str
    why: str
    live: tuple[Life, ...]

    @property
    def live_names(self) -> str:
        """The names of the live values, as many as one reads."""
        names = [life.value for life in self.live[:_MOST_NAMES]]
        more = len(self.live) - len(names)
        return ", ".join(names) + (f" and {more:,} more" if more else "") or "nothing"

    @property
    def live_bytes(self) -> int | None:
        """The size on disk of the live values; None if the size of any is unknown.

        Their memory is no measure: a view of a freed value has no memory of its own.
        """
        sizes = [life.bytes_on_disk for life in self.live]
        return sum(sizes) if all(sizes) else None


@dataclass(frozen=True)
class ValueGraph:
    """The values of a pipeline, and the checkpoints that they cross.

    `segments` are (name, number of the first step, number after the last).
    """

    segments: tuple[tuple[str, int, int], ...]
    steps: tuple[str, ...]
    lives: tuple[Life, ...]
    checkpoints: tuple[Checkpoint, ...]

    @cached_property
    def _before(self) -> list[int]:
        return [point.before for point in self.checkpoints]

    def is_kept(self, life: Life) -> bool:
        """Whether a value is kept on disk: as an output, or as it crosses a checkpoint."""
        place = bisect_right(self._before, life.made)
        return life.is_output or (place < len(self._before) and life.crosses(self._before[place]))

    def largest(self, most: int) -> tuple[Life, ...]:
        """So many values in the order of their steps: those that are kept and large come first."""
        if len(self.lives) <= most:
            return self.lives

        def weight(life: Life) -> tuple[bool, int, int, int]:
            return self.is_kept(life), life.bytes_on_disk, life.bytes or 0, life.last - life.made

        return tuple(sorted(nlargest(most, self.lives, key=weight), key=lambda life: life.made))


def value_graph(graph: Graph, segments: Sequence[Measured]) -> ValueGraph:
    """The graph as the code is now, with sizes, cuts and the order of steps as measured."""
    graph = _as_executed(graph, segments)
    lives = _lives(graph, segments)
    spans = {segment.name: graph.span(segment) for segment in graph.segments}
    names = [step.name for step in graph.steps]
    numbers = {name: number for number, name in enumerate(names)}
    places = {(span.stop, name): "" for name, span in spans.items()}
    for segment in segments:
        for cut in segment.facts.cuts:
            if cut.before in numbers:
                places.setdefault((numbers[cut.before], segment.name), cut.why or "cut")
    checkpoints = _checkpoints(lives, sorted(places.items()))
    return ValueGraph(
        segments=tuple((name, span.start, span.stop) for name, span in spans.items()),
        steps=tuple(names),
        lives=lives,
        checkpoints=tuple(point for point in checkpoints if 0 < point.before < len(names)),
    )


def _as_executed(graph: Graph, segments: Sequence[Measured]) -> Graph:
    """The graph with the steps of each segment in the order in which they ran, if all did."""
    declared = {segment.name: segment for segment in graph.segments}
    for measured in segments:
        segment = declared.get(measured.name)
        names = list(dict.fromkeys(step.name for step in measured.facts.steps))
        if segment is None or {*names} != {*segment.written} or names == [*segment.written]:
            continue
        place = {name: number for number, name in enumerate(names)}
        read = ((p.source, s.name) for s in segment.steps for p in graph.values_of(s))
        if all(place.get(source, -1) < place[reader] for source, reader in read):
            graph = graph.reordered(segment, names)
    return graph


def _checkpoints(
    lives: Sequence[Life], places: Sequence[tuple[tuple[int, str], str]]
) -> Iterator[Checkpoint]:
    """The checkpoints at some places, each with the values that are live there."""
    live: list[Life] = []
    reached = 0
    for (before, name), why in places:
        live += lives[reached:before]
        reached = before
        live = [life for life in live if life.crosses(before)]
        yield Checkpoint(before, name, why, tuple(live))


def _lives(graph: Graph, segments: Sequence[Measured]) -> tuple[Life, ...]:
    sizes = value_bytes(segments)
    on_disk = {
        value: size for kept in disk_bytes(segments).values() for value, size in kept.items()
    }
    readers: dict[str, list[int]] = {step.name: [] for step in graph.steps}
    for number, step in enumerate(graph.steps):
        for parameter in graph.values_of(step):
            readers[parameter.source].append(number)
    return tuple(
        Life(
            value=step.name,
            segment=graph.producer(step.name).name,
            made=number,
            readers=tuple(readers[step.name]),
            is_sink=step.is_sink,
            is_output=bool(graph.outputs(range(number, number + 1))),
            bytes=sizes.get(step.name),
            bytes_on_disk=on_disk.get(step.name, 0),
        )
        for number, step in enumerate(graph.steps)
    )
