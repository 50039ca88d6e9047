"""The graph: segments in order, and which values are live at each step.

Steps are numbered through the whole graph; a part is a half-open range of these numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Sequence
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
        self.skipped: frozenset[int] = frozenset()
        self._readers: dict[str, list[tuple[int, Parameter]]] = {}
        for number, step in enumerate(self.steps):
            for parameter in self._values[step.name]:
                self._readers.setdefault(parameter.source, []).append((number, parameter))
        self._items: dict[str, list[str]] = {}
        for item in self._known_items():
            self._items.setdefault(value_of(item), []).append(item)
        self._last_use: dict[str, int] = {}
        self._last_take: dict[str, int] = {}
        self._note_uses(self._made)
        self._columns = self._columns_read()
        self._unread = frozenset(filter(self._is_unread, self._last_take))
        self._names: dict[str, list[str]] = {step.name: [] for step in self.steps}
        for taken in self._last_take:
            self._names[value_of(taken)].append(taken)
        self.read_again = frozenset(self._read_again())
        """The values that stay on disk: read by a step of their own segment in each run, or made
        for items, of which a later run may need one more."""

        self._spans: dict[str, range] = {}
        self._producers: dict[str, Segment] = {}
        start = 0
        for segment in self.segments:
            self._spans[segment.name] = range(start, start + len(segment.steps))
            self._producers |= {step.name: segment for step in segment.steps}
            start += len(segment.steps)

    def _known_items(self) -> list[str]:
        """The items that have a name: fields, and what a step takes or `published` names."""
        items = {item_name(s.name, key) for s in self.steps if s.shape for key in s.shape.keys}
        items |= {n for n in self.published if n != value_of(n) and value_of(n) in self._made}
        items |= {p.taken for values in self._values.values() for p in values if p.key is not None}
        return sorted(items)

    def _note_uses(self, values: Iterable[str]) -> None:
        """For each value the last step that reads any of it; for each value and known item the
        last step that takes it, itself or in the whole.

        Of what no step takes it is the step that makes it.
        """
        for value in values:
            made = self._made[value]
            readers = [(n, p) for n, p in self._readers.get(value, ()) if n not in self.skipped]
            whole = max((n for n, p in readers if p.key is None), default=made)
            self._last_use[value] = max((n for n, _ in readers), default=made)
            self._last_take[value] = whole
            for item in self._items.get(value, ()):
                self._last_take[item] = max([whole, *(n for n, p in readers if p.taken == item)])

    def _columns_read(self) -> dict[str, tuple[str, ...]]:
        """For each value and known item the columns that are read of it; none: all may be."""
        readers: dict[str, list[tuple[str, ...] | None]] = {name: [] for name in self._last_take}
        for parameter in (p for values in self._values.values() for p in values):
            readers[parameter.taken].append(parameter.columns)
        return {
            name: _together([columns for n in {name, value_of(name)} for columns in readers[n]])
            for name in readers
        }

    def _read_again(self) -> Iterator[str]:
        for segment in self.segments:
            own = {step.name for step in segment.steps}
            for step in segment.steps:
                if step.always:
                    yield from own & {p.source for p in self.values_of(step)}
                if (
                    step.each
                    and not step.is_sink
                    and self._last_use[step.name] > self._made[step.name]
                ):
                    yield step.name

    def _is_unread(self, name: str) -> bool:
        """Whether no step takes a value or item; of a value of several, whether none takes any.

        Of a list or dict the items that no step names are unread, if no step takes the whole.
        """
        step = self.steps[self._made[value_of(name)]]
        if self._last_take[name] != self._made[step.name]:
            return False
        has_fixed_items = step.shape is not None and bool(step.shape.keys)
        return (
            name != step.name or not has_fixed_items or (self._last_use[name] == self._made[name])
        )

    def read_anew(self) -> Graph:
        """The graph as its source declares it now, in a process that has not imported it yet.

        Raises ConfigurationError.
        """
        return Graph([segment.read_anew() for segment in self.segments], self.name)

    def without(self, skipped: Collection[int]) -> Graph:
        """The graph as a run sees it that does not run some steps, by number.

        They keep their numbers, read nothing, and their values lie in a checkpoint already.
        """
        if self.skipped == frozenset(skipped):
            return self
        other = copy.copy(self)
        other.skipped = frozenset(skipped)
        other._values = dict(self._values)
        other._values |= {self.steps[number].name: () for number in other.skipped}
        other._last_use, other._last_take = dict(self._last_use), dict(self._last_take)
        silent = [self.steps[number].name for number in other.skipped]
        other._note_uses({p.source for name in silent for p in self._values[name]})
        return other

    def reordered(self, segment: Segment, names: Sequence[str]) -> Graph:
        """The graph in which a segment's steps run in another order, none before what it reads.

        The steps of the segment have other numbers then. Not for a graph without some steps.
        """
        span = self.span(segment)
        steps = tuple(self.steps[self._made[name]] for name in names)
        moved = {name: number for number, name in zip(span, names, strict=True)}
        changed = replace(segment, steps=steps)
        other = copy.copy(self)
        other.segments = tuple(changed if s.name == segment.name else s for s in self.segments)
        other.steps = (*self.steps[: span.start], *steps, *self.steps[span.stop :])
        other._made = self._made | moved
        other._producers = self._producers | dict.fromkeys(names, changed)
        read = {p.source for step in steps for p in self._values[step.name]}
        other._readers = self._readers | {
            source: sorted(
                ((moved.get(self.steps[n].name, n), p) for n, p in self._readers[source]),
                key=lambda reader: reader[0],
            )
            for source in read
        }
        other._last_use, other._last_take = dict(self._last_use), dict(self._last_take)
        other._note_uses({*read, *names})
        return other

    def alone(self, segment: Segment) -> Graph:
        """The graph with the steps of one segment alone, for what depends on no other step."""
        other = copy.copy(self)
        other.segments, other.steps = (segment,), segment.steps
        return other

    def is_made_before(self, name: str, start: int) -> bool:
        """Whether a value lies in a checkpoint when a part begins at step `start`."""
        number = self._made.get(name)
        return number is not None and (number < start or number in self.skipped)

    def is_output(self, value: str) -> bool:
        """Whether a value, or an item of it, is published, or nothing reads it."""
        number = self._made.get(value)
        if number is None or number in self.skipped or self.steps[number].is_sink:
            return False
        return any(n in self.published or n in self._unread for n in self._names[value])

    def number(self, step: str) -> int:
        """The number of a step, by its name."""
        return self._made[step]

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

        Beyond all steps of the segment for what each run reads again.

        For each item that a step takes or `published` names, the last step that takes that item,
        itself or in the whole.
        """
        names = [name for step in segment.steps for name in self._names[step.name]]
        beyond = self.span(segment).stop
        return {
            name: beyond
            if value_of(name) in self.read_again and name not in self._unread
            else self._last_take[name]
            for name in names
        }

    def columns(self, name: str) -> tuple[str, ...]:
        """The columns that any step reads of a value or an item, in order; none: it may be all.

        It makes no difference which steps run, so a value has the same file however a run is cut.
        """
        return self._columns.get(name, self._columns[value_of(name)])

    def crossed(self, value: str) -> range:
        """The steps before which a cut keeps a value, or an item of it, as `kept` says."""
        start = self._made[value] + 1
        names = [name for name in self._names[value] if name not in self._unread]
        if not names or start - 1 in self.skipped or self.steps[start - 1].is_sink:
            return range(start, start)
        if value in self.read_again:
            return range(start, len(self.steps) + 1)
        return range(start, max(self._last_take[name] for name in names) + 1)

    def loaded(self, part: range) -> tuple[str, ...]:
        """Values and items that a part reads from earlier checkpoints, in order of first use."""
        read = (p for n in part for p in self.values_of(self.steps[n]))
        names = (p.taken for p in read if not self._is_made_in(part, p.source))
        return tuple(dict.fromkeys(names))

    def kept(self, part: range) -> tuple[str, ...]:
        """Values and items made in a part that a later part reads, or each run."""
        return tuple(
            name
            for name in self._made_in(part)
            if self._last_take[name] >= part.stop
            or (value_of(name) in self.read_again and name not in self._unread)
        )

    def outputs(self, part: range) -> tuple[str, ...]:
        """Values and items made in a part that are published, or that nothing reads."""
        wanted = self.published | self._unread
        return tuple(name for name in self._made_in(part) if name in wanted)

    def _made_in(self, part: range) -> Iterator[str]:
        """The names of the values that a part makes, and of their items."""
        for number in part:
            step = self.steps[number]
            if number not in self.skipped and not step.is_sink:
                yield from self._names[step.name]

    def _is_made_in(self, part: range, value: str) -> bool:
        return self._made[value] >= part.start and self._made[value] not in self.skipped


