"""The projects at a path outside: where their steps are, whatever their layout; imports none.

A package is under review if one of its modules has a step or makes a `Pipeline`, or if a runtime
lies in it. `step` and `Pipeline` are known by their import from a package `checkpointing`, at
whatever place.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...base.errors import ConfigurationError
from ...base.location import PIPELINE_FILE
from ...base.reading import read_bytes
from ...base.seal import RUNTIME
from .source import MEMORY_BUDGET_FILE, MOST_SOURCE_BYTES, Module, is_aside, parsed

_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://|[\w.-]+@[\w.-]+:")
_TESTS = re.compile(r"test_.*\.py|.*_test\.py|conftest\.py")
_OURS = (PIPELINE_FILE, MEMORY_BUDGET_FILE)
_ANYBODYS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_NAMES = ("step", "Pipeline", "Segment")
_JUDGED = (
    "The review judges functions that are decorated with `@step`, where a module imports `step` "
    "from a package `checkpointing`; the segments and pipelines made of them; pipeline.toml, "
    "memory_budget.toml, CODEOWNERS, and a runtime in the folder `checkpointing`."
)


@dataclass(frozen=True)
class Place:
    """One package to review: the folder of its project, its own folder, and its runtime's."""

    root: Path
    package: Path
    runtime: Path | None


def places_in(text: str) -> list[Place]:
    """Every package to review at a path: a project, a folder above several, or a package.

    Raises ConfigurationError if there is none, with what would be judged.
    """
    path = Path(os.path.abspath(text))  # links stay: findings name files by this path
    if not path.exists() and _ADDRESS.match(text):
        raise ConfigurationError(
            f"{text} is an address. Clone it first, with `git clone`, and review the clone: "
            f"nothing is fetched here."
        )
    if not os.path.lexists(path):
        raise ConfigurationError(f"{text} does not exist. Name the folder of a project.")
    if not path.is_dir():
        raise ConfigurationError(
            f"{text} is not a folder. Name the folder of its project; a review takes all of it."
        )
    if not os.access(path, os.R_OK | os.X_OK):
        raise ConfigurationError(f"{text} cannot be read. Check who may read there.")
    used = {package for file in _files(path) if (package := _package(file, path))}
    places: dict[Path, list[Place]] = {}
    for package in sorted(used | {folder.parent for folder in _runtimes(path)}):
        place = Place(_root(package, path), package, _runtime(package))
        places.setdefault(place.root, []).append(place)
    if not places:
        raise ConfigurationError(f"{text} has no step, so there is nothing to review. {_JUDGED}")
    return [place for beside in places.values() for place in _with_runtime(beside, used)]


def _with_runtime(places: list[Place], used: set[Path]) -> list[Place]:
    """The packages of one project; a runtime in a package without steps belongs to the others."""
    bare = [place for place in places if place.package not in used]
    others = [place for place in places if place.package in used]
    if len(bare) != 1 or not others:
        return places
    return [replace(place, runtime=place.runtime or bare[0].runtime) for place in others]


def _folders(path: Path) -> Iterator[Path]:
    """The folders at and below a path that may contain code of a project."""
    sources = path / "src"
    inside = sorted(sources.iterdir()) if sources.is_dir() else []
    links = (folder for folder in inside if folder.is_symlink() and folder.is_dir())
    for start in (path, *links):
        for name, inner, _ in os.walk(start):
            folder = Path(name)
            inner[:] = sorted(n for n in inner if not is_aside(folder / n))
            yield folder


def _files(path: Path) -> Iterator[Path]:
    """The modules with a step or a pipeline, without those of runtimes and tests."""
    for folder in _folders(path):
        if any(_is_runtime(f) for f in (folder, *folder.parents)):
            continue
        for file in sorted(folder.glob("*.py")):
            if not _TESTS.fullmatch(file.name) and _uses_the_pattern(file):
                yield file


def _runtimes(path: Path) -> Iterator[Path]:
    return (f for f in _folders(path) if _is_runtime(f) and not _is_runtime(f.parent))


def _is_runtime(folder: Path) -> bool:
    parts = ("graph/steps.py", "steps.py", "base/seal.py")
    is_named = folder.name == RUNTIME and (folder / "__init__.py").is_file()
    return is_named and any((folder / part).is_file() for part in parts)


def _uses_the_pattern(file: Path) -> bool:
    try:
        source = read_bytes(file, MOST_SOURCE_BYTES)
        if RUNTIME.encode() not in source:
            return False
        tree = parsed(source, file)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
        return False
    # Its parts stand in for the folders around it, which relative imports may lead out of.
    module = Module(".".join(file.with_suffix("").parts[1:]), str(file), source, tree)
    used: list[ast.expr] = []
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            used += node.decorator_list
        elif isinstance(node, ast.Call):
            used.append(node.func)
    return any(_is_ours(module.dotted(expression)) for expression in used)


def _is_ours(dotted: str | None) -> bool:
    owner, _, name = (dotted or "").rpartition(".")
    return name in _NAMES and owner.rpartition(".")[2] == RUNTIME


def _package(file: Path, path: Path) -> Path:
    """The folder that counts as the package of a module."""
    top = _top(file.parent)
    for folder in (file.parent, *file.parent.parents):
        if (folder / RUNTIME / "__init__.py").is_file():
            return folder
        if folder == top:
            break
    package = file.parent
    if (package / "__init__.py").is_file():
        while (package.parent / "__init__.py").is_file():
            package = package.parent
        return package
    inside = file.parent.relative_to(path).parts
    first = 1 if inside[:1] == ("src",) else 0
    return path.joinpath(*inside[: first + 1])


def _top(folder: Path) -> Path:
    """The folder above which no file belongs to the same project."""
    above = (folder, *folder.parents)
    return _first_with((*_OURS, *_ANYBODYS), above) or above[-1]


def _root(package: Path, path: Path) -> Path:
    """The folder of the project that a package belongs to."""
    above = (package, *package.parents)
    repository = _first_with((".git",), above)
    within = above[: above.index(repository) + 1] if repository else above
    if root := _first_with(_OURS, within) or _first_with(_ANYBODYS, within):
        return root
    is_importable = (package / "__init__.py").is_file()
    if not is_importable and (package == path or _runtime(package)):
        return package
    return path if package != path and package.is_relative_to(path) else package.parent


def _first_with(names: Iterable[str], folders: Iterable[Path]) -> Path | None:
    return next((f for f in folders if any((f / name).exists() for name in names)), None)


def _runtime(package: Path) -> Path | None:
    folder = package / RUNTIME
    return folder if (folder / "__init__.py").is_file() else None
