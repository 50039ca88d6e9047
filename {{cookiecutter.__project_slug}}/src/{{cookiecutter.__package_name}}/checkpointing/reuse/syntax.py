"""What the source of a module says: a digest of what can change a value, and what it imports."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

from ..base.errors import ConfigurationError

_IMPORTERS = frozenset({"import_module", "__import__"})
_LOADERS = frozenset({"spec_from_file_location", "run_path", "run_module", "walk_packages"})


@dataclass(frozen=True)
class Parsed:
    """A module's digest, and the names that it may import.

    `is_open` if it imports something whose name only its run tells.
    """

    digest: str
    imports: frozenset[str]
    is_open: bool


@functools.cache
def parsed(path: Path, name: str, package: str, source: bytes) -> Parsed:
    """Read a module's source; `package` is where its relative imports start.

    Raises ConfigurationError if it is not Python.
    """
    try:
        tree = ast.parse(source, filename=str(path))
    except (SyntaxError, ValueError) as error:  # ValueError: a null byte
        raise ConfigurationError(f"{path} is not valid Python: {error}") from None
    nodes = tuple(ast.walk(tree))
    imports = frozenset(_imports(nodes, package))
    calls = _Calls(nodes, name, package)
    return Parsed(_digest(tree), imports | calls.imports, calls.is_open)


def _imports(nodes: tuple[ast.AST, ...], package: str) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.module or "", node.level, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value and any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
                yield from (f"{package}.{n}" for n in _texts(node.value))  # `import *` loads these


class _Calls:
    """The calls of a module that import by name: literal names, and whether there are others."""

    def __init__(self, nodes: tuple[ast.AST, ...], name: str, package: str) -> None:
        self._anchors = {"__name__": name, "__package__": package}
        self._package = package
        self._importers = set(_IMPORTERS)
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and node.module == "importlib":
                renamed = (alias for alias in node.names if alias.name in _IMPORTERS)
                self._importers |= {alias.asname or alias.name for alias in renamed}
        plain: set[int] = set()
        names: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.Call) and _called(node.func) in self._importers:
                literal = self._literal(node)
                if literal is not None:
                    plain.add(id(node.func))
                    names |= literal
        self.imports = frozenset(names)
        self.is_open = any(
            _called(node) in self._importers | _LOADERS and id(node) not in plain for node in nodes
        )

    def _literal(self, call: ast.Call) -> set[str] | None:
        """The names that a call imports; None if only its run tells."""
        given = dict(enumerate(call.args)) | {k.arg: k.value for k in call.keywords}
        name = _text(given.get(0, given.get("name")))
        if name is None or None in given or any(isinstance(a, ast.Starred) for a in call.args):
            return None
        if _called(call.func) == "__import__":
            level = given.get(4, given.get("level", ast.Constant(0)))
            if not (isinstance(level, ast.Constant) and isinstance(level.value, int)):
                return None
            base = _absolute(name, level.value, self._package)
            listed = given.get(3, given.get("fromlist"))
            return {base, *(f"{base}.{inner}" for inner in _texts(listed))}
        bare = name.lstrip(".")
        level_of_dots = len(name) - len(bare)
        if not level_of_dots:
            return {name}
        anchor = given.get(1, given.get("package"))
        start = _text(anchor)
        if start is None and isinstance(anchor, ast.Name):
            start = self._anchors.get(anchor.id)
        return None if start is None else {_absolute(bare, level_of_dots, start)}


def _absolute(name: str, level: int, package: str) -> str:
    if not level:
        return name
    parts = package.split(".")
    above = parts[: len(parts) - level + 1]
    return ".".join([*above, name] if name else above)


def _called(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _text(node: ast.expr | None) -> str | None:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else None  # type: ignore[union-attr]  # checked above


def _texts(node: ast.expr | None) -> list[str]:
    inner = ast.walk(node) if node is not None else ()
    return [n.value for n in inner if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def _digest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and _text(first.value) is not None:
                node.body = node.body[1:]
    return xxhash.xxh3_128_hexdigest(ast.dump(tree, annotate_fields=False).encode())
