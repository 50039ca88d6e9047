"""The graph: segments in order, and which values are live at each step.

Steps are numbered through the whole graph; a part is a half-open range of these numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from ..codecs.several import item_name, value_of
from .steps import Parameter, Segment, Step, check_name


class Graph:
    """Segments in order, and the lifetimes of their values, which are computed once.

    It contains plain data only (a step is known by its module and name), so it can be sent to
    another process without the project's own code.

    A parameter that has the name of no step takes the item of that name of the one value that has
    such an item: each parameter of `steps` knows the value, or the item of it, that it takes.

    Args:
        segments: in the order in which they run.
        name: the folder of its checkpoints.
        published: the values, and items of values, that a run publishes.
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
        self.segments = tuple(_resolved(segments))
        self.steps = tuple(step for segment in self.segments for step in segment.steps)
        self.published = frozenset(published)
        self._made = {step.name: number for number, step in enumerate(self.steps)}
        self._values = {
            step.name: tuple(p for p in step.parameters if p.source in self._made)
            for step in self.steps
        }
        self._last_use = dict(self._made)
        self._last_take = self._takes()
        self._names: dict[str, list[str]] = {step.name: [] for step in self.steps}
        for taken in self._last_take:
            self._names[value_of(taken)].append(taken)
        self._spans: dict[str, range] = {}
        self._producers: dict[str, Segment] = {}
        start = 0
        for segment in self.segments:
            self._spans[segment.name] = range(start, start + len(segment.steps))
            self._producers |= {step.name: segment for step in segment.steps}
            start += len(segment.steps)

    def _takes(self) -> dict[str, int]:
        """For each value and each known item the last step that takes it, itself or in the whole.

        Of what no step takes it is the step that makes it.
        """
        last = dict(self._made)
        for number, step in enumerate(self.steps):
            for parameter in self._values[step.name]:
                self._last_use[parameter.source] = number
                if parameter.key is None:
                    last[parameter.source] = number
        items = {item_name(s.name, key) for s in self.steps if s.shape for key in s.shape.keys}
        items |= {n for n in self.published if n != value_of(n) and value_of(n) in self._made}
        items |= {p.taken for values in self._values.values() for p in values if p.key is not None}
        last |= {item: last[value_of(item)] for item in sorted(items)}
        for number, step in enumerate(self.steps):
            for parameter in self._values[step.name]:
                last[parameter.taken] = max(last[parameter.taken], number)
        return last

    def read_anew(self) -> Graph:
        """The graph as its source declares it now, in a process that has not imported it yet.

        Raises ConfigurationError.
        """
        return Graph([segment.read_anew() for segment in self.segments], self.name)

    def span(self, segment: Segment) -> range:
        """The numbers of a segment's steps."""
        return self._spans[segment.name]

    def codecs(self) -> set[str]:
        """The names of all codecs that its steps and their parameters need."""
        needed: list[Step | Parameter] = [*self.steps]
        needed += [parameter for step in self.steps for parameter in step.parameters]
        items = (kind.codec for each in needed if each.shape for kind in each.shape.types)
        return {*(each.codec for each in needed if each.codec is not None), *items}

    def producer(self, value: str) -> Segment:
        """The segment that makes a value, or the value of an item."""
        return self._producers[value_of(value)]

    def values_of(self, step: Step) -> tuple[Parameter, ...]:
        """The parameters of a step that are earlier steps' values, or items of them."""
        return self._values[step.name]

    def last_use(self, value: str) -> int:
        """The number of the last step that reads any of a value, or of the step that makes it."""
        return self._last_use[value]

    def last_takes(self, segment: Segment) -> dict[str, int]:
        """For each value of a segment the last step that takes the whole of it, else its maker.

        For each item that a step takes or `published` names, the last step that takes that item,
        itself or in the whole.
        """
        names = (name for step in segment.steps for name in self._names[step.name])
        return {name: self._last_take[name] for name in names}

    def loaded(self, part: range) -> tuple[str, ...]:
        """Values and items that a part reads from earlier checkpoints, in order of first use."""
        read = [p for n in part for p in self.values_of(self.steps[n])]
        names = (p.taken for p in read if self._made[p.source] < part.start)
        return tuple(dict.fromkeys(names))

    def kept(self, part: range) -> tuple[str, ...]:
        """Values and items made in a part that a later part reads."""
        names = (name for n in part for name in self._names[self.steps[n].name])
        return tuple(name for name in names if self._last_take[name] >= part.stop)

    def outputs(self, part: range) -> tuple[str, ...]:
        """Values and items made in a part that are published, or that nothing reads."""
        made = ((n, name) for n in part for name in self._names[self.steps[n].name])
        return tuple(name for n, name in made if self._is_output(n, name))

    def _is_output(self, number: int, name: str) -> bool:
        """Whether a value or item of a step is an output; of a value of several, whether all is.

        Of a list or dict the items that no step names are outputs, if no step takes the whole.
        """
        step = self.steps[number]
        if step.is_sink or name in self.published:
            return not step.is_sink
        if self._last_take[name] != number:
            return False
        has_fixed_items = step.shape is not None and bool(step.shape.keys)
        return name != step.name or not has_fixed_items or self._last_use[name] == number


def _resolved(segments: Sequence[Segment]) -> Iterator[Segment]:
    """The segments, in which each parameter knows the item that it takes by its mere name."""
    every = {step.name for segment in segments for step in segment.steps}
    holders: dict[str, list[str]] = {}
    for segment in segments:
        steps: list[Step] = []
        for step in segment.steps:
            parameters = tuple(
                replace(p, value=holders[p.name][0], key=p.name)
                if p.key is None and p.name not in every and len(holders.get(p.name, ())) == 1
                else p
                for p in step.parameters
            )
            is_same = parameters == step.parameters
            steps.append(step if is_same else replace(step, parameters=parameters))
            for key in step.shape.keys if step.shape and step.shape.kind == "fields" else ():
                holders.setdefault(key, []).append(step.name)
        yield segment if tuple(steps) == segment.steps else replace(segment, steps=tuple(steps))
