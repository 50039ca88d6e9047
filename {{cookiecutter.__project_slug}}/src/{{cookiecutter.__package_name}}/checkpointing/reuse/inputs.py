"""Find, check and hash the inputs and params that pipeline.toml and `--set` name."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xxhash
from pydantic import PydanticUserError, TypeAdapter, ValidationError

from ..base.errors import ConfigurationError, nearest
from ..base.litter import Ignore, in_inputs
from ..base.refusals import refusal_of, remedy_of
from ..base.settings import PIPELINE_FILE, Settings, Wiring
from ..base.texts import shown
from ..graph.graph import Graph
from .hashes import HashCache
from .trees import Scope, Tree, read_tree


@dataclass(frozen=True)
class Input:
    """One entry of [inputs]: the path or URL as configured, its files, a hash of their contents.

    The contents behind a URL are not hashed: `digest` is of the address, and there is no `tree`.
    """

    text: str
    place: Path | str
    files: tuple[Path, ...]
    digest: str
    tree: Tree | None = None

    @property
    def is_url(self) -> bool:
        return isinstance(self.place, str)


def find_inputs(
    graph: Graph, settings: Settings, changed: Mapping[str, Any], cache: HashCache
) -> dict[str, Input]:
    """Every input that a step reads; those in `changed` replace the configured ones.

    Raises:
        ConfigurationError: a file is missing or cannot be read, a glob matches nothing, or an
            output is published into the folder of an input.
    """
    used = {parameter.name for step in graph.steps for parameter in step.parameters}
    inputs = {}
    for name, text in settings.wiring.inputs.items():
        if name in used:
            try:
                inputs[name] = _find(name, str(changed.get(name, text)), settings, cache)
            except OSError as error:
                raise ConfigurationError(
                    f"input `{name}` cannot be read: {refusal_of(error)}. {remedy_of(error)}"
                ) from None
    return inputs


def check_params(graph: Graph, wiring: Wiring, changed: Mapping[str, Any]) -> dict[str, Any]:
    """Every param's value, checked against the annotation of each step that takes it.

    Raises:
        ConfigurationError: a value does not fit an annotation.
    """
    params = {n: changed.get(n, value) for n, value in wiring.params.items()}
    for step in graph.steps:
        for parameter in step.parameters:
            if parameter.name not in params:
                continue
            value = params[parameter.name]
            try:
                TypeAdapter(parameter.annotation).validate_python(value, strict=True)
            except ValidationError as error:
                raise ConfigurationError(
                    f"param `{parameter.name}` is {shown(value)}, but {step.place} takes "
                    f"`{parameter.name}: {parameter.type_name}`: {error.errors()[0]['msg']}",
                    step=step.name,
                ) from None
            except PydanticUserError:
                raise ConfigurationError(
                    f"{step.place}: parameter `{parameter.name}` is one of [params]; annotate it "
                    f"as what TOML gives, such as `int`, not as {parameter.type_name}.",
                    step=step.name,
                ) from None
    return params


def check_names(wiring: Wiring, changed: Mapping[str, Any]) -> None:
    """Refuse a changed value that is neither a param nor an input. Raises ConfigurationError."""
    known = [*wiring.params, *wiring.inputs]
    for name in changed:
        if name not in known:
            raise ConfigurationError(
                f"`{name}` is neither under [params] nor under [inputs] in "
                f"{PIPELINE_FILE}{nearest(name, known)}"
            )


def argument(source: Input, annotation: Any) -> Any:
    """The value that a step receives for an input: the configured path, the URL, or the files."""
    return list(source.files) if annotation == list[Path] else source.place


def _find(name: str, text: str, settings: Settings, cache: HashCache) -> Input:
    if "://" in text:
        return Input(text, text, (), xxhash.xxh3_128_hexdigest(text.encode()))
    targets = {os.path.realpath(settings.root / t): v for v, t in settings.wiring.outputs.items()}
    ours = {os.path.realpath(folder) for folder in (settings.checkpoints, settings.runs)}
    is_glob = glob.has_magic(text) and not (settings.root / text).exists()
    ignore = in_inputs(settings.wiring.reuse.ignore)
    left_out = frozenset(ours | targets.keys() if is_glob else ours)
    scope = Scope(text, settings.root, ignore, left_out)
    place = scope.place
    tree = read_tree(scope, cache)
    if not (tree.entries if place.is_dir() else tree.files):
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
