"""What of a segment need not run: values of its former checkpoints whose steps are unchanged.

A stale segment takes over the values of the steps whose own key is unchanged. So after an edit only
the edited step runs, what reads it, and what they read and is no longer on disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ..codecs.several import value_of
from ..disk.manifest import FileRecord, Manifest
from ..graph.graph import Graph
from ..graph.steps import Segment, Step
from .bound import Bound, kept_columns
from .each import EachItem
from .further import changed_code
from .sinks import gone_targets

_LISTED_STEPS = 5


@dataclass(frozen=True)
class Held:
    """A value's file in the checkpoint that has it."""

    manifest: Manifest
    record: FileRecord


@dataclass(frozen=True)
class HeldItem:
    """An item of a step that need not run for it: what it is called, its key, and what has it."""

    name: str
    key: str
    holder: Manifest
    value: Held | None
    output: Held | None


@dataclass(frozen=True)
class Inheritance:
    """What a segment has already, and the numbers of the steps that are left to run."""

    left: frozenset[int]

    values: dict[str, Held] = field(default_factory=dict)
    """The values and items to load from, by name."""

    outputs: dict[str, Held] = field(default_factory=dict)
    """The outputs, by name."""

    sources: tuple[Manifest, ...] = ()
    """The checkpoints that anything is taken from."""


def inherit(
    bound: Bound,
    segment: Segment,
    key: str,
    keys: Mapping[str, str],
    *,
    made: Manifest | None = None,
    anew: bool = False,
    damaged: Collection[str] = (),
) -> Inheritance:
    """What a segment has of what it needs, in the place of its key and in former checkpoints.

    Of the former checkpoints it takes the one that leaves the fewest steps to run. A file that was
    touched since its commit is hashed.

    Args:
        key: of the segment.
        keys: those of its steps that are known; a step without one has to run.
        made: what this run has made so far, which holds in any case.
        anew: take nothing that this run has not made.
        damaged: values that no file of a former checkpoint is taken of.
    """
    store, root = bound.store, bound.settings.root
    former: list[Manifest] = []
    if not anew:
        nearest = store.nearest(segment.name, key, keys.values())
        former = [*nearest, *store.partials(segment.name)]
    usable = [m for m in former if m.step_keys and not changed_code(m.further, root)]
    own = [each for each in usable if each.key == key] if made is None else [made]
    others = [each for each in usable if each not in own]

    def of(manifests: Iterable[Manifest]) -> Inheritance:
        return _inheritance(bound, segment, keys, tuple(manifests), made, damaged)

    best = of(own)
    for other in others if best.left else ():
        candidate = of([*own, other])
        if len(candidate.left) < len(best.left):
            best = candidate
    return best


def held_items(
    bound: Bound,
    segment: Segment,
    step: Step,
    wanted: Iterable[EachItem],
    manifests: Iterable[Manifest],
) -> list[HeldItem]:
    """The items of a step that some checkpoint has, whatever they were called there.

    Args:
        manifests: those that come first are preferred.
    """
    graph = bound.graph
    takes, outputs = graph.last_takes(segment), set(graph.outputs(graph.span(segment)))
    known: dict[str, tuple[Manifest, str]] = {}
    for manifest in manifests:
        for name, key in manifest.item_keys.items():
            if value_of(name) == step.name:
                known.setdefault(key, (manifest, name))
    held: list[HeldItem] = []
    for item in wanted:
        if item.key not in known:
            continue
        manifest, name = known[item.key]
        is_read = takes.get(item.name, takes[step.name]) > graph.number(step.name)
        is_output = item.name in outputs or (item.name not in takes and step.name in outputs)
        columns = kept_columns(bound, item.name)
        value = manifest.record_with(name, columns) if is_read else None
        output = manifest.outputs.get(name) if is_output else None
        records = [record for record in (value, output) if record]
        if not step.is_sink and len(records) < is_read + is_output:
            continue
        if all(bound.store.holds(manifest, record) for record in records):
            holds = (Held(manifest, r) if r else None for r in (value, output))
            held.append(HeldItem(item.name, item.key, manifest, *holds))
    return held


def left_to_run(
    graph: Graph,
    segment: Segment,
    done: Collection[str],
    values: Collection[str],
    outputs: Collection[str],
) -> frozenset[int]:
    """The numbers of the steps that have to run: those not done, and those whose value is missing.

    Args:
        done: the steps that need not run for themselves.
        values: the values and items that can be loaded.
        outputs: those of which there is an output.
    """
    span = graph.span(segment)
    missing = {value_of(name) for name in graph.kept(span) if name not in values}
    missing |= {value_of(name) for name in graph.outputs(span) if name not in outputs}
    left: set[int] = set()
    for number in reversed(span):
        step = graph.steps[number]
        if step.name not in done or step.name in missing:
            left.add(number)
            missing |= {p.source for p in graph.values_of(step) if p.taken not in values}
    return frozenset(left)


def which_run(graph: Graph, segment: Segment, left: Collection[int]) -> str:
    """The steps that run of a segment, as a part of a sentence; empty if all do."""
    span = graph.span(segment)
    if not left or len(left) == len(span):
        return ""
    first = min(left)
    if len(left) == span.stop - first:
        return f"runs again from `{graph.steps[first].name}`"
    names = [f"`{graph.steps[number].name}`" for number in sorted(left)]
    more = [f"and {len(names) - _LISTED_STEPS} more"] if len(names) > _LISTED_STEPS else []
    return f"runs {', '.join([*names[:_LISTED_STEPS], *more])}"


def _inheritance(
    bound: Bound,
    segment: Segment,
    keys: Mapping[str, str],
    manifests: tuple[Manifest, ...],
    made: Manifest | None,
    damaged: Collection[str],
) -> Inheritance:
    gone = gone_targets(bound.settings, segment)
    done: set[str] = set()
    values: dict[str, Held] = {}
    outputs: dict[str, Held] = {}
    for manifest in manifests:
        for step in segment.steps:
            name, is_made = step.name, manifest is made and step.name in manifest.steps
            holds = name in keys and manifest.step_keys.get(name) == keys[name]
            is_repeated = step.always or name in gone
            if not is_made and (is_repeated or not holds or name not in manifest.steps):
                continue
            done.add(name)
            spoilt = frozenset() if is_made else damaged
            items: dict[str, FileRecord | None] = {**manifest.items(name)}
            if not is_made:  # what this run has made is as it is needed
                items = {n: manifest.record_with(n, kept_columns(bound, n)) for n in items}
            for kept, into in ((items, values), ({**manifest.outputs}, outputs)):
                sound = {
                    item: Held(manifest, record)
                    for item, record in kept.items()
                    if record is not None
                    and value_of(item) == name
                    and item not in spoilt
                    and (is_made or bound.store.holds(manifest, record))
                }
                if len(sound) < sum(value_of(item) == name for item in kept):
                    sound.pop(name, None)  # a value is whole with all of its items only
                into |= {item: held for item, held in sound.items() if item not in into}
    left = left_to_run(bound.graph, segment, done, values, outputs)
    return Inheritance(left, values, outputs, manifests)
