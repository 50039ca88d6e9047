"""Which names belong to a scope: a function, a comprehension, a class, a module."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from .nodes import children, walk

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def bound_in(body: Iterable[ast.AST]) -> list[str]:
    """The names that statements bind in their own scope, each as often as it is bound."""
    names: list[str] = []
    nodes = list(body)
    for node in nodes:  # it grows meanwhile
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.append(node.id)
        elif isinstance(node, _NAMED):
            names.append(node.name)  # what lies in it is another scope
        elif isinstance(node, Comprehension):
            names += _walruses(node)
        elif not isinstance(node, ast.Lambda):
            names += _bound_by(node)
            nodes += children(node)
    return names


def _bound_by(node: ast.AST) -> list[str]:
    """The names that a node binds itself."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        return [node.name]
    return [node.rest] if isinstance(node, ast.MatchMapping) and node.rest else []


def _walruses(node: ast.AST) -> list[str]:
    """The names that `:=` binds around a comprehension."""
    nodes = [node]
    for each in nodes:  # it grows meanwhile
        if not isinstance(each, ast.Lambda):
            nodes += children(each)
    return [each.target.id for each in nodes if isinstance(each, ast.NamedExpr)]


def targets_of(comprehension: Comprehension) -> set[str]:
    """The names that a comprehension binds for itself."""
    targets = (part.target for part in comprehension.generators)
    names = (n for target in targets for n in walk(target) if isinstance(n, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def chain_of(node: ast.expr) -> tuple[str, ...] | None:
    """The names of `a.b.c`; None for what does not start with a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else None


def own_scope(body: Iterable[ast.AST]) -> list[ast.AST]:
    """The statements of a function and all below them that belongs to the same function."""
    nodes = list(body)
    for node in nodes:  # it grows meanwhile
        if not isinstance(node, (*_NAMED, ast.Lambda)):
            nodes += children(node)
    return nodes


def parameters_of(arguments: ast.arguments) -> set[str]:
    """The names of a function's parameters."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return {argument.arg for argument in every}


def root_of(node: ast.expr) -> tuple[str, ...] | None:
    """The names that `a.b[0].c[1]` starts with: `a.b`."""
    while chain_of(node) is None:
        if not isinstance(node, ast.Attribute | ast.Subscript):
            return None
        node = node.value
    return chain_of(node)
