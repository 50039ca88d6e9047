"""Where Python finds a module, without importing it, and which modules are first-party code.

First-party is all code that may change under the same version: what is neither the standard library
nor an immutable installed distribution. So a package that is installed editable or from a folder,
a member of a workspace, a module on PYTHONPATH and a file that somebody put into site-packages are
first-party, wherever they lie.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import os
import re
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path
from typing import Any

from ..base.litter import in_inputs
from ..base.location import RUNTIME, RUNTIME_NAME

RUNTIME_LIBRARIES = frozenset({"altair", "duckdb", "filelock", "jinja2", "markupsafe", "numpy"})
RUNTIME_LIBRARIES |= {"obstore", "pandas", "polars", "psutil", "py4j", "pyarrow", "pydantic"}
RUNTIME_LIBRARIES |= {"pydantic_core", "pyspark", "rich", "scipy", "sklearn", "skops", "typer"}
RUNTIME_LIBRARIES |= {"typing_extensions", "xlsxwriter", "xxhash"}
"""What the runtime itself imports, and shares with the steps: it counts by its version, always."""

_AT_START = frozenset({"__main__", "__mp_main__", "_virtualenv", "sitecustomize", "usercustomize"})
"""Modules of the process itself: no step imports them."""

_SITE = ("site-packages", "dist-packages")
_STANDARD = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
_STANDARD |= {os.path.dirname(os.__file__)}
_STANDARD_FOLDERS = tuple(
    spelling + os.sep for path in _STANDARD for spelling in {path, os.path.realpath(path)}
)
_SUFFIXES = (".py", *EXTENSION_SUFFIXES, ".pyc")


@dataclass(frozen=True)
class Module:
    """A module: its file, None for a namespace package; of a package, the folders that it is in."""

    name: str
    file: Path | None
    folders: tuple[Path, ...] = ()

    @property
    def package(self) -> str:
        """The package that its relative imports start from."""
        return self.name if self.folders else self.name.rpartition(".")[0]


class Modules:
    """Modules by name: those that are imported as they are, all others where Python finds them.

    Args:
        home: a folder to look in for what Python does not find.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known: dict[str, Module | None] = {}

    def find(self, name: str) -> Module | None:
        """The module of a name; None if there is none, or it is built into Python."""
        if name not in self._known:
            self._known[name] = self._look(name)
        return self._known[name]

    def inside(self, package: Module) -> Iterator[str]:
        """The names of all modules in a package, at any depth, the runtime's left out."""
        ignore = in_inputs()
        for top in package.folders:
            for folder, inner, names in os.walk(top):
                inner[:] = [n for n in inner if n.isidentifier() and Path(folder, n) != RUNTIME]
                above = [package.name, *Path(folder).relative_to(top).parts]
                for name in names:
                    stem = _stem(name)
                    is_litter = name.endswith(".py") and ignore.names(name, is_folder=False)
                    if stem and stem != "__main__" and not is_litter:
                        yield ".".join(above if stem == "__init__" else [*above, stem])

    def _look(self, name: str) -> Module | None:
        if loaded := _loaded(name):
            return loaded
        parent = name.rpartition(".")[0]
        above = self.find(parent) if parent else None
        if parent and (above is None or not above.folders):
            return None
        folders = [str(folder) for folder in above.folders] if above else None
        if located := _located(name, folders):
            return located
        return _in_folder(name, self._home) if above is None else None


def is_own(name: str, file: str | Path | None, always: frozenset[str] = frozenset()) -> bool:
    """Whether a module of this name and file is first-party code, and not of the runtime.

    Args:
        always: top-level names that are, even if they were installed as a distribution.
    """
    top = name.partition(".")[0]
    if file is None or top in RUNTIME_LIBRARIES or f"{name}.".startswith(f"{RUNTIME_NAME}."):
        return False
    if top in _AT_START or top.startswith("__editable__"):
        return False
    file = os.path.normpath(file)
    if file.startswith(os.path.normpath(RUNTIME) + os.sep):
        return False
    if top in always:
        return True
    if file.startswith(_STANDARD_FOLDERS) and not any(f"{os.sep}{site}" in file for site in _SITE):
        return False
    base, unit = _origin(name, file)
    try:
        changed = os.stat(base).st_mtime_ns
    except OSError:  # no folder: nothing is installed in it
        return True
    return not _is_installed(base, unit, changed)


def file_of(module: object) -> str | None:
    """The file of an imported module, without asking a lazy one for it."""
    file = getattr(module, "__dict__", {}).get("__file__")
    return file if isinstance(file, str) else None


def folder_of(name: str, file: Path) -> Path | None:
    """The folder whose data files belong to a module; None for a module in no package."""
    base, unit = _origin(name, os.path.normpath(file))
    top = unit if os.path.basename(base) in _SITE else name.partition(".")[0]
    folder = Path(base, *top.split("/"))
    return folder if folder.is_dir() else None


