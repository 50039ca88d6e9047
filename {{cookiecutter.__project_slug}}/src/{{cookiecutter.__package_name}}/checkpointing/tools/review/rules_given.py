"""CKP203: what a step changes in what it was given."""

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
class _Given:
    """A name for something that a step was given: the parameter, what it is and holds."""

    parameter: str
    kind: Kind
    items: Kind


def given_values(project: Project) -> Iterator[Finding]:
    """CKP203: lists, dicts, sets and arrays that a step changes although it was given them.

    A frame's columns may be assigned: a step has a view of its own, and pandas copies on write.
    """
    for step in project.steps:
        given = _given(step)
        rebound = _rebound(step)
        told = set()
        for change in changes(step):
            found = _changed(change, given)
            if found is None or change.line > rebound.get(found.parameter, change.line):
                continue
            what = "an array of " if found.kind == "frame" else ""
            if (change.line, found.parameter) not in told:
                told.add((change.line, found.parameter))
                message = f"`{step.name}` changes {what}`{found.parameter}`, which it was given"
                yield Finding(step.module.shown, change.line, "CKP203", message)


def _given(step: Function) -> dict[str, _Given]:
    """The parameters by name, and other names for them and for their items."""
    found = {
        p.name: _Given(p.name, p.kind, _items(step, p.annotation))
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
                if name in found and stored[alias] == 1:
                    found.setdefault(alias, found[name])
            case ast.For(target=ast.Name(id=alias), iter=ast.Name(id=name)):
                if name in found and stored[alias] == 1 and found[name].items in _KINDS:
                    found.setdefault(alias, _Given(name, found[name].items, "unknown"))
    return found


def _items(step: Function, annotation: ast.expr | None) -> Kind:
    match annotation:
        case ast.Subscript(slice=ast.Tuple(elts=[*_, last])) | ast.Subscript(slice=last):
            return annotation_kind(last, step.module)
    return "unknown"


def _changed(change: Change, given: dict[str, _Given]) -> _Given | None:
    """What a change concerns, of what was given; None if nothing of it."""
    owner = change.owner
    name = items_of(owner)
    found = given.get(name.id) if name is not None else None
    if found is not None and found.kind in _KINDS:
        if found.items == "frame" and owner is not name:
            return None  # a column of a frame in a list
        is_array = found.kind == "array"
        if change.method:
            return found if change.method in _methods(is_array) else None
        return found if is_array or not change.attribute else None
    while isinstance(owner, ast.Subscript):  # flights["delay"].values[0] = 0
        owner = owner.value
    called = owner.func if isinstance(owner, ast.Call) else owner
    if isinstance(called, ast.Attribute) and called.attr in ("values", "to_numpy"):
        name = root(called)
        found = given.get(name.id) if name is not None else None
        if found is not None and found.kind == "frame" and not (change.method or change.attribute):
            return found
    return None


def _methods(is_array: bool) -> set[str]:
    return ARRAY_METHODS if is_array else CONTAINER_METHODS


def _rebound(step: Function) -> dict[str, int]:
    """The first line on which each name gets another object, from where on it is the step's."""
    found: dict[str, int] = {}
    for node in step.inside:
        match node:
            case ast.Name(id=name, ctx=ast.Store(), lineno=line):
                if not isinstance(step.parents.get(node), ast.AugAssign):
                    found[name] = min(line, found.get(name, line))
    return found
