"""The standing of a segment: whether its checkpoint can be reused or is stale, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..base.errors import StorageError
from ..disk.manifest import Manifest
from ..graph.steps import Segment
from .bound import Bound, ingredients_of
from .further import changed_code
from .key import Ingredients, explain
from .sinks import gone_targets


@dataclass(frozen=True)
class Reusable:
    """A segment whose checkpoint can be used."""

    segment: Segment
    ingredients: Ingredients
    key: str
    manifest: Manifest


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
        return Stale(segment, ingredients, key, _why_none(bound, segment, ingredients))
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
    return Reusable(segment, ingredients, key, manifest)


def standings(bound: Bound, *, hash_all: bool = False) -> list[Standing]:
    """The standing of every segment while nothing runs."""
    all_of_them: list[Standing] = []
    for segment in bound.graph.segments:
        upstream = reusable(all_of_them)
        all_of_them.append(standing(bound, segment, upstream, hash_all=hash_all))
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
    identity of the segment that makes the value.
    """
    graph = bound.graph
    known: dict[str, str] = {}
    for segment in graph.segments:
        values = graph.loaded(graph.span(segment))
        sources = {value: known[graph.producer(value).name] for value in values}
        known[segment.name] = ingredients_of(bound, segment, sources).key()
    return known


def unfinished(bound: Bound, segment: Segment, key: str) -> Manifest | None:
    """The finished parts of a segment, to resume from; None if a value that is needed is missing.

    A later segment, or [outputs], may now need a value that was not kept when it was made. None too
    if code that they ran was edited.
    """
    graph = bound.graph
    partial = bound.store.find_partial(segment.name, key)
    if partial is None or changed_code(partial.further, bound.settings.root):
        return None
    start = graph.span(segment).start
    done = range(start, start + len(partial.steps))
    needed = set(graph.kept(done)) - partial.values.keys()
    needed |= set(graph.outputs(done)) - partial.outputs.keys()
    return None if needed else partial


def _edited(modules: list[str]) -> str:
    return f"code of {', '.join(modules)} changed"


def _why_none(bound: Bound, segment: Segment, ingredients: Ingredients) -> tuple[str, ...]:
    store, root = bound.store, bound.settings.root
    if (partial := store.find_partial(segment.name, ingredients.key())) is not None:
        if edited := changed_code(partial.further, root):
            return (_edited(edited),)
        return (f"stopped after `{partial.steps[-1]}`; resumes from there",)
    former = store.all_of(segment.name)
    if not former:
        return ("has not run yet",)
    nearest = min((explain(m.ingredients, ingredients) for m in former), key=len)
    return tuple(nearest) or ("its checkpoint was removed",)
