"""Where the values of a function's names come from: which of its parameters, or outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .functions import Function
from .source import assignments

UNKNOWN = "<unknown>"  # a parameter of a helper or of a nested function, which no rule judges
MEMORY = "<memory>"  # a buffer, not a file
PACKAGE = "<package>"  # a data file of the package, which counts as code

_BUFFERS = (
    *("io.StringIO", "io.BytesIO", "pyarrow.BufferReader", "pyarrow.BufferOutputStream"),
    *("pyarrow.py_buffer", "tempfile.SpooledTemporaryFile"),
)
_SCRATCH = "tempfile."  # reported where it is made; its uses need no finding of their own


class Origins:
    """The parameters that each name of a function may come from, on any path through the code.

    Names of a step's parameters come from themselves. A name that comes from nothing (the set is
    empty) has a constant value, one of the module, or the result of a call without arguments.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        own = {parameter.name for parameter in function.parameters}
        nested = {node.arg for node in function.inside if isinstance(node, ast.arg)} - own
        self._known: dict[str, set[str]] = {
            name: {UNKNOWN} if function.is_helper else {name} for name in own
        }
        self._known |= {name: {UNKNOWN} for name in nested}
        flows = [
            (name, self._sources(value))
            for node in function.inside
            for target, value in _flows(node)
            for name in _names(target)
        ]
        changed = True
        while changed:
            changed = False
            for name, (names, marks) in flows:
                sources = marks.union(*(self._known.get(source, ()) for source in names))
                if not sources <= self._known.setdefault(name, set()):
                    self._known[name] |= sources
                    changed = True

    def of(self, *expressions: ast.AST) -> set[str]:
        """The origins of these expressions: names of parameters, and marks of this module."""
        sources: set[str] = set()
        for expression in expressions:
            names, marks = self._sources(expression)
            sources |= marks.union(*(self._known.get(name, ()) for name in names))
        return sources

    def _sources(self, expression: ast.AST) -> tuple[set[str], set[str]]:
        names: set[str] = set()
        marks: set[str] = set()
        for node in ast.walk(expression):
            if isinstance(node, ast.Name):
                names.add(node.id)
                if node.id == "__file__":
                    marks.add(PACKAGE)
            elif isinstance(node, ast.Call):
                called = self._function.dotted(node.func) or ""
                if called in _BUFFERS:
                    marks.add(MEMORY)
                elif called.startswith(_SCRATCH):
                    marks.add(UNKNOWN)
                elif called.startswith(("importlib.resources.", "pkgutil.")):
                    marks.add(PACKAGE)
        return names, marks


def _flows(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Each target and source between which a statement or expression moves a value."""
    match node:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            yield from assignments(node)
        case ast.NamedExpr(target=target, value=value):
            yield target, value
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            yield target, value
        case ast.comprehension(target=target, iter=value):
            yield target, value
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            yield target, value
        case ast.Call(func=ast.Attribute(value=ast.Name() as owner), args=arguments):
            yield from ((owner, argument) for argument in arguments)  # files.append(path)


def _names(target: ast.AST) -> Iterator[str]:
    """The names that an assignment to `target` changes; of `a[i].b`, that is `a`."""
    waiting = [target]
    while waiting:
        match waiting.pop():
            case ast.Name(id=name):
                yield name
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                waiting += elements
            case ast.Starred(value=inner) | ast.Attribute(value=inner) | ast.Subscript(value=inner):
                waiting.append(inner)
