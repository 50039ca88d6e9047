"""What the source of a module says: a digest of what can change a value, and what it imports."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

from ..base.errors import ConfigurationError
from .nodes import walk

IMPORTERS = frozenset({"import_module", "__import__"})
_RESOURCES = {"files": 1, "get_data": 1, "open_text": 2, "open_binary": 2}
_RESOURCES |= {"read_text": 2, "read_binary": 2, "path": 2}
"""What finds data in a package by the name of that, and with how many arguments at least."""

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_LOADERS = frozenset({"spec_from_file_location", "run_path", "run_module", "walk_packages"})


@dataclass(frozen=True)
class Parsed:
    """A module's digest, and the names that it may import.

    `is_open` if it imports something whose name only its run tells.
    """

    digest: str
    imports: frozenset[str]
    is_open: bool

    importers: frozenset[str] = IMPORTERS
    """The names by which it calls what imports by name."""


class Source:
    """The source of a module, parsed once.

    Args:
        file: where it was read.
        name: of the module; `package` is where its relative imports start.
        content: the bytes of the file.
    """

    def __init__(self, file: Path, name: str, package: str, content: bytes) -> None:
        self.file = file
        self.name = name
        self.package = package
        self.content = content
        self._docs: list[str] = []

    @functools.cached_property
    def tree(self) -> ast.Module:
        """Its syntax without what cannot change a value: docstrings, the size of batches.

        Raises ConfigurationError if it is not Python.
        """
        try:
            tree = ast.parse(self.content, filename=str(self.file))
        except (SyntaxError, ValueError) as error:  # ValueError: a null byte
            raise ConfigurationError(f"{self.file} is not valid Python: {error}") from None
        for node in walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0] if node.body else None
                if isinstance(first, ast.Expr) and (text := _text(first.value)) is not None:
                    node.body = node.body[1:]
                    self._docs.append(f"{getattr(node, 'name', '')} {text}")
        if b"Batches" in self.content:
            _forget_batches(tree)
        return tree

    @functools.cached_property
    def docs(self) -> str:
        """A digest of its docstrings. Raises as `tree`."""
        assert self.tree, "which takes them out"
        return digest_of_dump("\0".join(self._docs))

    @functools.cached_property
    def dumps(self) -> tuple[str, ...]:
        """What can change a value in each statement. Raises as `tree`."""
        return tuple(_dump(statement) for statement in self.tree.body)

    @functools.cached_property
    def parsed(self) -> Parsed:
        """Its digest and imports. Raises as `tree`."""
        nodes = walk(self.tree)
        imports = frozenset(_imports(nodes, self.package))
        importers = frozenset(_importers(nodes))
        calls = Calls(nodes, self.name, self.package, importers)
        whole = f"Module([{', '.join(self.dumps)}], [])"  # as `ast.dump` puts it
        return Parsed(digest_of_dump(whole), imports | calls.imports, calls.is_open, importers)


def _forget_batches(tree: ast.Module) -> None:
    """Take the number of rows out of each `Batches(...)` that annotates a parameter."""
    nodes = walk(tree)
    imported = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and f".{node.module}".endswith(".checkpointing")
        for alias in node.names
        if alias.name == "Batches"
    }
    annotations = [n.annotation for n in nodes if isinstance(n, ast.arg) and n.annotation]
    for call in (n for a in annotations for n in walk(a) if isinstance(n, ast.Call)):
        if imported and isinstance(call.func, ast.Name) and call.func.id in imported:
            call.args, call.keywords = [], []


def digest_of_tree(tree: ast.AST) -> str:
    """A hash of what can change a value in some source: not of its places and its layout."""
    return digest_of_dump(_dump(tree))


def digest_of_dump(dump: str) -> str:
    """The same, of a tree as text."""
    return xxhash.xxh3_128_hexdigest(dump.encode())


def _dump(tree: ast.AST) -> str:
    return ast.dump(tree, annotate_fields=False)


def _importers(nodes: Iterable[ast.AST]) -> Iterator[str]:
    yield from IMPORTERS
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "importlib":
            renamed = (alias for alias in node.names if alias.name in IMPORTERS)
            yield from (alias.asname or alias.name for alias in renamed)


def _imports(nodes: Iterable[ast.AST], package: str) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node.module or "", node.level, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value and any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
                yield from (f"{package}.{n}" for n in _texts(node.value))  # `import *` loads these


class Calls:
    """The calls that import by name in some source: literal names, and whether there are others.

    Args:
        nodes: all of the source.
        name: of its module, whose relative imports start from `package`.
        importers: the names by which the module calls what imports by name.
    """

    def __init__(
        self, nodes: Iterable[ast.AST], name: str, package: str, importers: frozenset[str]
    ) -> None:
        self._anchors = {"__name__": name, "__package__": package}
        self._package = package
        literal, begun, calls = dict[int, set[str]](), dict[int, str](), set[int]()
        packages = set[str]()
        means = importers | _LOADERS
        for node in nodes:
            if called(node) in means:
                calls.add(id(node))
            elif isinstance(node, ast.Call) and called(node.func) in importers:
                if (names := self._literal(node)) is not None:
                    literal[id(node.func)] = names
                elif (beginning := self._beginning(node)) is not None:
                    begun[id(node.func)] = beginning
            elif isinstance(node, ast.Call) and (found := _package_of_data(node)):
                packages.add(found)
        self.imports = frozenset(name for names in literal.values() for name in names) | packages
        self.is_open = not calls <= literal.keys()
        self.beginnings = frozenset(begun.values())
        """What the computed names start with, where their source shows it: `f"package.{name}"`."""

        self.is_unknown = not calls <= literal.keys() | begun.keys()
        """Whether there is a call of which not even that is known."""

        self.known = frozenset(literal) | frozenset(begun)
        """The id of each node that is called with names of which at least that is known."""

    def _beginning(self, call: ast.Call) -> str | None:
        """What the name starts with that a call imports, a dot at least behind its first part."""
        given = dict(enumerate(call.args)) | {k.arg: k.value for k in call.keywords}
        text = _start(given.get(0, given.get("name")))
        if called(call.func) == "__import__" or None in given:
            return None
        bare = text.lstrip(".")
        level = len(text) - len(bare)
        if level:
            start = self._anchor(given.get(1, given.get("package")))
            return absolute(bare, level, start) if bare and start is not None else None
        return text if "." in text else None

    def _anchor(self, node: ast.expr | None) -> str | None:
        start = _text(node)
        return self._anchors.get(node.id) if isinstance(node, ast.Name) else start

    def _literal(self, call: ast.Call) -> set[str] | None:
        """The names that a call imports; None if only its run tells."""
        given = dict(enumerate(call.args)) | {k.arg: k.value for k in call.keywords}
        name = _text(given.get(0, given.get("name")))
        if name is None or None in given or any(isinstance(a, ast.Starred) for a in call.args):
            return None
        if called(call.func) == "__import__":
            level = given.get(4, given.get("level", ast.Constant(0)))
            if not (isinstance(level, ast.Constant) and isinstance(level.value, int)):
                return None
            base = absolute(name, level.value, self._package)
            listed = given.get(3, given.get("fromlist"))
            return {base, *(f"{base}.{inner}" for inner in _texts(listed))}
        bare = name.lstrip(".")
        level_of_dots = len(name) - len(bare)
        if not level_of_dots:
            return {name}
        start = self._anchor(given.get(1, given.get("package")))
        return None if start is None else {absolute(bare, level_of_dots, start)}


def absolute(name: str, level: int, package: str) -> str:
    """The full name of a module that is imported with `level` dots in front."""
    if not level:
        return name
    parts = package.split(".")
    above = parts[: len(parts) - level + 1]
    return ".".join([*above, name] if name else above)


def called(node: ast.AST) -> str | None:
    """The last name of what is called: `f` of `a.b.f`; None for what has no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _package_of_data(call: ast.Call) -> str | None:
    """The package in which a call finds data, if its name stands there."""
    least = _RESOURCES.get(called(call.func) or "", 0)
    text = _text(call.args[0]) if least and len(call.args) >= least else None
    return text if text is not None and _DOTTED.fullmatch(text) else None


def _start(node: ast.expr | None) -> str:
    """The text that the value of an expression starts with, as far as its source shows it."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return _start(node.values[0])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _start(node.left)
    return _text(node) or ""


def _text(node: ast.expr | None) -> str | None:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else None  # type: ignore[union-attr]  # checked above


def _texts(node: ast.expr | None) -> list[str]:
    inner = walk(node) if node is not None else ()
    return [n.value for n in inner if isinstance(n, ast.Constant) and isinstance(n.value, str)]
