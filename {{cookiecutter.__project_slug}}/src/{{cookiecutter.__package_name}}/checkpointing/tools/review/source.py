"""The modules of the project's package, parsed and never imported."""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import decode_source
from pathlib import Path
from typing import Any

from ...base.reading import read_bytes
from ...base.reading import read_toml as read_toml_file
from ...base.seal import RUNTIME
from .findings import Finding

MEMORY_BUDGET_FILE = "memory_budget.toml"

Definition = ast.FunctionDef | ast.AsyncFunctionDef

_MOST_SOURCE_BYTES = 1 << 24
_NOT_ON_IMPORT = ("__name__ == '__main__'", "TYPE_CHECKING", "typing.TYPE_CHECKING")
_BUILTINS = frozenset(vars(builtins))


@dataclass(frozen=True, eq=False)
class Module:
    """One file of Python. `name` is dotted and begins with the package's; `shown` is its path."""

    name: str
    shown: str
    source: bytes
    tree: ast.Module
    is_package: bool = False

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the file."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[tuple[ast.stmt, tuple[str, ...]], ...]:
        """Every import of the file, with the dotted names that it may load."""
        return tuple(
            (node, tuple(dotted for _, dotted in self._imported(node)))
            for node in self.nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
        )

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The dotted name that each imported name stands for: `pd` is `pandas`."""
        names: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for local, dotted in self._imported(node):
                    if local:
                        names.setdefault(local, dotted)
        return names

    @cached_property
    def top_level(self) -> tuple[ast.stmt, ...]:
        """The statements that run when the module is imported, out of `if`, `try` and `with`."""
        return tuple(_unfolded(self.tree.body))

    @cached_property
    def definitions(self) -> Mapping[str, Definition | ast.ClassDef]:
        """The functions and classes at the top of the module."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return {node.name: node for node in self.top_level if isinstance(node, kinds)}

    @cached_property
    def variables(self) -> Mapping[str, tuple[ast.expr, ...]]:
        """The module's variables, each with the expressions that are assigned to it."""
        variables: dict[str, tuple[ast.expr, ...]] = {}
        for node in self.top_level:
            for target, value in assignments(node):
                if isinstance(target, ast.Name):
                    variables[target.id] = (*variables.get(target.id, ()), value)
        return variables

    def dotted(self, expression: ast.AST, local: frozenset[str] = frozenset()) -> str | None:
        """The dotted name that an expression stands for: `pd.read_csv` is `pandas.read_csv`.

        None if it is no name, or begins with one of the names in `local`.
        """
        attributes: list[str] = []
        while isinstance(expression, ast.Attribute):
            attributes.append(expression.attr)
            expression = expression.value
        if not isinstance(expression, ast.Name) or expression.id in local:
            return None
        name = expression.id
        if name in self.names:
            owner = self.names[name]
        elif name in self.definitions or name in self.variables:
            owner = f"{self.name}.{name}"
        elif name in _BUILTINS:
            owner = name
        else:
            return None
        return ".".join([owner, *reversed(attributes)])

    def _imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield "", alias.name
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
            return
        base = node.module or ""
        if node.level:
            parts = self.name.split(".")
            above = parts[: len(parts) - node.level + self.is_package]
            base = ".".join([*above, base] if base else above)
        yield "", base
        for alias in node.names:
            yield alias.asname or alias.name, f"{base}.{alias.name}"


@dataclass(frozen=True, eq=False)
class Source:
    """The files of a project. `package` is the folder of the package, `root` the project's.

    `memory` and `wiring` are the project's two TOML files; `wiring` is None if it cannot be read.
    """

    root: Path
    package: Path
    modules: Mapping[str, Module]
    memory: Mapping[str, Any]
    wiring: Mapping[str, Any] | None
    unreadable: tuple[Finding, ...]

    @property
    def runtime(self) -> str:
        """The dotted name of the runtime."""
        return f"{self.package.name}.{RUNTIME}"

    @property
    def inputs(self) -> Mapping[str, Any] | None:
        """[inputs] of pipeline.toml; None if that cannot be read."""
        table = self.wiring.get("inputs", {}) if self.wiring is not None else None
        return table if isinstance(table, dict) else None

    def shown(self, path: Path) -> str:
        """A path as findings give it."""
        return shown_path(path, self.root)


def read_modules(root: Path, package: Path) -> tuple[dict[str, Module], list[Finding]]:
    """The modules of a package but for the runtime's, and what cannot be read or parsed."""
    modules: dict[str, Module] = {}
    unreadable: list[Finding] = []
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        if inside.parts[0] == RUNTIME or any(part.startswith(".") for part in inside.parts):
            continue
        parts = [package.name, *inside.with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        shown = shown_path(path, root)
        try:
            source = read_bytes(path, _MOST_SOURCE_BYTES)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a doubtful escape in the project's code, say
                tree = ast.parse(decode_source(source), filename=str(path))
        except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:
            unreadable.append(_unreadable(shown, error))
            continue
        modules[name] = Module(name, shown, source, tree, is_package)
    return modules, unreadable


def read_toml(path: Path) -> dict[str, Any] | Finding | None:
    """The content of a TOML file; None if there is no such file, a finding if it is unreadable."""
    try:
        return read_toml_file(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(path.name, error)


def shown_path(path: Path, root: Path) -> str:
    """A path as findings give it."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def assignments(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Each target of an assignment with its value, pairwise where both are tuples of one length."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if (
                    isinstance(target, ast.Tuple | ast.List)
                    and isinstance(value, ast.Tuple | ast.List)
                    and len(target.elts) == len(value.elts)
                ):
                    yield from zip(target.elts, value.elts, strict=True)
                elif isinstance(target, ast.Tuple | ast.List):
                    yield from ((element, value) for element in target.elts)
                else:
                    yield target, value
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value
        case ast.AugAssign(target=target, value=value):
            yield target, value


def _unfolded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    waiting = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        inner: list[ast.stmt] = []
        match node:
            case ast.If(test=test) if ast.unparse(test) in _NOT_ON_IMPORT:
                inner = node.orelse
            case ast.If(body=then, orelse=other) | ast.For(body=then, orelse=other):
                inner = [*then, *other]
            case ast.Try(body=then, handlers=handlers, orelse=other, finalbody=final):
                inner = [*then, *(line for h in handlers for line in h.body), *other, *final]
            case ast.With(body=then):
                inner = then
        waiting += reversed(inner)


def _unreadable(path: str, error: Exception) -> Finding:
    line = error.lineno if isinstance(error, SyntaxError) and error.lineno else 1
    problem = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
    return Finding(path, max(line, 1), "CKP001", f"the file cannot be read: {problem}")
