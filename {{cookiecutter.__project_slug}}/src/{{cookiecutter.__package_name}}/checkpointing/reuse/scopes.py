"""Which names belong to a scope: a function, a comprehension, a class, a module."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from .nodes import children, walk

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def bound_in(body: Iterable[ast.AST]) -> Iterator[str]:
    """The names that statements bind in their own scope, each as often as it is bound."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue  # what lies in it is another scope
        if isinstance(node, Comprehension):
            yield from _walruses(node)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        yield from bound_in(children(node))


def _walruses(node: ast.AST) -> Iterator[str]:
    """The names that `:=` binds around a comprehension."""
    if isinstance(node, ast.NamedExpr):
        yield node.target.id
    if not isinstance(node, ast.Lambda):
        for child in children(node):
            yield from _walruses(child)


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


def own_scope(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it that belongs to the same function."""
    yield node
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    if not isinstance(node, inner):
        for child in children(node):
            yield from own_scope(child)


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
