"""The first-party modules that some modules may import, followed from import to import."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import ConfigurationError
from ..base.files import checksum
from ..base.location import RUNTIME
from ..base.refusals import refusal_of, remedy_of
from ..graph.modules import Module, Modules, folder_of, is_own
from ..graph.sources import OWN_HOME, Home
from .definitions import Definitions, opaque
from .imports import with_parents
from .readings import Readings, handed_on, reading_of
from .syntax import Parsed, Source


@dataclass(frozen=True)
class FirstParty:
    """All first-party modules that some modules may import.

    Attributes:
        modules: by name.
        digests: of their sources.
        libraries: the names of the libraries that they may import.
        folders: those of their packages, none of which lies in another.
    """

    modules: dict[str, Module]
    digests: dict[str, str]
    libraries: set[str]
    folders: tuple[Path, ...]

    @property
    def files(self) -> dict[str, Path]:
        return {name: module.file for name, module in self.modules.items() if module.file}

    def definitions(self) -> dict[str, Definitions]:
        """What each module defines. Raises ConfigurationError if it cannot be read any more."""
        return {name: _defined(self.modules[name], file) for name, file in self.files.items()}


def first_party(home: Home, names: set[str]) -> FirstParty:
    """All first-party modules that the import of some modules may import.

    Args:
        home: where they are.

    Raises ConfigurationError if one cannot be read, or is not Python. A module that is only looked
    at because the name of an import is computed may be broken: then it cannot be imported either.
    """
    modules, digests, own = Modules(home.folder), dict[str, str](), dict[str, Module]()
    libraries = set[str]()
    folders = {Path(os.path.normpath(home.folder / package)) for package in home.packages}
    waiting, seen, broken = set(names), set[str](), dict[str, ConfigurationError]()
    named: dict[str, set[str]] = {}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        top = modules.find(name.partition(".")[0])
        if top is None or (top.file and not is_own(top.name, top.file, home.packages)):
            libraries.add(name.partition(".")[0])
            continue
        module = modules.find(name)
        if module is None or module.file is None or module.file.is_relative_to(RUNTIME):
            continue
        if not is_own(name, module.file, home.packages):  # a part of a namespace package
            libraries.add(top.name)
            continue
        try:
            code = _examined(module, module.file)
        except ConfigurationError as error:
            broken[name] = error
            continue
        digests[name], own[name] = code.digest, module
        if (folder := folder_of(name, module.file)) is not None:
            folders.add(folder)
        named[name] = {part for other in (name, *code.imports) for part in with_parents(other)}
        waiting |= named[name] - seen
        if code.is_open:
            waiting |= set(modules.inside(top)) - seen
    for name in sorted(broken.keys() & _reached(named, names)):
        raise broken[name]
    outermost = sorted(f for f in folders if f.is_dir() and folders.isdisjoint(f.parents))
    in_order = (dict(sorted(own.items())), dict(sorted(digests.items())))
    return FirstParty(*in_order, libraries, tuple(outermost))


def modules_behind(module: str) -> set[str]:
    """The first-party modules that the import of a module of this project may import."""
    return set(first_party(OWN_HOME, {module}).modules)


def read_ahead(modules: set[str]) -> Readings:
    """What the sources say that the import of some modules may import, for a worker to take over.

    Only for a command, in which no other thread warns meanwhile.
    """
    with handed_on() as readings:
        first_party(OWN_HOME, modules)
    return readings


def digest_of(name: str, file: Path, read: Callable[[Path], bytes] = Path.read_bytes) -> str:
    """The digest of a module's file; of Python's source without comments and docstrings.

    Args:
        read: returns the bytes of a source file.

    Raises OSError, and ConfigurationError for a source that is not Python.
    """
    if not is_source(file):
        return checksum(file)
    return Source(file, name, name, read(file)).parsed.digest


def is_source(file: Path) -> bool:
    """Whether a file of a module is one that Python compiles."""
    return file.suffix == ".py"


def _reached(named: Mapping[str, Collection[str]], names: Collection[str]) -> set[str]:
    """Some modules, and all that are named by the imports of one of them."""
    reached, waiting = set[str](), set(names)
    while waiting:
        reached |= waiting
        waiting = {other for name in waiting for other in named.get(name, ())} - reached
    return reached


def _defined(module: Module, file: Path) -> Definitions:
    if not is_source(file):
        return opaque(module.name, _examined(module, file).digest)
    return reading_of(module, file).definitions


def _examined(module: Module, file: Path) -> Parsed:
    """A module's digest and imports; a file that is no source may import anything."""
    try:
        if is_source(file):
            return reading_of(module, file).parsed
        return Parsed(checksum(file), frozenset(), is_open=True)
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {refusal_of(error)}. {remedy_of(error)}"
        ) from None
