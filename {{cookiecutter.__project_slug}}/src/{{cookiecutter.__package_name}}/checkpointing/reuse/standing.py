"""How a segment stands: whether its checkpoint serves, and if not, why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..base.errors import StorageError
from ..disk.manifest import Manifest
from ..disk.store import Store
from ..graph.steps import Segment
from .bound import Bound, ingredients_of
from .key import Ingredients, explain


@dataclass(frozen=True)
class Standing:
    """Whether a segment can be reused, and if not, why.

    `key` is None while an earlier segment has to run first. `manifest` is the checkpoint of that
    key, if it exists. `damaged` tells that it exists but is not what was committed.
    """

    segment: Segment
    ingredients: Ingredients | None
    key: str | None
    manifest: Manifest | None
    reasons: tuple[str, ...]
    damaged: bool = False

    @property
    def reusable(self) -> bool:
        return self.manifest is not None and not self.reasons


def standing(
    bound: Bound, segment: Segment, upstream: Mapping[str, Manifest], *, hash_all: bool = False
) -> Standing:
    """How a segment stands, given the checkpoints of the segments that it reads from, by name.

    With `hash_all` every file of its checkpoint is read and hashed.
    """
    graph, store = bound.graph, bound.store
    part = graph.span(segment)
    sources = {value: graph.producer(value).name for value in graph.loaded(part)}
    waiting = sorted({name for name in sources.values() if name not in upstream})
    if waiting:
        return Standing(segment, None, None, None, (f"waits for {', '.join(waiting)}",))
    identities = {v: upstream[s].values[v].identity for v, s in sources.items()}
    ingredients = ingredients_of(bound, segment, identities)
    key = ingredients.key()
    try:
        manifest = store.find(segment.name, key)
    except StorageError as error:
        return Standing(segment, ingredients, key, None, (error.message,), damaged=True)
    if manifest is None:
        return Standing(segment, ingredients, key, None, _why_none(store, segment, ingredients))
    broken = store.damaged(manifest, hash_all=hash_all)
    if broken:
        reason = f"damaged on disk: {', '.join(dict.fromkeys(broken))}"
        return Standing(segment, ingredients, key, manifest, (reason,), damaged=True)
    missing = [v for v in graph.kept(part) if v not in manifest.values]
    missing += [v for v in graph.outputs(part) if v not in manifest.outputs]
    reasons = tuple(f"`{value}` is needed now and was not kept" for value in missing)
    return Standing(segment, ingredients, key, manifest, reasons)


def standings(bound: Bound, *, hash_all: bool = False) -> list[Standing]:
    """How every segment stands while nothing runs."""
    upstream: dict[str, Manifest] = {}
    found = []
    for segment in bound.graph.segments:
        now = standing(bound, segment, upstream, hash_all=hash_all)
        if now.reusable and now.manifest is not None:
            upstream[segment.name] = now.manifest
        found.append(now)
    return found


def identities(bound: Bound) -> dict[str, str]:
    """What each segment's measures depend on, known before any of them has run.

    It is the segment's key, with the identity of each segment that made a value which it reads in
    place of the value's contents.
    """
    graph = bound.graph
    known: dict[str, str] = {}
    for segment in graph.segments:
        values = graph.loaded(graph.span(segment))
        sources = {value: known[graph.producer(value).name] for value in values}
        known[segment.name] = ingredients_of(bound, segment, sources).key()
    return known


def unfinished(bound: Bound, segment: Segment, key: str) -> Manifest | None:
    """What finished parts of a segment left to go on from; None if something needed is not there.

    A later segment, or [outputs], may ask now for a value that was not kept when it was made.
    """
    graph = bound.graph
    partial = bound.store.find_partial(segment.name, key)
    if partial is None:
        return None
    start = graph.span(segment).start
    done = range(start, start + len(partial.steps))
    needed = set(graph.kept(done)) - partial.values.keys()
    needed |= set(graph.outputs(done)) - partial.outputs.keys()
    return None if needed else partial


def _why_none(store: Store, segment: Segment, ingredients: Ingredients) -> tuple[str, ...]:
    if (partial := store.find_partial(segment.name, ingredients.key())) is not None:
        return (f"was left after {partial.steps[-1]}, and goes on from there",)
    former = store.all_of(segment.name)
    if not former:
        return ("has not run yet",)
    nearest = min((explain(m.ingredients, ingredients) for m in former), key=len)
    return tuple(nearest) or ("its checkpoint was removed",)


