"""A graph bound to its code, inputs and params: all that the keys of its segments depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..base.settings import Settings
from ..codecs import is_own
from ..disk.manifest import FileRecord, Manifest
from ..disk.place import checkpoints_place
from ..disk.store import Store
from ..graph.checking import require_sound, settings_of
from ..graph.graph import Graph
from ..graph.steps import Segment
from .inputs import HashCache, Input, argument, find_inputs
from .key import Code, Ingredients, adapters_code, code_of
from .params import check_params


@dataclass(frozen=True)
class Project:
    """What a project declares, as plain data: its graph, its two TOML files, and its code.

    `code` is the code of each segment, `adapters` that of adapters.py, empty if no codec is the
    project's own.
    """

    graph: Graph
    settings: Settings
    code: dict[str, Code]
    adapters: dict[str, str]


@dataclass(frozen=True)
class Bound:
    """Everything that a segment's key depends on, except the values of earlier segments."""

    graph: Graph
    settings: Settings
    code: dict[str, Code]
    inputs: dict[str, Input]
    params: dict[tuple[str, str], Any]
    """Each param as each step receives it, by (step, parameter)."""

    store: Store
    hashes: HashCache


def describe(declared: Graph) -> Project:
    """Read the TOML files of a graph whose modules are imported, and hash its code.

    Raises ConfigurationError.
    """
    settings = settings_of(declared.name, declared.segments)
    graph = Graph(declared.segments, declared.name, settings.wiring.outputs, declared.built_by)
    require_sound(graph, settings)
    code = {segment.name: code_of(segment) for segment in graph.segments}
    codecs = [step.codec for step in graph.steps]
    codecs += [parameter.codec for step in graph.steps for parameter in step.parameters]
    return Project(graph, settings, code, adapters_code() if any(map(is_own, codecs)) else {})


def bind(project: Project, changed: Mapping[str, Any]) -> Bound:
    """Find inputs and params; those in `changed` replace the configured ones.

    Checksums of inputs are saved for later if a run has claimed the place of the checkpoints.

    Raises:
        ConfigurationError: an input is missing, a param does not fit its annotation, or the place
            of the checkpoints belongs to somebody else.
    """
    graph, settings = project.graph, project.settings
    place = checkpoints_place(settings, graph.name)
    is_claimed = place.is_ours()
    params = check_params(graph, settings.wiring, changed)
    cache = HashCache(place.folder / "hashes.json")
    inputs = find_inputs(graph, settings, changed, cache)
    if is_claimed:
        cache.save()
    store = Store(place.folder)
    return Bound(graph, settings, project.code, inputs, params, store, cache)


def input_bytes(bound: Bound, segment: Segment, values: Iterable[FileRecord]) -> int:
    """The size of all that a segment reads: its input files, and values of earlier segments."""
    return sum(path.stat().st_size for path in stamps(bound, segment)) + sum(
        value.bytes for value in values
    )


def known_input_bytes(bound: Bound, upstream: Mapping[str, Manifest]) -> dict[Segment, int]:
    """The size of all that each segment would read, for segments whose values exist.

    `upstream` are the checkpoints that can be reused, by segment.
    """
    graph, sizes = bound.graph, {}
    for segment in graph.segments:
        loaded = {v: graph.producer(v).name for v in graph.loaded(graph.span(segment))}
        if upstream.keys() >= set(loaded.values()):
            values = (upstream[made].values[value] for value, made in loaded.items())
            sizes[segment] = input_bytes(bound, segment, values)
    return sizes


def arguments(bound: Bound, segment: Segment) -> dict[tuple[str, str], Any]:
    """The inputs and params that each step of a segment receives, by (step, parameter)."""
    received: dict[tuple[str, str], Any] = {}
    for step in segment.steps:
        for parameter in step.parameters:
            name = parameter.name
            if name in bound.inputs:
                received[step.name, name] = argument(bound.inputs[name], parameter.annotation)
            elif (step.name, name) in bound.params:
                received[step.name, name] = bound.params[step.name, name]
    return received


def stamps(bound: Bound, segment: Segment) -> dict[Path, tuple[int, int]]:
    """Every input file that a segment reads, with its stamp from when it was hashed."""
    names = {parameter.name for step in segment.steps for parameter in step.parameters}
    sources = [source for name, source in bound.inputs.items() if name in names]
    return {
        file: stamp
        for source in sources
        for file, stamp in zip(source.files, source.stamps, strict=True)
    }


def ingredients_of(bound: Bound, segment: Segment, values: dict[str, str]) -> Ingredients:
    names = {parameter.name for step in segment.steps for parameter in step.parameters}
    code = bound.code[segment.name]
    return Ingredients(
        code=code.modules,
        libraries=code.libraries,
        params=_param_texts(bound, segment),
        inputs={name: source.digest for name, source in bound.inputs.items() if name in names},
        values=values,
        steps=tuple(step.name for step in segment.steps),
    )


def _param_texts(bound: Bound, segment: Segment) -> dict[str, str]:
    """The params of a segment; those that its steps receive as several types, as all of them."""
    texts: dict[str, dict[str, None]] = {}
    for step in segment.steps:
        for parameter in step.parameters:
            if (step.name, parameter.name) in bound.params:
                text = repr(bound.params[step.name, parameter.name])
                texts.setdefault(parameter.name, {})[text] = None
    return {name: ", ".join(sorted(each)) for name, each in texts.items()}


def as_json(ingredients: Ingredients) -> dict[str, Any]:
    """Ingredients as a manifest contains them."""
    return asdict(ingredients)
