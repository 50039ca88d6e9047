"""CKP201, CKP206: side effects, the reads and writes of a step besides parameters and result."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .effects import Effect, effects
from .findings import Finding
from .functions import Function
from .graph import Project
from .origins import MEMORY, PACKAGE, UNKNOWN, Origins
from .source import Module

WORKDIR = "workdir"

_PICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal"}
_PICKLING = re.compile(
    r"pandas\.read_pickle|joblib\.(dump|load)|torch\.(save|load)|pandas\.to_pickle"
)


def own_places(project: Project) -> Iterator[Finding]:
    """CKP201: files, networks and programs that a step reaches past its parameters."""
    for function in project.functions:
        origins = Origins(function)
        inputs = project.inputs
        places = {p.name for p in function.parameters if p.is_place or inputs is None}
        places |= set(inputs or ()) & {p.name for p in function.parameters}
        texts = {p.name for p in function.parameters if p.kind == "text"}
        urls = texts if inputs is None else texts & set(inputs)
        for effect in effects(function):
            if any(function.dotted(place) == "os.devnull" for place in effect.places):
                continue
            sources = origins.of(*effect.places)
            if problem := _problem(effect, function, sources, places, bool(urls)):
                message = f"{function.title} {problem}"
                yield Finding(function.module.shown, effect.call.lineno, "CKP201", message)


def pickles(project: Project) -> Iterator[Finding]:
    """CKP206: pickle by any of its names, in any module of the project."""
    for module in project.modules.values():
        for node, loaded in module.imports:
            names = sorted({name.partition(".")[0] for name in loaded} & _PICKLERS)
            if names:
                yield Finding(module.shown, node.lineno, "CKP206", f"`{names[0]}` is imported")
        for call in module.nodes:
            if isinstance(call, ast.Call) and (name := _pickling(call, module)):
                yield Finding(module.shown, call.lineno, "CKP206", f"`{name}` pickles")


def _problem(
    effect: Effect, function: Function, sources: set[str], places: set[str], has_url: bool
) -> str | None:
    """What is wrong with an effect whose location comes from `sources`; None if nothing is.

    `places` are the parameters that a step may take a location from.
    """
    if sources & {UNKNOWN, MEMORY}:
        return None
    label = effect.label if effect.label.startswith("'") else f"`{effect.label}`"
    if effect.verb in ("uses the network", "opens a database"):
        if function.is_sink or has_url or sources & places:
            return None
        return f"{effect.verb} ({label}) at a location that is not one of its inputs"
    if effect.verb == "writes":
        if function.is_sink or WORKDIR in sources:
            return None
        return f"writes ({label}) outside `{WORKDIR}`"
    if sources & (places | {PACKAGE}):
        return None
    if effect.verb == "reads":
        return f"reads ({label}) from a location that is not one of its inputs"
    if function.is_sink:
        return None
    return f"{effect.verb} ({label}) on files that are not its inputs"


def _pickling(call: ast.Call, module: Module) -> str | None:
    name = module.dotted(call.func) or ""
    if _PICKLING.fullmatch(name):
        return name
    if isinstance(call.func, ast.Attribute) and call.func.attr == "to_pickle":
        return ".to_pickle()"
    for keyword in call.keywords:
        allowed = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        if keyword.arg == "allow_pickle" and allowed:
            return "allow_pickle=True"
    return None
