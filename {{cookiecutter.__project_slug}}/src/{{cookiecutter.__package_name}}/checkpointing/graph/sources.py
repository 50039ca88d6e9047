"""First-party modules, read once each, so that the hashed code is the code that runs.

Python reads a module's file when it imports it, or takes a `.pyc` that was made from a file of the
same size and mtime. If the file was read again for the key, that could be the key of other code,
because somebody may edit it in between. So a worker reads each of these files once, and compiles
and hashes the same bytes.
"""

from __future__ import annotations

import functools
import importlib
import marshal
import os
import sys
import sysconfig
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import xxhash

from ..base.location import FOLDER_NAME, PACKAGE_NAME, RUNTIME, RUNTIME_NAME
from ..codecs import forget_adapters
from .modules import file_of, is_own

_read: dict[Path, bytes] | None = None  # in a worker: the bytes of each file that it has read
_made: dict[str, CodeType | bytes] = {}  # what each file was compiled to that was imported here
_known: dict[str, tuple[str, bytes]] = {}
"""What another process has compiled, by file: the checksum of the bytes, and the code."""


@dataclass(frozen=True)
class Home:
    """The folder of first-party code, from which its imports start.

    Libraries lie beside an installed package, so in site-packages only `packages` count.
    """

    folder: Path
    packages: frozenset[str]

    def counts(self, package: str) -> bool:
        """Whether a top-level name in this folder is the project's, and not a library."""
        return package in self.packages or self.folder != Path(sysconfig.get_path("purelib"))


def home_of(module: str, file: Path) -> Home:
    """The home of a module, from its name and its file."""
    parts = module.split(".")
    depth = len(parts) if file.name == "__init__.py" else len(parts) - 1
    return Home(file.parents[depth], frozenset(parts[:depth][:1]))


OWN_HOME = home_of(RUNTIME_NAME, RUNTIME / "__init__.py")
"""The home of the package that holds this runtime."""


def read(path: Path) -> bytes:
    """The bytes of a source file; in a worker those that it read first, because these run."""
    if _read is None:
        return path.read_bytes()
    if path not in _read:
        _read[path] = path.read_bytes()
    return _read[path]


def content_of(source: bytes) -> str:
    """The checksum of a source as it is: what has the same one has the same digest."""
    return xxhash.xxh3_128_hexdigest(source)


@functools.cache
def compiled(path: Path) -> bytes | None:
    """What a file was compiled to when it was imported here, for other processes of this Python."""
    code = _made.get(str(path))
    return marshal.dumps(code) if isinstance(code, CodeType) else code


def have_compiled(known: Mapping[Path, tuple[str, bytes]]) -> None:
    """Import some files as another process has compiled them, if they still have the same bytes.

    Args:
        known: the checksum of the bytes that were compiled, and the code, by file. A file is not
            read before it is imported: the import of another module may write it.
    """
    _known.update({str(path): code for path, code in known.items()})


def read_once(homes: Iterable[Home]) -> None:
    """From now on, read each file of first-party code once, to import it and to hash it.

    The packages of `homes` are first-party, also where they are installed as distributions.
    """
    global _read
    _read = {}
    sys.meta_path.insert(0, _OwnCode(homes))
    for listing in sys.path_importer_cache.values():
        if isinstance(listing, FileFinder):
            listing.invalidate_caches()  # it may be as old as the fork server


def import_afresh(names: Collection[str] = ()) -> None:
    """Import the project's package anew, and remove what was imported of its homes before.

    The fork server has imported the project's package, because the runtime lies in it: as it was
    when the server started, which may be long ago. The runtime's own modules stay.

    Args:
        names: first-party modules of other places to remove as well.
    """
    finder = _finder()
    former = sys.modules[PACKAGE_NAME]
    forget_adapters()
    for name, module in list(sys.modules.items()):
        file = file_of(module)
        if (name in names or finder.is_at_home(name, file)) and finder.owns(name, file):
            del sys.modules[name]
    try:
        importlib.import_module(PACKAGE_NAME)
    except BaseException:
        sys.modules[PACKAGE_NAME] = former  # without it the runtime could not even report the error
        raise


def is_first_party(name: str, file: str | None) -> bool:
    """Whether a module of this name and file would be read once."""
    return _finder().owns(name, file)


def _finder() -> _OwnCode:
    return next(finder for finder in sys.meta_path if isinstance(finder, _OwnCode))


class _OwnCode(MetaPathFinder):
    """Finds modules where Python does, and makes `_ReadOnce` load first-party ones."""

    def __init__(self, homes: Iterable[Home]) -> None:
        self._homes = [(home, os.path.normpath(home.folder) + os.sep) for home in homes]
        self._packages = frozenset[str]().union(*(home.packages for home, _ in self._homes))

    def owns(self, name: str, file: str | None) -> bool:
        """Whether a key would contain this file for this module."""
        return is_own(name, file, self._packages)

    def is_at_home(self, name: str, file: str | None) -> bool:
        """Whether this file lies where the project's own imports start."""
        path = os.path.normpath(file or "")
        return any(
            path.startswith(folder) and home.counts(name.partition(".")[0])
            for home, folder in self._homes
        )

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec and type(spec.loader) is SourceFileLoader and self.owns(name, spec.origin):
            spec.loader = _ReadOnce(name, str(spec.origin))
        return spec


class _ReadOnce(SourceFileLoader):
    """Compiles a module from the same bytes as its digest; writes and uses no `.pyc`."""

    def get_data(self, path: str) -> bytes:
        return read(Path(path)) if path == self.path else super().get_data(path)

    def get_code(self, fullname: str) -> CodeType | None:
        path = str(self.path)
        content, known = _known.get(path, ("", b""))
        if known and content_of(read(Path(path))) == content:
            loaded: CodeType = marshal.loads(known)
            _made[path] = known
            return loaded
        code = super().get_code(fullname)
        if code is not None:
            _made[path] = code
        return code

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError("no .pyc: one of the same size and mtime may hold other code")

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == PACKAGE_NAME:  # as if it had imported the runtime, which stayed
            setattr(module, FOLDER_NAME, sys.modules[RUNTIME_NAME])
        super().exec_module(module)
