"""A pipeline bound to its code, inputs and params, and whether each segment's checkpoint serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import StorageError
from .fingerprint import Code, Ingredients, code_of, explain
from .inputs import HashCache, Input, argument, check_names, check_params, find_inputs
from .manifest import FileRecord, Manifest
from .pipeline import Pipeline
from .place import checkpoints_place
from .steps import Segment
from .store import Store


@dataclass(frozen=True)
class Described:
    """A pipeline and the code behind each of its segments, as plain data."""

    pipeline: Pipeline
    code: dict[str, Code]


@dataclass(frozen=True)
class Bound:
    """Everything that a segment's key depends on, but for the values of earlier segments."""

    pipeline: Pipeline
    code: dict[str, Code]
    inputs: dict[str, Input]
    params: dict[str, Any]
    store: Store
    hashes: HashCache


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


def describe(pipeline: Pipeline) -> Described:
    """Hash the code behind a pipeline whose modules are imported. Raises ConfigurationError."""
    return Described(pipeline, {segment.name: code_of(segment) for segment in pipeline.segments})


def bind(described: Described, changed: Mapping[str, Any]) -> Bound:
    """Find inputs and params, with `changed` taking the place of what is configured.

    Checksums of inputs are kept for later where a run has claimed the place of the checkpoints.

    Raises:
        ConfigurationError: an input is missing, a param does not fit its annotation, or the place
            of the checkpoints is somebody else's.
    """
    pipeline = described.pipeline
    place = checkpoints_place(pipeline.settings, pipeline.name)
    is_claimed = place.is_ours()
    check_names(pipeline, changed)
    params = check_params(pipeline, changed)
    cache = HashCache(place.folder / "hashes.json")
    inputs = find_inputs(pipeline, changed, cache)
    if is_claimed:
        cache.save()
    store = Store(place.folder)
    return Bound(pipeline, described.code, inputs, params, store, cache)


def standing(
    bound: Bound, segment: Segment, upstream: Mapping[str, Manifest], *, hash_all: bool = False
) -> Standing:
    """How a segment stands, given the checkpoints of the segments that it reads from, by name.

    With `hash_all` every file of its checkpoint is read and hashed.
    """
    pipeline, store = bound.pipeline, bound.store
    part = pipeline.span(segment)
    sources = {value: pipeline.producer(value).name for value in pipeline.loaded(part)}
    waiting = sorted({name for name in sources.values() if name not in upstream})
    if waiting:
        return Standing(segment, None, None, None, (f"waits for {', '.join(waiting)}",))
    identities = {v: upstream[s].values[v].identity for v, s in sources.items()}
    ingredients = _ingredients(bound, segment, identities)
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
    missing = [v for v in pipeline.kept(part) if v not in manifest.values]
    missing += [v for v in pipeline.outputs(part) if v not in manifest.outputs]
    reasons = tuple(f"`{value}` is needed now and was not kept" for value in missing)
    return Standing(segment, ingredients, key, manifest, reasons)


def standings(bound: Bound, *, hash_all: bool = False) -> list[Standing]:
    """How every segment stands while nothing runs."""
    upstream: dict[str, Manifest] = {}
    found = []
    for segment in bound.pipeline.segments:
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
    pipeline = bound.pipeline
    known: dict[str, str] = {}
    for segment in pipeline.segments:
        values = pipeline.loaded(pipeline.span(segment))
        sources = {value: known[pipeline.producer(value).name] for value in values}
        known[segment.name] = _ingredients(bound, segment, sources).key()
    return known


def unfinished(bound: Bound, segment: Segment, key: str) -> Manifest | None:
    """What finished parts of a segment left to go on from; None if something needed is not there.

    A later segment, or [outputs], may ask now for a value that was not kept when it was made.
    """
    pipeline = bound.pipeline
    partial = bound.store.find_partial(segment.name, key)
    if partial is None:
        return None
    start = pipeline.span(segment).start
    done = range(start, start + len(partial.steps))
    needed = set(pipeline.kept(done)) - partial.values.keys()
    needed |= set(pipeline.outputs(done)) - partial.outputs.keys()
    return None if needed else partial


def input_bytes(bound: Bound, segment: Segment, values: Iterable[FileRecord]) -> int:
    """The size of all that a segment reads: its input files, and values of earlier segments."""
    return sum(path.stat().st_size for path in stamps(bound, segment)) + sum(
        value.bytes for value in values
    )


def known_input_bytes(bound: Bound, upstream: Mapping[str, Manifest]) -> dict[Segment, int]:
    """The size of all that each segment would read, where what it reads exists.

    `upstream` are the checkpoints that serve, by segment.
    """
    pipeline, found = bound.pipeline, {}
    for segment in pipeline.segments:
        loaded = {v: pipeline.producer(v).name for v in pipeline.loaded(pipeline.span(segment))}
        if upstream.keys() >= set(loaded.values()):
            values = (upstream[made].values[value] for value, made in loaded.items())
            found[segment] = input_bytes(bound, segment, values)
    return found


def arguments(bound: Bound, segment: Segment) -> dict[tuple[str, str], Any]:
    """What each step of a segment receives of inputs and params, by (step, parameter)."""
    found: dict[tuple[str, str], Any] = {}
    for step in segment.steps:
        for parameter in step.parameters:
            name = parameter.name
            if name in bound.inputs:
                found[step.name, name] = argument(bound.inputs[name], parameter.annotation)
            elif name in bound.params:
                found[step.name, name] = bound.params[name]
    return found


def stamps(bound: Bound, segment: Segment) -> dict[Path, tuple[int, int]]:
    """Every input file that a segment reads, with its stamp from when it was hashed."""
    names = {parameter.name for step in segment.steps for parameter in step.parameters}
    inputs = [found for name, found in bound.inputs.items() if name in names]
    return {file: at for i in inputs for file, at in zip(i.files, i.stamps, strict=True)}


def _ingredients(bound: Bound, segment: Segment, values: dict[str, str]) -> Ingredients:
    names = {parameter.name for step in segment.steps for parameter in step.parameters}
    code = bound.code[segment.name]
    return Ingredients(
        code=code.modules,
        libraries=code.libraries,
        params={name: repr(value) for name, value in bound.params.items() if name in names},
        inputs={name: found.digest for name, found in bound.inputs.items() if name in names},
        values=values,
        steps=tuple(step.name for step in segment.steps),
    )


def _why_none(store: Store, segment: Segment, ingredients: Ingredients) -> tuple[str, ...]:
    if (partial := store.find_partial(segment.name, ingredients.key())) is not None:
        return (f"was left after {partial.steps[-1]}, and goes on from there",)
    former = store.all_of(segment.name)
    if not former:
        return ("has not run yet",)
    nearest = min((explain(m.ingredients, ingredients) for m in former), key=len)
    return tuple(nearest) or ("its checkpoint was removed",)


def as_json(ingredients: Ingredients) -> dict[str, Any]:
    """Ingredients as the manifest keeps them."""
    return asdict(ingredients)
