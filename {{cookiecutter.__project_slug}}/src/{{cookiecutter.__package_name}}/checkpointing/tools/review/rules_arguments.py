"""CKP203: steps that change their arguments."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .annotations import Kind, annotation_kind
from .chains import ARRAY_METHODS, CONTAINER_METHODS, Change, changes, items_of, root
from .findings import Finding
from .functions import Function
from .graph import Project

_KINDS: tuple[Kind, ...] = ("container", "array")


@dataclass(frozen=True)
class _Argument:
    """An argument of a step, or a part of one: its parameter, its kind, and that of its items."""

    parameter: str
    kind: Kind
    items: Kind


def changed_arguments(project: Project) -> Iterator[Finding]:
    """CKP203: lists, dicts, sets and arrays that a step changes although they are its arguments.

    A step may assign columns of a frame: it has a view of its own, and pandas copies on write.
    """
    for step in project.steps:
        arguments = _arguments(step)
        rebound = _rebound(step)
        reported = set()
        for change in changes(step):
            argument = _changed(change, arguments)
            if argument is None or change.line > rebound.get(argument.parameter, change.line):
                continue
            part = "an array of " if argument.kind == "frame" else ""
            if (change.line, argument.parameter) not in reported:
                reported.add((change.line, argument.parameter))
                message = f"`{step.name}` changes {part}`{argument.parameter}`, which it was given"
                yield Finding(step.module.shown, change.line, "CKP203", message)


def _arguments(step: Function) -> dict[str, _Argument]:
    """The arguments by parameter, and by other names for them and for their items."""
    arguments = {
        p.name: _Argument(p.name, p.kind, _items(step, p.annotation))
        for p in step.parameters
        if p.kind in (*_KINDS, "frame")
    }
    stored = Counter(
        node.id
        for node in step.inside
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    for node in step.inside:
        match node:
            case ast.Assign(targets=[ast.Name(id=alias)], value=ast.Name(id=name)):
                if name in arguments and stored[alias] == 1:
                    arguments.setdefault(alias, arguments[name])
            case ast.For(target=ast.Name(id=alias), iter=ast.Name(id=name)):
                if name in arguments and stored[alias] == 1 and arguments[name].items in _KINDS:
                    arguments.setdefault(alias, _Argument(name, arguments[name].items, "unknown"))
    return arguments


def _items(step: Function, annotation: ast.expr | None) -> Kind:
    match annotation:
        case ast.Subscript(slice=ast.Tuple(elts=[*_, last])) | ast.Subscript(slice=last):
            return annotation_kind(last, step.module)
    return "unknown"


def _changed(change: Change, arguments: dict[str, _Argument]) -> _Argument | None:
    """The argument that a change modifies; None if it modifies none."""
    owner = change.owner
    name = items_of(owner)
    argument = arguments.get(name.id) if name is not None else None
    if argument is not None and argument.kind in _KINDS:
        if argument.items == "frame" and owner is not name:
            return None  # a column of a frame in a list
        is_array = argument.kind == "array"
        if change.method:
            return argument if change.method in _methods(is_array) else None
        return argument if is_array or not change.attribute else None
    while isinstance(owner, ast.Subscript):  # flights["delay"].values[0] = 0
        owner = owner.value
    called = owner.func if isinstance(owner, ast.Call) else owner
    if isinstance(called, ast.Attribute) and called.attr in ("values", "to_numpy"):
        name = root(called)
        argument = arguments.get(name.id) if name is not None else None
        is_frame = argument is not None and argument.kind == "frame"
        if is_frame and not (change.method or change.attribute):
            return argument
    return None


def _methods(is_array: bool) -> set[str]:
    return ARRAY_METHODS if is_array else CONTAINER_METHODS


def _rebound(step: Function) -> dict[str, int]:
    """The first line on which each name gets another object, which belongs to the step."""
    first_lines: dict[str, int] = {}
    for node in step.inside:
        match node:
            case ast.Name(id=name, ctx=ast.Store(), lineno=line):
                if not isinstance(step.parents.get(node), ast.AugAssign):
                    first_lines[name] = min(line, first_lines.get(name, line))
    return first_lines