def _together(readers: list[tuple[str, ...] | None]) -> tuple[str, ...]:
    """The columns that several readers read together; none if one reads all, or nobody reads."""
    if None in readers:
        return ()
    return tuple(sorted({column for columns in readers for column in columns or ()}))


def _resolved(segments: Sequence[Segment]) -> Iterator[Segment]:
    """The segments, in which each parameter knows what it takes of a value of several.

    That is the item that it has the mere name of, or the items that make up its plain list or dict.
    An iterator of tables takes the items of a value of several, and one table in batches.
    """
    every = {step.name for segment in segments for step in segment.steps}
    shaped: set[str] = set()
    holders: dict[str, list[str]] = {}
    for segment in segments:
        steps: list[Step] = []
        for step in segment.steps:
            parameters: list[Parameter] = []
            for p in step.parameters:
                if p.key is None and p.name not in every and len(holders.get(p.name, ())) == 1:
                    p = replace(p, value=holders[p.name][0], key=p.name)
                if p.batch and (p.key is not None or p.name not in shaped - {step.each}):
                    parameters.append(replace(p, shape=None, codec=p.batch, in_batches=True))
                elif p.key is None and p.shape is None and p.name in shaped - {step.each}:
                    parameters.append(replace(p, shape=p.of_items))
                else:
                    parameters.append(p)
            is_same = tuple(parameters) == step.parameters
            steps.append(step if is_same else replace(step, parameters=tuple(parameters)))
            if step.shape is not None:
                shaped.add(step.name)
            for key in step.shape.keys if step.shape and step.shape.kind == "fields" else ():
                holders.setdefault(key, []).append(step.name)
        yield segment if tuple(steps) == segment.steps else replace(segment, steps=tuple(steps))
