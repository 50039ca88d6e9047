"""CKP106: what a step returns, or takes from another step, is of a type that a checkpoint keeps."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ...base.remedies import KEPT, Refused, refused
from .annotations import expression_of, is_of_batches
from .findings import Finding
from .graph import Project
from .source import Module

_CONTAINERS = {
    *("dict", "list", "tuple", "set", "frozenset", "typing.Dict", "typing.List", "typing.Tuple"),
    *("typing.Set", "typing.FrozenSet", "typing.Union", "typing.Optional"),
}
_FIELDS = {
    *("typing.NamedTuple", "typing.TypedDict", "typing_extensions.TypedDict"),
    "pydantic.BaseModel",
}
_KEPT = frozenset(name for entry in KEPT for name in entry.types if not name.endswith(".*"))
_ADAPTERS = "adapters"


def unstorable(project: Project) -> Iterator[Finding]:
    """CKP106: a step whose result, or a value from another step, no checkpoint keeps."""
    own = _registered(project)
    made = {step.name for step in project.steps}
    for step in project.steps:
        node = step.node
        places = [(f"the result of `{step.name}`", node.returns, node.lineno)]
        places += [
            (f"parameter `{parameter.name}` of `{step.name}`", parameter.annotation, parameter.line)
            for parameter in step.parameters
            if parameter.name in made
        ]
        for place, annotation, line in places:
            for name, entry in _refused(annotation, step.module, project, frozenset()):
                if not _is_own(name, own):
                    remedy = f"{entry.remedy[:1].upper()}{entry.remedy[1:]}"
                    message = f"{place} is or holds `{name}`, {entry.what}. {remedy}"
                    yield Finding(step.module.shown, line, "CKP106", message)
                    break


def _refused(
    annotation: ast.expr | None, module: Module, project: Project, within: frozenset[str]
) -> Iterator[tuple[str, Refused]]:
    """The types in an annotation that the table refuses, by the names that the module uses.

    `within` are the project's classes whose fields are being looked at, and `*` within a container.
    """
    annotation = expression_of(annotation)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        for side in (annotation.left, annotation.right):
            yield from _refused(side, module, project, within)
        return
    base = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    if base is None or (name := module.dotted(base)) is None:
        return
    if isinstance(annotation, ast.Subscript) and name == "typing.Annotated":
        inner = annotation.slice
        first = inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner
        yield from _refused(first, module, project, within)
    elif isinstance(annotation, ast.Subscript) and is_of_batches(name, annotation.slice, module):
        return
    elif isinstance(annotation, ast.Subscript) and name in _CONTAINERS:
        inner = annotation.slice
        for part in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
            yield from _refused(part, module, project, within | {"*"})
    elif name in within or name in _KEPT or (name == "typing.Any" and "*" in within):
        return
    elif (entry := refused([name])) is not None:
        yield name, entry
    elif (home := _defined(name, project)) is not None:
        yield from _refused_of_class(name, *home, project, within)


def _refused_of_class(
    name: str, module: Module, node: ast.ClassDef, project: Project, within: frozenset[str]
) -> Iterator[tuple[str, Refused]]:
    """The types that the bases of a class of the project, or the fields that it declares, are."""
    bases = [module.dotted(base) or "" for base in node.bases]
    decorators = [
        module.dotted(d.func if isinstance(d, ast.Call) else d) or "" for d in node.decorator_list
    ]
    is_dataclass = any(decorator.endswith("dataclass") for decorator in decorators)
    if is_dataclass or _FIELDS.intersection(bases):
        for field in node.body:
            if isinstance(field, ast.AnnAssign):
                yield from _refused(field.annotation, module, project, within | {name, "*"})
    elif (entry := refused(base for base in bases if base not in _KEPT)) is not None:
        yield name, entry


def _defined(name: str, project: Project) -> tuple[Module, ast.ClassDef] | None:
    """The module and the definition of a class of the project."""
    home, _, own = name.rpartition(".")
    module = project.modules.get(home)
    node = module.definitions.get(own) if module is not None else None
    return (module, node) if module is not None and isinstance(node, ast.ClassDef) else None


def _registered(project: Project) -> set[str]:
    """The types that adapters.py registers, and `sklearn` where the project has skops."""
    own = {
        node.value
        for module in project.modules.values()
        if project.within(module) == _ADAPTERS
        for node in module.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value
    }
    declared = project.root / "pyproject.toml"
    if declared.is_file() and "skops" in declared.read_text("utf-8", errors="replace"):
        own.add("sklearn.*")
    return own


def _is_own(name: str, own: set[str]) -> bool:
    """Whether a registered type may be the one that an annotation names.

    A library may define a class in another module than the one that people import it from.
    """
    package, last = name.partition(".")[0], name.rpartition(".")[2]
    return any(
        entry.partition(".")[0] == package and entry.rpartition(".")[2] in (last, "*")
        for entry in own
    )
