"""A graph bound to its code, inputs and params: all that the keys of its segments depend on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..base.errors import ConfigurationError
from ..base.litter import in_packages
from ..base.location import RUNTIME
from ..base.refusals import refusal_of, remedy_of
from ..base.secrets import Secret, of_environment
from ..base.settings import Settings
from ..codecs import is_own
from ..disk.manifest import FileRecord, Manifest
from ..disk.place import checkpoints_place
from ..disk.store import HASHES, Store
from ..disk.stores import open_store
from ..graph.checking import require_sound, settings_of
from ..graph.graph import Graph
from ..graph.steps import Segment
from .hashes import HashCache
from .inputs import Input, argument, find_inputs
from .key import Code, Ingredients, adapters_code, codes_of
from .params import check_params
from .trees import Scope, Tree, read_tree
from .variables import Variables, read_variables, variable_texts


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
    """Everything that a segment's key depends on, except the values of earlier segments.

    `data` are the data files in each folder of first-party code.
    """

    graph: Graph
    settings: Settings
    code: dict[str, Code]
    data: dict[Path, Tree]
    inputs: dict[str, Input]
    params: dict[tuple[str, str], Any]
    """Each param as each step receives it, by (step, parameter)."""

    variables: Variables
    """What the steps take from the environment."""

    store: Store
    hashes: HashCache
    changed: Mapping[str, Any]
    """The params, inputs and variables that replace the configured ones, as they were given."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets that are set, whichever steps take them, and the keys of shared storage."""
        return (*self.variables.secrets.values(), *of_environment(os.environ))


def describe(declared: Graph) -> Project:
    """Read the TOML files of a graph whose modules are imported, and hash its code.

    Raises ConfigurationError.
    """
    settings = settings_of(declared.name, declared.segments)
    graph = Graph(declared.segments, declared.name, settings.wiring.outputs, declared.built_by)
    require_sound(graph, settings)
    code = codes_of(graph.segments)
    is_adapted = any(map(is_own, graph.codecs()))
    return Project(graph, settings, code, adapters_code() if is_adapted else {})


def bind(
    project: Project,
    changed: Mapping[str, Any],
    *,
    hash_all: bool = False,
    store: Store | None = None,
    only: Segment | None = None,
    known: Mapping[str, Input] | None = None,
) -> Bound:
    """Find inputs, params, variables and data files; `changed` replaces the configured ones.

    Checksums are saved for later if a run has claimed the place of the checkpoints. With `hash_all`
    no saved checksum is trusted.

    Args:
        store: of the checkpoints, if it is locked; else what others have made is looked for first.
        only: find what the steps of this segment take, and nothing else.
        known: inputs that are known by something else than their files, and not looked for.

    Raises:
        ConfigurationError: an input is missing, a param does not fit its annotation, or the place
            of the checkpoints belongs to somebody else, or a variable is not set.
    """
    graph, settings = project.graph, project.settings
    place = checkpoints_place(settings, graph.name)
    if store is None:
        store = open_store(settings, graph.name)
        store.refresh()
    is_claimed = place.is_ours()
    taking = graph if only is None else graph.alone(only)
    params = check_params(graph, settings.wiring, changed)
    variables = read_variables(taking, settings.wiring, changed)
    cache = HashCache(place.folder / HASHES, verify=hash_all)
    inputs = find_inputs(taking, settings, changed, cache, known)
    folders = {folder for code in project.code.values() for folder in code.folders}
    data = {folder: data_files(folder, settings, cache) for folder in folders}
    if is_claimed:
        cache.save()
    return Bound(
        graph, settings, project.code, data, inputs, params, variables, store, cache, changed
    )


def data_files(folder: Path, settings: Settings, cache: HashCache) -> Tree:
    """The data files in a folder of first-party code. Raises ConfigurationError."""
    ignore = in_packages(settings.wiring.reuse.ignore)
    left_out = frozenset({os.path.realpath(RUNTIME)})
    try:
        return read_tree(Scope(str(folder), settings.root, ignore, left_out, True), cache)
    except OSError as error:
        raise ConfigurationError(
            f"a data file of the code cannot be read: {refusal_of(error)}. {remedy_of(error)}"
        ) from None


