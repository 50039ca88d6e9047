"""Chains such as `rows[0]["name"].strip`: the first name, and the calls that change its value."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .functions import Function

CONTAINER_METHODS = {
    *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update"),
    *("setdefault", "popitem", "add", "discard", "appendleft", "extendleft", "popleft", "rotate"),
    *("difference_update", "intersection_update", "symmetric_difference_update", "subtract"),
}
ARRAY_METHODS = {"sort", "fill", "resize", "partition", "put", "itemset", "setflags", "byteswap"}
_CHANGE_FIRST = {
    *("numpy.copyto", "numpy.put", "numpy.place", "numpy.putmask", "numpy.fill_diagonal"),
    *("numpy.put_along_axis", "numpy.random.shuffle", "random.shuffle", "bisect.insort"),
    *("bisect.insort_left", "bisect.insort_right", "heapq.heappush", "heapq.heappop"),
    *("heapq.heapify", "heapq.heapreplace", "heapq.heappushpop", "operator.setitem"),
}


@dataclass(frozen=True)
class Change:
    """A place in the code that changes an object in place: which object, and how.

    `owner` is the expression whose object changes; `method` is the method that changes it, or ""
    for an assignment, `name` for an assignment to the attribute `name`.
    """

    line: int
    owner: ast.expr
    method: str = ""
    attribute: str = ""


def changes(function: Function) -> Iterator[Change]:
    """Every change in place in a function: of items, attributes, and by methods and functions."""
    for node in function.inside:
        match node:
            case ast.Assign(targets=targets) | ast.Delete(targets=targets):
                for target in targets:
                    yield from _assigned(target)
            case ast.AnnAssign(target=target, value=ast.expr()):
                yield from _assigned(target)
            case ast.For(target=target):
                yield from _assigned(target)
            case ast.AugAssign(target=ast.Name() as target):
                yield Change(node.lineno, target)
            case ast.AugAssign(target=target):
                yield from _assigned(target)
            case ast.Call(func=called, args=arguments, keywords=keywords):
                if isinstance(called, ast.Attribute):
                    yield Change(node.lineno, called.value, method=called.attr)
                shuffles = isinstance(called, ast.Attribute) and called.attr == "shuffle"
                if arguments and (shuffles or function.dotted(called) in _CHANGE_FIRST):
                    yield Change(node.lineno, arguments[0])
                for keyword in keywords:
                    if keyword.arg == "out":
                        yield Change(node.lineno, keyword.value)


def root(expression: ast.expr) -> ast.Name | None:
    """The name that a chain of items, attributes and calls begins with."""
    while isinstance(expression, ast.Subscript | ast.Attribute | ast.Call):
        expression = expression.func if isinstance(expression, ast.Call) else expression.value
    return expression if isinstance(expression, ast.Name) else None


def items_of(expression: ast.expr) -> ast.Name | None:
    """The name that a chain of items alone begins with: of `rows[0]["a"]`, that is `rows`."""
    while isinstance(expression, ast.Subscript):
        expression = expression.value
    return expression if isinstance(expression, ast.Name) else None


def _assigned(target: ast.expr) -> Iterator[Change]:
    waiting = [target]
    while waiting:
        match waiting.pop():
            case ast.Subscript(value=owner, lineno=line):
                yield Change(line, owner)
            case ast.Attribute(value=owner, attr=name, lineno=line):
                yield Change(line, owner, attribute=name)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                waiting += elements
            case ast.Starred(value=inner):
                waiting.append(inner)
