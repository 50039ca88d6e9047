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
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash

from .errors import ConfigurationError
from .steps import Segment

FORMAT_VERSION = 1

_RUNTIME = Path(__file__).parent
_ALWAYS_USED = ("numpy", "pandas", "pyarrow")  # codecs rest on them, whatever the steps import


@dataclass(frozen=True)
class Code:
    """The code behind a segment: digests of modules and data files, versions of libraries."""

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


def code_of(segment: Segment) -> Code:
    """Digests of all first-party code that a segment's steps can reach by imports.

    The modules must have been imported, for the versions of their libraries are asked of them.

    Raises:
        ConfigurationError: a step's module has no source file.
    """
    source_root, packages = _source_root(segment)
    digests: dict[str, str] = {}
    libraries = set(_ALWAYS_USED)
    waiting = {step.module for step in segment.steps}
    waiting |= {f"{package}.adapters" for package in packages}
    while waiting:
        name = waiting.pop()
        path = _module_file(source_root, name)
        if path is None or name in digests or path.is_relative_to(_RUNTIME):
            continue
        tree = ast.parse(path.read_bytes(), filename=str(path))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for imported in _imports(tree, package):
            top = imported.partition(".")[0]
            if _module_file(source_root, top, folders=True) and _is_first_party(
                source_root, top, packages
            ):
                waiting |= set(_with_parents(imported))
            else:
                libraries.add(top)
        waiting |= set(_with_parents(name))
        digests[name] = _digest(tree)
    for step in segment.steps:
        assert step.module in digests, f"{step.place}: not found as {step.module}"
    for package in packages:
        digests |= _data_files(source_root / package)
    return Code(dict(sorted(digests.items())), _versions(libraries))


def explain(old: dict[str, Any], new: Ingredients) -> list[str]:
    """Why a checkpoint made from `old` ingredients does not serve for `new`, for people."""
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
    """The names that have another value, or none, on one of the sides."""
    names = before.keys() | after.keys()
    return sorted(name for name in names if before.get(name) != after.get(name))


def _source_root(segment: Segment) -> tuple[Path, set[str]]:
    """The folder that first-party imports start from, and the top-level packages in use."""
    packages: set[str] = set()
    root = Path()
    for step in segment.steps:
        file = Path(step.file)
        if not file.is_file() or step.module == "__main__":
            raise ConfigurationError(
                f"{step.place}: the step is in no module of the project. Move it to one, so that "
                f"its checkpoint can follow its code."
            )
        parts = step.module.split(".")
        depth = len(parts) if file.name == "__init__.py" else len(parts) - 1
        root = file.parents[depth]
        packages |= set(parts[:depth][:1])
    return root, packages


def _is_first_party(source_root: Path, top: str, packages: set[str]) -> bool:
    installed = source_root == Path(sysconfig.get_path("purelib"))
    return top in packages or not installed


def _module_file(source_root: Path, name: str, *, folders: bool = False) -> Path | None:
    place = source_root.joinpath(*name.split("."))
    candidates = [place.with_name(place.name + ".py"), place / "__init__.py"]
    found = next((path for path in candidates if path.is_file()), None)
    return place if found is None and folders and place.is_dir() else found


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
    found = {}
    for path in sorted(package.rglob("*")):
        hidden = any(p.startswith((".", "__pycache__")) for p in path.relative_to(package).parts)
        is_data = path.is_file() and path.suffix != ".py" and not hidden
        if is_data and not path.is_relative_to(_RUNTIME):
            name = path.relative_to(package.parent).as_posix()
            found[name] = xxhash.xxh3_128_hexdigest(path.read_bytes())
    return found


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _versions(libraries: Iterable[str]) -> dict[str, str]:
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for name in sorted(set(libraries) - sys.stdlib_module_names):
        version = _installed_version(name) or getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            versions[name] = ".".join(version.split(".")[:2])
    return versions


def _installed_version(name: str) -> str | None:
    """The version of the distribution that is named like a module, or else that brings it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        brought_by = _distributions().get(name, [])
        return importlib.metadata.version(brought_by[0]) if brought_by else None


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