def input_bytes(bound: Bound, segment: Segment, values: Iterable[FileRecord]) -> int:
    """The size of all that a segment reads: its input files, and values of earlier segments."""
    read = (source.tree.bytes for source in _inputs(bound, segment).values() if source.tree)
    return sum(read) + sum(value.bytes for value in values)


def known_input_bytes(bound: Bound, upstream: Mapping[str, Manifest]) -> dict[Segment, int]:
    """The size of all that each segment would read, for segments whose values exist.

    `upstream` are the checkpoints that can be reused, by segment.
    """
    graph, sizes = bound.graph, {}
    for segment in graph.segments:
        loaded = {v: graph.producer(v).name for v in graph.loaded(graph.span(segment))}
        if upstream.keys() >= set(loaded.values()):
            taken = (upstream[made].taken(value) for value, made in loaded.items())
            values = (record for records in taken for record in records.values())
            sizes[segment] = input_bytes(bound, segment, values)
    return sizes


def arguments(bound: Bound, segment: Segment) -> dict[tuple[str, str], Any]:
    """What each step of a segment receives besides values, by (step, parameter).

    A secret that is not set is left out: the segment is refused before it runs.
    """
    received: dict[tuple[str, str], Any] = {}
    for step in segment.steps:
        for parameter in step.parameters:
            name = parameter.name
            if name in bound.inputs:
                is_files = step.each == name or parameter.in_batches
                annotation = list[Path] if is_files else parameter.annotation
                received[step.name, name] = argument(bound.inputs[name], annotation)
            elif (step.name, name) in bound.params:
                received[step.name, name] = bound.params[step.name, name]
            elif (step.name, name) in bound.variables.values:
                received[step.name, name] = bound.variables.values[step.name, name]
            elif name in bound.settings.wiring.env and name in bound.variables.secrets:
                received[step.name, name] = bound.variables.secrets[name]
    return received


def trees(bound: Bound, segment: Segment) -> tuple[Tree, ...]:
    """All files besides code that a segment reads, as they were when they were hashed."""
    sources = _inputs(bound, segment).values()
    data = (bound.data[folder] for folder in bound.code[segment.name].folders)
    return *(source.tree for source in sources if source.tree), *data


def ingredients_of(bound: Bound, segment: Segment, values: dict[str, str]) -> Ingredients:
    code = bound.code[segment.name]
    return Ingredients(
        code=dict(sorted((code.reached | data_digests(bound, code)).items())),
        libraries=code.libraries,
        params=_param_texts(bound, segment),
        inputs={name: source.digest for name, source in _inputs(bound, segment).items()},
        values=values,
        steps=segment.written,
        env=variable_texts(segment.steps, bound.settings.wiring, bound.variables.values),
        columns=_column_texts(bound, segment),
    )


def kept_columns(bound: Bound, name: str) -> tuple[str, ...]:
    """The columns to keep of a value or an item for later steps; none: all."""
    return bound.graph.columns(name) if bound.settings.memory.checkpoints.columns == "read" else ()


def _column_texts(bound: Bound, segment: Segment) -> dict[str, str]:
    """The columns to keep of each value that a later segment reads, where these are not all."""
    later = bound.graph.kept(bound.graph.span(segment))
    return {name: json.dumps(kept) for name in later if (kept := kept_columns(bound, name))}


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


def _inputs(bound: Bound, segment: Segment) -> dict[str, Input]:
    names = {parameter.name for step in segment.steps for parameter in step.parameters}
    return {name: source for name, source in bound.inputs.items() if name in names}


def data_digests(bound: Bound, code: Code) -> dict[str, str]:
    """What each data file contains; parts of a namespace package may have files of one name."""
    digests: dict[str, str] = {}
    for folder in code.folders:
        tree = bound.data[folder]
        for name, entry in tree.entries.items():
            digest = tree.checksums.get(name, f"{entry.kind} {entry.leads_to}")
            shown = f"{folder.name}/{name}"
            digests[shown] = f"{digests[shown]} {digest}" if shown in digests else digest
    return digests
