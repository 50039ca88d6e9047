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

MOST_SOURCE_BYTES = 1 << 24
_NOT_ON_IMPORT = ("__name__ == '__main__'", "TYPE_CHECKING", "typing.TYPE_CHECKING")
EXPORTS = ("Batches", "Columns", "Item", "Pipeline", "Segment", "step", "write_model")
"""What steps may import of the runtime."""

_ASIDE = {
    *("tests", "test", "docs", "build", "dist", "venv", "env", "node_modules", "site-packages"),
    *("__pycache__", "checkpoints", "runs"),
}
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
    `vendored` is the folder of the runtime; None if the project contains none.
    """

    root: Path
    package: Path
    vendored: Path | None
    modules: Mapping[str, Module]
    memory: Mapping[str, Any]
    wiring: Mapping[str, Any] | None
    unreadable: tuple[Finding, ...]

    @cached_property
    def runtimes(self) -> frozenset[str]:
        """The dotted names of the runtime: in the package, and wherever modules import it from."""
        exported = tuple(f".{RUNTIME}.{name}" for name in EXPORTS)
        named = {
            dotted.rpartition(".")[0]
            for module in self.modules.values()
            for _, loaded in module.imports
            for dotted in loaded
            if f".{dotted}".endswith(exported)
        }
        return frozenset({f"{_prefix(self.root, self.package)}{RUNTIME}", *named})

    def inside_runtime(self, dotted: str) -> str:
        """The rest of a dotted name after the runtime's; empty if it names nothing in there."""
        names = (name for name in self.runtimes if dotted.startswith(f"{name}."))
        return next((dotted.removeprefix(f"{name}.") for name in names), "")

    def within(self, module: Module) -> str:
        """The name of a module within the package."""
        return module.name.removeprefix(_prefix(self.root, self.package))

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
        if package == root and any(is_aside(package / p) for p in list(inside.parents)[:-1]):
            continue
        parts = [*filter(None, [_prefix(root, package)[:-1]]), *inside.with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts) or package.name
        shown = shown_path(path, root)
        try:
            source = read_bytes(path, MOST_SOURCE_BYTES)
            tree = parsed(source, path)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:
            unreadable.append(_unreadable(shown, error))
            continue
        modules[name] = Module(name, shown, source, tree, is_package)
    return modules, unreadable


def parsed(source: bytes, path: Path) -> ast.Module:
    """The syntax of a module. Raises SyntaxError, ValueError, RecursionError or MemoryError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a doubtful escape in the project's code, say
        return ast.parse(decode_source(source), filename=str(path))


def is_aside(folder: Path) -> bool:
    """Whether a folder of a repository contains no code of its project: tests, environments."""
    is_hidden = folder.name.startswith(".")
    return is_hidden or folder.name in _ASIDE or (folder / "pyvenv.cfg").exists()


def _prefix(root: Path, package: Path) -> str:
    """What the names of a package's modules begin with: nothing if it is the project's folder."""
    return "" if package == root else f"{package.name}."


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
