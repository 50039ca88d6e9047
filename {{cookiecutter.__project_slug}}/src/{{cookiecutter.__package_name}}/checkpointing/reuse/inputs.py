"""Find, check and hash the inputs that pipeline.toml and `--set` name."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xxhash

from ..base.errors import ConfigurationError
from ..base.litter import Ignore, in_inputs
from ..base.refusals import refusal_of, remedy_of
from ..base.settings import PIPELINE_FILE, Settings
from ..base.urls import without_user
from ..graph.batches import problem_of_input
from ..graph.graph import Graph
from ..graph.places import is_url, needed_annotation, place_of, problem_of_place
from ..graph.signatures import admits_none, without_none
from .hashes import HashCache
from .trees import Scope, Tree, read_tree


@dataclass(frozen=True)
class Input:
    """One entry of [inputs]: the path or URL as configured, its files, a hash of their contents.

    The contents behind a URL are not hashed: `digest` is of the address, and there is no `tree`.
    `is_absent` if there is nothing, and every step that takes it may get None.
    """

    text: str
    place: Path | str
    files: tuple[Path, ...]
    digest: str
    tree: Tree | None = None
    is_absent: bool = False

    @property
    def is_url(self) -> bool:
        return isinstance(self.place, str)


def find_inputs(
    graph: Graph,
    settings: Settings,
    changed: Mapping[str, Any],
    cache: HashCache,
    known: Mapping[str, Input] | None = None,
) -> dict[str, Input]:
    """Every input that a step reads; those in `changed` replace the configured ones.

    Args:
        known: inputs that are not looked for.

    Raises:
        ConfigurationError: a file is missing or cannot be read, a glob matches nothing, an output
            is published into the folder of an input, or a changed input is not what a step asks
            for.
    """
    used = {parameter.name for step in graph.steps for parameter in step.parameters}
    texts = {n: changed.get(n, text) for n, text in settings.wiring.inputs.items() if n in used}
    for name in texts.keys() & changed.keys():
        _require_fitting(name, changed[name], graph, settings.root)
    inputs = {name: source for name, source in (known or {}).items() if name in texts}
    for name, text in texts.items():
        if name in inputs:
            continue
        try:
            inputs[name] = _find(name, str(text), settings, cache, _may_lack(graph, name))
        except OSError as error:
            raise ConfigurationError(
                f"input `{name}` cannot be read: {refusal_of(error)}. {remedy_of(error)}"
            ) from None
    return inputs


def argument(source: Input, annotation: Any) -> Any:
    """The value that a step receives for an input: the configured path, the URL, or the files."""
    if source.is_absent:
        return None
    return list(source.files) if without_none(annotation)[0] == list[Path] else source.place


def _may_lack(graph: Graph, name: str) -> bool:
    """Whether every parameter of that name may be None."""
    takers = [p for step in graph.steps for p in step.parameters if p.name == name]
    return all(p.is_optional if p.in_batches else admits_none(p.annotation) for p in takers)


def _require_fitting(name: str, text: Any, graph: Graph, root: Path) -> None:
    """Refuse a changed input as pipeline.toml would be. Raises ConfigurationError."""
    if not isinstance(text, str | Path):
        raise ConfigurationError(f"input `{name}` is {text!r}, not a path or a URL as text.")
    shown = without_user(str(text))
    if problem := problem_of_place(str(text), root):
        raise ConfigurationError(f"input `{name}` = {shown!r} {problem}.")
    for step in graph.steps:
        for parameter in (p for p in step.parameters if p.name == name != step.each):
            if parameter.in_batches:
                if problem := problem_of_input(str(text), root):
                    raise ConfigurationError(
                        f"input `{name}` = {shown!r}: {step.place} takes it in batches, and it "
                        f"{problem}.",
                        step=step.name,
                    )
            elif needed := needed_annotation(str(text), root, parameter.annotation):
                raise ConfigurationError(
                    f"input `{name}` = {shown!r}: {step.place} takes "
                    f"`{name}: {parameter.type_name}`; annotate it {needed}, or name another.",
                    step=step.name,
                )


def _find(name: str, text: str, settings: Settings, cache: HashCache, may_lack: bool) -> Input:
    if is_url(text):
        return Input(text, text, (), xxhash.xxh3_128_hexdigest(text.encode()))
    targets = {
        os.path.realpath(place_of(t, settings.root)): v
        for v, t in settings.wiring.outputs.items()
        if not is_url(t) or t.startswith("file:")
    }
    ours = {os.path.realpath(folder) for folder in (settings.checkpoints, settings.runs)}
    is_glob = glob.has_magic(text) and not (settings.root / text).exists()
    ignore = in_inputs(settings.wiring.reuse.ignore)
    left_out = frozenset(ours | targets.keys() if is_glob else ours)
    scope = Scope(text, settings.root, ignore, left_out)
    place = scope.place
    tree = read_tree(scope, cache)
    is_there = bool(tree.entries if place.is_dir() else tree.files)
    if not is_there and may_lack:
        return Input(text, place, (), tree.digest, tree, is_absent=True)
    if not is_there:
        raise ConfigurationError(
            f"input `{name}`: {place} {_absence(scope)}. Correct [inputs] in "
            f"{PIPELINE_FILE}, or name another with `--set {name}=PATH`."
        )
    for target, value in targets.items():
        if place.is_dir() and Path(target).is_relative_to(os.path.realpath(place)):
            raise ConfigurationError(
                f"[outputs] `{value}` would be published to {target}, which lies in input "
                f"`{name}`: each run would change what it reads. Name another path in "
                f"{PIPELINE_FILE}."
            )
    return Input(text, place, tree.files, tree.digest, tree)


def _absence(scope: Scope) -> str:
    if replace(scope, ignore=Ignore(())).look():
        return f"holds only what `[reuse] ignore` in {PIPELINE_FILE} and base/litter.py leave out"
    if glob.has_magic(scope.text):
        return "matches no file"
    if scope.place.is_dir():
        return "is an empty folder"
    return "is no regular file" if scope.place.exists() else "does not exist"
