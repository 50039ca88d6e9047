"""The graph: segments in order, and which values are live at each step.

Steps are numbered through the whole graph; a part is a half-open range of these numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .steps import Parameter, Segment, Step, check_name


class Graph:
    """Segments in order, and the lifetimes of their values, which are computed once.

    It contains plain data only (a step is known by its module and name), so it can be sent to
    another process without the project's own code.

    Args:
        segments: in the order in which they run.
        name: the folder of its checkpoints.
        published: the values that a run publishes.
        built_by: the module whose own lines built it, if there is one.

    Raises:
        ConfigurationError: the name cannot be that of a folder.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        name: str,
        published: Collection[str] = (),
        built_by: str | None = None,
    ) -> None:
        check_name("pipeline", name)
        self.name = name
        self.built_by = built_by
        self.segments = tuple(segments)
        self.steps = tuple(step for segment in self.segments for step in segment.steps)
        self.published = frozenset(published)
        self._made = {step.name: number for number, step in enumerate(self.steps)}
        self._last_use = dict(self._made)
        self._values = {
            step.name: tuple(p for p in step.parameters if p.name in self._made)
            for step in self.steps
        }
        for number, step in enumerate(self.steps):
            self._last_use.update({p.name: number for p in self.values_of(step)})
        self._spans: dict[str, range] = {}
        self._producers: dict[str, Segment] = {}
        start = 0
        for segment in self.segments:
            self._spans[segment.name] = range(start, start + len(segment.steps))
            self._producers |= {step.name: segment for step in segment.steps}
            start += len(segment.steps)

    def read_anew(self) -> Graph:
        """The graph as its source declares it now, in a process that has not imported it yet.

        Raises ConfigurationError.
        """
        return Graph([segment.read_anew() for segment in self.segments], self.name)

    def span(self, segment: Segment) -> range:
        """The numbers of a segment's steps."""
        return self._spans[segment.name]

    def producer(self, value: str) -> Segment:
        """The segment that makes a value."""
        return self._producers[value]

    def values_of(self, step: Step) -> tuple[Parameter, ...]:
        """The parameters of a step that are earlier steps' values."""
        return self._values[step.name]

    def last_use(self, value: str) -> int:
        """The number of the last step that reads a value, or of the step that makes it."""
        return self._last_use[value]

    def loaded(self, part: range) -> tuple[str, ...]:
        """Values that a part reads from earlier checkpoints, in the order of first use."""
        names = (p.name for n in part for p in self.values_of(self.steps[n]))
        return tuple(dict.fromkeys(n for n in names if self._made[n] < part.start))

    def kept(self, part: range) -> tuple[str, ...]:
        """Values made in a part that a later part reads."""
        made = (self.steps[n] for n in part)
        return tuple(s.name for s in made if self._last_use[s.name] >= part.stop)

    def outputs(self, part: range) -> tuple[str, ...]:
        """Values made in a part that are published, or that nothing reads."""
        made = ((n, self.steps[n]) for n in part)
        return tuple(
            s.name
            for n, s in made
            if not s.is_sink and (s.name in self.published or self._last_use[s.name] == n)
        )
