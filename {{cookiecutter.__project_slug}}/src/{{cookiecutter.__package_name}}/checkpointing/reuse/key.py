"""The key of a segment: everything its values depend on, found and hashed.

A key covers the code of the segment's module and of every first-party module that it imports,
transitively, without comments, docstrings and formatting; the package's data files; the params it
uses; the contents of the inputs and of the values it reads; and the minor versions of Python and
of the libraries that the code imports. The runtime counts by its FORMAT_VERSION alone.
"""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash

from ..base.errors import ConfigurationError
from ..base.location import RUNTIME
from ..graph.sources import OWN_HOME, Home, home_of, read
from ..graph.steps import Segment

FORMAT_VERSION = 1

_ALWAYS_USED = ("numpy", "pandas", "pyarrow")  # codecs use them, whatever the steps import


@dataclass(frozen=True)
class Code:
    """The code of a segment: digests of modules and data files, versions of libraries."""

    modules: dict[str, str]
    libraries: dict[str, str]


@dataclass(frozen=True)
class Ingredients:
    """What a segment's values depend on, by name, so that `status` can say what changed."""

    code: dict[str, str]
    libraries: dict[str, str]
    params: dict[str, str]
    inputs: dict[str, str]
    values: dict[str, str]
    steps: tuple[str, ...]
    format_version: int = FORMAT_VERSION

    def key(self) -> str:
        text = json.dumps(asdict(self), sort_keys=True)
        return xxhash.xxh3_128_hexdigest(text.encode())


def code_of(segment: Segment, read: Callable[[Path], bytes] = read) -> Code:
    """Digests of all first-party code that a segment's steps can reach by imports.

    The modules must have been imported, because some versions of libraries are read from what they
    import.

    Args:
        read: returns the bytes of a module's file; those that it was imported from, if it was.

    Raises:
        ConfigurationError: a step's module has no source file, or one is not Python.
    """
    home = home_of_segment(segment)
    modules = {step.module for step in segment.steps}
    modules |= {f"{package}.adapters" for package in home.packages}
    digests, libraries = _reached(home, modules, read)
    for step in segment.steps:
        if step.module not in digests:
            raise ConfigurationError(f"{step.place}: not found as {step.module}")
    for package in home.packages:
        digests |= _data_files(home.folder / package)
    return Code(dict(sorted(digests.items())), _versions(libraries | {*_ALWAYS_USED}))


def adapters_code() -> dict[str, str]:
    """Digests of the project's adapters.py and of all first-party code that it reaches."""
    names = {f"{package}.adapters" for package in OWN_HOME.packages}
    return _reached(OWN_HOME, names, read)[0]


def explain(old: dict[str, Any], new: Ingredients) -> list[str]:
    """Why a checkpoint made from `old` ingredients cannot be reused for `new`, for people."""
    reasons = []
    for kind, noun in (("code", "code of"), ("inputs", "input"), ("values", "value")):
        names = differing(old.get(kind, {}), getattr(new, kind))
        if names:
            reasons.append(f"{noun} {', '.join(names)} changed")
    for kind, noun in (("params", "param "), ("libraries", "")):
        before, after = old.get(kind, {}), getattr(new, kind)
        reasons += [
            f"{noun}{name} changed from {before.get(name, 'none')} to {after.get(name, 'none')}"
            for name in differing(before, after)
        ]
    if list(old.get("steps", ())) != list(new.steps):
        reasons.append("the segment's list of steps changed")
    if old.get("format_version") != new.format_version:
        reasons.append("the checkpoint format changed")
    return reasons


def differing(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The names whose values differ, or that only one of both has."""
    names = before.keys() | after.keys()
    return sorted(name for name in names if before.get(name) != after.get(name))


def home_of_segment(segment: Segment) -> Home:
    """The home of the code of a segment's steps.

    Raises ConfigurationError for a step in no module.
    """
    packages: frozenset[str] = frozenset()
    folder = Path()
    for step in segment.steps:
        file = Path(step.file)
        if not file.is_file() or step.module == "__main__":
            raise ConfigurationError(
                f"{step.place}: the step is in no module of the project. Move it to one, so that "
                f"its checkpoint can follow its code."
            )
        home = home_of(step.module, file)
        folder, packages = home.folder, packages | home.packages
    return Home(folder, packages)


def _reached(
    home: Home, modules: set[str], read: Callable[[Path], bytes]
) -> tuple[dict[str, str], set[str]]:
    """Digests of modules and of all that they import, and the names of libraries."""
    digests: dict[str, str] = {}
    libraries: set[str] = set()
    waiting = set(modules)
    while waiting:
        name = waiting.pop()
        path = home.file_of(name)
        if path is None or name in digests or path.is_relative_to(RUNTIME):
            continue
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        digests[name], imports = _parsed(path, package, _bytes_of(path, read))
        for imported in imports:
            top = imported.partition(".")[0]
            if home.has(top):
                waiting |= set(_with_parents(imported))
            else:
                libraries.add(top)
        waiting |= set(_with_parents(name))
    return digests, libraries


def _bytes_of(path: Path, read: Callable[[Path], bytes]) -> bytes:
    try:
        return read(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


@functools.cache
def _parsed(path: Path, package: str, source: bytes) -> tuple[str, frozenset[str]]:
    """The digest of a module's source, and the names that it imports."""
    try:
        tree = ast.parse(source, filename=str(path))
    except (SyntaxError, ValueError) as error:  # ValueError: a null byte
        raise ConfigurationError(f"{path} is not valid Python: {error}") from None
    imports = frozenset(_imports(tree, package))
    return _digest(tree), imports


def _with_parents(name: str) -> Iterator[str]:
    """The name and its packages: importing a.b.c runs a and a.b as well."""
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                above = parts[: len(parts) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _digest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and _is_text(first.value):
                node.body = node.body[1:]
    return xxhash.xxh3_128_hexdigest(ast.dump(tree, annotate_fields=False).encode())


def _data_files(package: Path) -> dict[str, str]:
    digests = {}
    for folder, inner, names in os.walk(package):
        inner[:] = [n for n in inner if not _is_hidden(n) and Path(folder, n) != RUNTIME]
        for path in (Path(folder, n) for n in names if not _is_hidden(n)):
            if path.suffix != ".py" and path.is_file():
                name = path.relative_to(package.parent).as_posix()
                digests[name] = xxhash.xxh3_128_hexdigest(path.read_bytes())
    return digests


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__pycache__"))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _versions(libraries: Iterable[str]) -> dict[str, str]:
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for name in sorted(set(libraries) - sys.stdlib_module_names):
        loaded = getattr(sys.modules.get(name), "__version__", None)
        version = _installed_version(name) or loaded
        if isinstance(version, str):
            versions[name] = _minor(version)
        if name in _ALWAYS_USED and loaded and _minor(loaded) != versions[name]:
            raise ConfigurationError(
                f"{name} {version} was installed while {name} {loaded} is at work. Start the "
                f"session again, so that it works with what is installed."
            )
    return versions


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _installed_version(name: str) -> str | None:
    """The version of the distribution that has a module's name, or else that contains it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        brought_by = _distributions().get(name, [])
        return importlib.metadata.version(brought_by[0]) if brought_by else None


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
