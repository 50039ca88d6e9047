"""The standing of a segment: whether its checkpoint can be reused or is stale, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..base.errors import StorageError
from ..disk.manifest import Manifest
from ..graph.steps import Segment
from .bound import Bound, ingredients_of
from .further import changed_code
from .inheritance import inherit, which_run
from .key import Ingredients, explain
from .sinks import gone_targets
from .step_keys import step_keys


@dataclass(frozen=True)
class Reusable:
    """A segment whose checkpoint can be used."""

    segment: Segment
    ingredients: Ingredients
    key: str
    manifest: Manifest

    always: tuple[str, ...] = ()
    """Its steps that a run runs all the same, and then those whose value another one changes."""


@dataclass(frozen=True)
class Stale:
    """A segment that has to run, and why."""

    segment: Segment
    ingredients: Ingredients
    key: str
    reasons: tuple[str, ...]

    manifest: Manifest | None = None
    """The checkpoint of that key, if it exists and can be read."""

    damaged: bool = False
    """Whether that checkpoint is not as it was committed."""

    gone: tuple[str, ...] = ()
    """Sinks whose target is gone, if that is all: the values of the checkpoint can be used."""

    stopped: bool = False
    """Whether a run has stopped in it, and left what it had finished."""

    left: frozenset[int] = frozenset()
    """The numbers of the steps that run; the values of others are taken from former checkpoints."""


@dataclass(frozen=True)
class Waiting:
    """A segment that reads from others that have to run first: its key is not known yet."""

    segment: Segment
    reasons: tuple[str, ...]


Standing = Reusable | Stale | Waiting


def standing(
    bound: Bound, segment: Segment, upstream: Mapping[str, Manifest], *, hash_all: bool = False
) -> Standing:
    """The standing of a segment, from the checkpoints of the segments that it reads, by name.

    With `hash_all` every file of its checkpoint is read and hashed.
    """
    now = _standing(bound, segment, upstream, hash_all=hash_all)
    if not isinstance(now, Stale):
        return now
    keys = step_keys(bound, segment, now.ingredients.values, {})
    left = inherit(bound, segment, now.key, keys, anew=now.damaged).left
    if now.stopped:
        return replace(now, left=left, reasons=(_where_it_stopped(bound, segment, left),))
    return replace(now, left=left)


def which_steps(bound: Bound, now: Standing) -> str:
    """The steps that a run runs of a segment, as a part of a sentence; empty if it runs all."""
    match now:
        case Reusable(always=names) if names:
            return f"runs {', '.join(f'`{name}`' for name in names)} each time"
        case Stale(segment=segment, left=left) if not _resumes(bound, segment, left, now.stopped):
            return which_run(bound.graph, segment, left)
    return ""


def certain_steps(bound: Bound, now: Standing) -> tuple[str, ...]:
    """The steps of a segment that a run runs for certain."""
    match now:
        case Reusable(always=names):
            return names
        case Stale(left=left):
            return tuple(bound.graph.steps[number].name for number in sorted(left))
    return ()


def _resumes(bound: Bound, segment: Segment, left: frozenset[int], stopped: bool) -> bool:
    """Whether a run goes on behind the last finished step of an earlier one."""
    span = bound.graph.span(segment)
    first = min(left, default=span.start)
    return stopped and first > span.start and left == frozenset(range(first, span.stop))


def _where_it_stopped(bound: Bound, segment: Segment, left: frozenset[int]) -> str:
    if not _resumes(bound, segment, left, stopped=True):
        return "stopped before its end"
    return f"stopped after `{bound.graph.steps[min(left) - 1].name}`; resumes from there"


def _standing(
    bound: Bound, segment: Segment, upstream: Mapping[str, Manifest], *, hash_all: bool
) -> Standing:
    graph, store = bound.graph, bound.store
    part = graph.span(segment)
    sources = {value: graph.producer(value).name for value in graph.loaded(part)}
    missing = sorted({name for name in sources.values() if name not in upstream})
    if missing:
        return Waiting(segment, (f"waits for {', '.join(missing)}",))
    records = (item for v, s in sources.items() for item in upstream[s].taken(v).items())
    identities = {name: record.identity for name, record in records}
    ingredients = ingredients_of(bound, segment, identities)
    key = ingredients.key()
    try:
        manifest = store.find(segment.name, key)
    except StorageError as error:
        return Stale(segment, ingredients, key, (error.message,), damaged=True)
    if manifest is None:
        partial = store.find_partial(segment.name, key)
        if partial is None:
            return Stale(segment, ingredients, key, _why_none(bound, segment, ingredients))
        edited = changed_code(partial.further, bound.settings.root)
        why = [_edited(edited)] if edited else []
        return Stale(segment, ingredients, key, tuple(why), stopped=not edited)
    manifest = store.stamped(manifest)
    if broken := store.damaged(manifest, hash_all=hash_all):
        reason = f"damaged on disk: {', '.join(dict.fromkeys(broken))}"
        return Stale(segment, ingredients, key, (reason,), manifest, damaged=True)
    if edited := changed_code(manifest.further, bound.settings.root):
        return Stale(segment, ingredients, key, (_edited(edited),), manifest)
    lacking = [v for v in graph.kept(part) if v not in manifest.values]
    lacking += [v for v in graph.outputs(part) if v not in manifest.outputs]
    if lacking:
        reasons = tuple(
            f"`{value}` is now needed but is not in the checkpoint" for value in lacking
        )
        return Stale(segment, ingredients, key, reasons, manifest)
    if gone := gone_targets(bound.settings, segment):
        reasons = tuple(f"the target of sink `{name}` is gone: {gone[name]}" for name in gone)
        return Stale(segment, ingredients, key, reasons, manifest, gone=tuple(gone))
    always = tuple(step.name for step in segment.steps if step.always)
    return Reusable(segment, ingredients, key, manifest, always)


def standings(bound: Bound, *, hash_all: bool = False) -> list[Standing]:
    """The standing of every segment while nothing runs."""
    all_of_them: list[Standing] = []
    upstream: dict[str, Manifest] = {}
    for segment in bound.graph.segments:
        all_of_them.append(standing(bound, segment, upstream, hash_all=hash_all))
        upstream |= reusable(all_of_them[-1:])
    return all_of_them


def reusable(standings: Iterable[Standing]) -> dict[str, Manifest]:
    """The checkpoints whose values can be used, by segment."""
    return {s.segment.name: manifest for s in standings if (manifest := usable(s)) is not None}


def usable(item: Standing) -> Manifest | None:
    """The checkpoint of a segment if its values can be used, even if a sink has to run again."""
    if isinstance(item, Reusable):
        return item.manifest
    return item.manifest if isinstance(item, Stale) and item.gone else None


def identities(bound: Bound) -> dict[str, str]:
    """The identity that each segment's measures depend on, known before any segment has run.

    It is the segment's key, in which the contents of each value that it reads are replaced by the
    identity of the segment that makes the value. Which columns are kept makes no difference.
    """
    graph = bound.graph
    known: dict[str, str] = {}
    for segment in graph.segments:
        values = graph.loaded(graph.span(segment))
        sources = {value: known[graph.producer(value).name] for value in values}
        known[segment.name] = replace(ingredients_of(bound, segment, sources), columns={}).key()
    return known


def _edited(modules: list[str]) -> str:
    return f"code of {', '.join(modules)} changed"


def _why_none(bound: Bound, segment: Segment, ingredients: Ingredients) -> tuple[str, ...]:
    former = bound.store.nearest(segment.name, "")
    if not former:
        return ("has not run yet",)
    nearest = min((explain(m.ingredients, ingredients) for m in former), key=len)
    return tuple(nearest) or ("its checkpoint was removed",)