def pinned(distribution: importlib.metadata.Distribution) -> str | None:
    """What stands for the code of an installed distribution besides its version.

    That is a commit or a hash if it came from a repository or an archive (PEP 610), and "" if it
    came from an index. None if it came from a folder, where it may be edited and installed again
    under the same version.
    """
    with contextlib.suppress(OSError):
        if (distribution.read_text("INSTALLER") or "").strip() == "conda":
            return ""  # its packages name the folder that they were built in, elsewhere
    text = distribution.read_text("direct_url.json")
    if text is None:
        return ""
    with contextlib.suppress(ValueError, AttributeError, TypeError):
        origin: dict[str, Any] = json.loads(text)
        archive = origin.get("archive_info", {})
        hashes = sorted(f"{k}={v}" for k, v in archive.get("hashes", {}).items())
        commit = origin.get("vcs_info", {}).get("commit_id")
        return commit or archive.get("hash") or ",".join(hashes) or None
    return None


def _loaded(name: str) -> Module | None:
    module = sys.modules.get(name)
    if module is None:
        return None
    known = getattr(module, "__dict__", {})
    folders = tuple(Path(folder) for folder in known.get("__path__", ()))
    return _module(name, file_of(module), folders, known.get("__loader__"))


def _located(name: str, folders: Sequence[str] | None) -> Module | None:
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        if find is None:
            continue
        try:
            spec: ModuleSpec | None = find(name, folders)
            inner = [Path(f) for f in (spec and spec.submodule_search_locations) or ()]
        except Exception:  # a namespace package whose parent is not imported, or any project's hook
            continue
        if spec is not None:
            file = spec.origin if spec.has_location else None
            return _module(name, file, tuple(inner), spec.loader)
    inner = [place for folder in folders or () if (place := Path(folder, _tail(name))).is_dir()]
    return Module(name, None, tuple(inner)) if inner else None


def _in_folder(name: str, folder: Path) -> Module | None:
    place = folder / name
    for file in (place / "__init__.py", *(folder / f"{name}{suffix}" for suffix in _SUFFIXES)):
        if file.is_file():
            return Module(name, file, (place,) if file.parent == place else ())
    return Module(name, None, (place,)) if place.is_dir() else None


def _module(
    name: str, file: str | None, folders: tuple[Path, ...], loader: object
) -> Module | None:
    if file is not None and not os.path.isfile(file):
        file = getattr(loader, "archive", None)  # of a module in a zip file
    return Module(name, Path(file) if file else None, folders) if file or folders else None


def _tail(name: str) -> str:
    return name.rpartition(".")[2]


def _stem(name: str) -> str | None:
    """The name of the module that a file holds; None for another file."""
    suffix = next((s for s in _SUFFIXES if name.endswith(s)), None)
    stem = name.removesuffix(suffix) if suffix else ""
    return stem if stem.isidentifier() else None


@functools.cache
def _origin(name: str, file: str) -> tuple[str, str]:
    """The folder that a module was installed into, and what was installed there as a whole.

    The latter is the outermost regular package, or else the file without its suffixes.
    """
    parts = Path(file).parts
    sites = [n for n, part in enumerate(parts[:-1], start=1) if part in _SITE]
    depth = name.count(".") + (2 if _stem(parts[-1]) == "__init__" else 1)
    start = sites[-1] if sites else max(1, len(parts) - depth)
    base, inside = os.path.join(*parts[:start]), parts[start:]
    for count in range(1, len(inside)):
        place = os.path.join(base, *inside[:count])
        if any(os.path.isfile(os.path.join(place, f"__init__{s}")) for s in _SUFFIXES):
            return base, "/".join(inside[:count])
    return base, "/".join((*inside[:-1], inside[-1].partition(".")[0]))


@functools.cache
def _is_installed(base: str, unit: str, changed: int) -> bool:
    """Whether an immutable distribution in the folder `base` has installed a package or module.

    `changed` is the folder's mtime. Only records that may name it are read, the likeliest first.
    """
    if base.endswith(".egg"):
        return True
    in_site = os.path.basename(base) in _SITE
    kinds = (".dist-info", ".egg-info") if in_site else (".dist-info",)
    first = re.sub(r"[-_.]+", "_", unit.partition("/")[0]).lower()
    infos = [name for name in os.listdir(base) if name.endswith(kinds)]
    infos.sort(key=lambda name: not name.lower().startswith(f"{first}-"))
    for name in infos:
        distribution = importlib.metadata.PathDistribution(Path(base, name))
        if _has(distribution, unit, name.lower().startswith(f"{first}-"), in_site):
            return pinned(distribution) is not None
    return False


def _has(
    distribution: importlib.metadata.Distribution, unit: str, is_likely: bool, in_site: bool
) -> bool:
    """Whether a distribution has installed a package or module."""
    record = distribution.read_text("RECORD")
    if record is not None:
        return re.search(rf"^\"?{re.escape(unit)}[/.]", record, re.MULTILINE) is not None
    tops = distribution.read_text("top_level.txt")
    if tops is not None:
        return in_site and unit.partition("/")[0] in tops.split()
    return in_site and is_likely
