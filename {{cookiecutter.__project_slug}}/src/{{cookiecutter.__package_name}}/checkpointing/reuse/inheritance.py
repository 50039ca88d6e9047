"""What of a segment need not run: values of its former checkpoints whose steps are unchanged.

A stale segment takes over the values of the steps whose own key is unchanged. So after an edit only
the edited step runs, what reads it, and what they read and is no longer on disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ..disk.manifest import FileRecord, Manifest
from ..disk.store import is_sound
from ..graph.graph import Graph
from ..graph.steps import Segment
from .bound import Bound
from .further import changed_code

_LISTED_STEPS = 5


@dataclass(frozen=True)
class Held:
    """A value's file in the checkpoint that has it."""

    manifest: Manifest
    record: FileRecord


@dataclass(frozen=True)
class Inheritance:
    """What a segment has already, and the numbers of the steps that are left to run."""

    left: frozenset[int]

    values: dict[str, Held] = field(default_factory=dict)
    """The values to load from, by step."""

    outputs: dict[str, Held] = field(default_factory=dict)
    """The outputs, by step."""

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
    former = [] if anew else [*store.all_of(segment.name), *store.partials(segment.name)]
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
        values: the steps whose value can be loaded.
        outputs: the steps whose output is there.
    """
    span = graph.span(segment)
    needed_after = set(graph.kept(span))
    outputs_needed = set(graph.outputs(span))
    left: set[int] = set()
    read: set[str] = set()
    for number in reversed(span):
        step = graph.steps[number]
        is_missing = step.name in needed_after | read and step.name not in values
        is_missing |= step.name in outputs_needed and step.name not in outputs
        if step.name not in done or is_missing:
            left.add(number)
            read |= {parameter.name for parameter in graph.values_of(step)}
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
    done: set[str] = set()
    values: dict[str, Held] = {}
    outputs: dict[str, Held] = {}
    for manifest in manifests:
        folder = bound.store.path(manifest.segment, manifest.key)
        for step in segment.steps:
            name, is_made = step.name, manifest is made and step.name in manifest.steps
            holds = name in keys and manifest.step_keys.get(name) == keys[name]
            if not is_made and (step.always or not holds or name not in manifest.steps):
                continue
            done.add(name)
            if name in damaged and not is_made:
                continue
            for record, into in (
                (manifest.record(name), values),
                (manifest.outputs.get(name), outputs),
            ):
                if record is None or name in into:
                    continue
                if is_made or record.untouched(folder) or is_sound(folder, record):
                    into[name] = Held(manifest, record)
    left = left_to_run(bound.graph, segment, done, values, outputs)
    return Inheritance(left, values, outputs, manifests)
