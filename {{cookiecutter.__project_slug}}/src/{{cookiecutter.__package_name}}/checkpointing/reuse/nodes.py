"""The nodes of a syntax tree, as `ast` walks them, in half the time.

A module is walked again and again, so this is most of what reading it takes.
"""

from __future__ import annotations

import ast

_PLAIN = frozenset({"arg", "asname", "attr", "conversion", "id", "is_async", "kind", "level"})
_PLAIN |= {"module", "rest", "simple", "type_comment"}
_SIGNS = frozenset({"ctx", "op", "ops"})
"""The fields of `Load()`, `Add()` and the like, which hold nothing themselves."""

_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _PLAIN | _SIGNS)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""The fields of each kind of node that may hold nodes."""


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below a node, in the order of its fields, but no signs such as `Load()`."""
    below: list[ast.AST] = []
    for name in _FIELDS[type(node)]:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            below.append(value)
        elif type(value) is list:
            below += [item for item in value if isinstance(item, ast.AST)]
    return below


def walk(node: ast.AST) -> list[ast.AST]:
    """A node and all below it, those nearer to it first; no signs."""
    nodes = [node]
    for each in nodes:  # it grows meanwhile
        nodes += children(each)
    return nodes
