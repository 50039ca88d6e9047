"""The key of a segment: everything its values depend on, found and hashed.

A key covers the code that the segment's steps can reach, from function to function, in their module
and in every first-party module that it imports, without comments, docstrings and formatting; the
data files of their packages; the params it uses; the contents of the inputs and of the values it
reads; and the minor versions of Python and of the libraries that these modules import. The runtime
counts by its FORMAT_VERSION alone.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xxhash

from ..base.errors import ConfigurationError
from ..base.texts import VALUE_CHARACTERS, cut
from ..graph.modules import pinned
from ..graph.sources import OWN_HOME, Home, compiled, content_of, home_of, read
from ..graph.steps import Segment
from .first_party import first_party, is_source
from .imports import Imports
from .reach import changes_of, reach_of

FORMAT_VERSION = 2

_NAMED = 5  # names that `status` lists of those that changed
_FORMER = "made by another version of the runtime"

_ALWAYS_USED = ("numpy", "pandas", "pyarrow")  # codecs use them, whatever the steps import


@dataclass(frozen=True)
class Code:
    """The code of a segment.

    Attributes:
        modules: digests of all modules that its steps' modules may import: a run must not use
            another version of any of them.
        libraries: the versions of libraries.
        steps: for each step the digests of what it can reach, by `package.module.name`, or by
            `package.module` where all of a module counts. That of each step is complete.
    """

    modules: dict[str, str]
    libraries: dict[str, str]
    steps: dict[str, dict[str, str]] = field(default_factory=dict)

    files: dict[str, Path] = field(default_factory=dict)
    """The file of each module."""

    contents: dict[str, str] = field(default_factory=dict)
    """The checksum of each module's file, comments and all: what has the same needs no parsing."""

    folders: tuple[Path, ...] = ()
    """The folders of its packages, whose data files count too."""

    changing: frozenset[str] = frozenset()
    """The steps that may change, in their process, what other code uses: a global, say."""

    compiled: dict[str, bytes] = field(default_factory=dict)
    """What each module was compiled to, where it was: so that no worker does it again."""

    @property
    def reached(self) -> dict[str, str]:
        """The digests of all that any of its steps can reach."""
        return {name: digest for each in self.steps.values() for name, digest in each.items()}


@dataclass(frozen=True)
class Ingredients:
    """What a segment's values depend on, by name, so that `status` can say what changed."""

    code: dict[str, str]
    libraries: dict[str, str]
    params: dict[str, str]
    inputs: dict[str, str]
    values: dict[str, str]
    steps: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    """The environment variables that its steps take; of a secret, just the variable's name."""

    columns: dict[str, str] = field(default_factory=dict)
    """Of a value of which only some columns are kept for later segments: which, as JSON."""

    format_version: int = FORMAT_VERSION

    def key(self) -> str:
        content = dict(vars(self))
        for kind in ("env", "columns"):  # a segment without any has the key that it always had
            if not content[kind]:
                del content[kind]
        text = json.dumps(content, sort_keys=True)
        return xxhash.xxh3_128_hexdigest(text.encode())


def codes_of(segments: Iterable[Segment]) -> dict[str, Code]:
    """The code of several segments, by name; each library's version is looked up once."""
    known: dict[str, str] = {}
    return {segment.name: code_of(segment, known) for segment in segments}


def code_of(segment: Segment, known: dict[str, str] | None = None) -> Code:
    """All first-party code that a segment may import, and what of it each step can reach.

    The modules must have been imported, because then it is known where they were imported from, and
    some versions of libraries are read from what they import.

    Args:
        known: the versions of libraries that were looked up; others are added.

    Raises:
        ConfigurationError: a step's module has no source file, or one is not Python.
    """
    home = home_of_segment(segment)
    modules = list(dict.fromkeys(step.module for step in segment.steps))
    adapters = [f"{package}.adapters" for package in sorted(home.packages)]
    imported = first_party(home, {*modules, *adapters})
    for step in segment.steps:
        if step.module not in imported.modules:
            raise ConfigurationError(f"{step.place}: not found as {step.module}")
    imports = Imports(imported.definitions())
    steps: dict[str, dict[str, str]] = {}
    changing: list[tuple[set[str], dict[str, str]]] = []
    names: set[str] = set()
    for step in segment.steps:
        reached = reach_of(imports, step.module, step.name, beside=modules, whole=adapters)
        digests = reached.digests()
        for changed, other in changing:  # what an earlier step of the process changes for this one
            if not changed.isdisjoint(digests):
                digests = {**other, **digests}
        steps[step.name] = dict(sorted(digests.items()))
        if len(segment.steps) > 1 and reached.changed():
            changed = changes_of(imports, step.module, step.name)
            changing.append((changed, steps[step.name]))
            names |= {step.name} if changed else set()
    return Code(
        imported.digests,
        _versions({*imported.libraries, *_ALWAYS_USED}, {} if known is None else known),
        steps,
        imported.files,
        _contents(imported.files),
        imported.folders,
        frozenset(names),
        {name: code for name, file in imported.files.items() if (code := compiled(file))},
    )


def _contents(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: content_of(read(file)) for name, file in files.items() if is_source(file)}


def adapters_code() -> dict[str, str]:
    """Digests of the project's adapters.py and of all first-party code that it reaches."""
    names = {f"{package}.adapters" for package in OWN_HOME.packages}
    return first_party(OWN_HOME, names).digests


def explain(old: dict[str, Any], new: Ingredients) -> list[str]:
    """Why a checkpoint made from `old` ingredients cannot be reused for `new`, for people."""
    if old and old.get("format_version") != new.format_version:
        return [_FORMER]
    reasons = []
    if edited := _edited(old.get("code", {}), new.code):
        reasons.append(f"code of {edited} changed")
    for kind, noun in (("inputs", "input"), ("values", "value")):
        names = differing(old.get(kind, {}), getattr(new, kind))
        if names:
            reasons.append(f"{noun} {', '.join(names)} changed")
    for kind, noun in (("params", "param "), ("env", "env "), ("libraries", "")):
        before, after = old.get(kind, {}), getattr(new, kind)
        reasons += [
            f"{noun}{name} changed from {_short(before.get(name))} to {_short(after.get(name))}"
            for name in differing(before, after)
        ]
    reasons += _other_columns(old.get("columns", {}), new.columns)
    if list(old.get("steps", ())) != list(new.steps):
        reasons.append("the segment's list of steps changed")
    return reasons


def _other_columns(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for value in differing(before, after):
        if value not in after:
            yield f"all columns of `{value}` are read now"
        elif value not in before:
            yield f"just some columns of `{value}` are read now"
        else:
            former, now = json.loads(before[value]), json.loads(after[value])
            more = [column for column in now if column not in former]
            names = ", ".join(f"`{column}`" for column in more or sorted({*former} - {*now}))
            yield f"of `{value}`, {names} is read {'now' if more else 'no more'}"


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names whose values differ, or that only one of both has."""
    names = before.keys() | after.keys()
    return sorted(name for name in names if before.get(name) != after.get(name))


def _edited(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The code and data files that changed; what only came into reach by that is left out."""
    names = differing(before, after)
    own = [name for name in names if "/" in name or (name in before and name in after)]
    names = own or names
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


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


def _short(text: str | None) -> str:
    return "none" if text is None else cut(text, VALUE_CHARACTERS)


def _versions(libraries: Iterable[str], known: dict[str, str]) -> dict[str, str]:
    """The versions of libraries that have one; "" in `known` is none."""
    for name in set(libraries) - sys.stdlib_module_names - known.keys():
        known[name] = _version(name)
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    named = {name: known[name] for name in sorted(set(libraries) - sys.stdlib_module_names)}
    return versions | {name: version for name, version in named.items() if version}


def _version(name: str) -> str:
    """The version of a library. Raises ConfigurationError for another than the one at work."""
    loaded = getattr(sys.modules.get(name), "__version__", None)
    version = _installed_version(name) or loaded
    if name in _ALWAYS_USED and loaded and _minor(loaded) != _minor(version or loaded):
        raise ConfigurationError(
            f"{name} {version} was installed while {name} {loaded} is at work. Start the "
            f"session again, so that it works with what is installed."
        )
    return _minor(version) + _pin(name) if isinstance(version, str) else ""


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _installed_version(name: str) -> str | None:
    """The version of the distribution that has a module's name, or else that contains it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        brought_by = _distributions().get(name, [])
        return importlib.metadata.version(brought_by[0]) if brought_by else None


def _pin(name: str) -> str:
    """What a library adds to its version, if it was installed from a repository or an archive."""
    try:
        pin = pinned(importlib.metadata.distribution(name))
    except importlib.metadata.PackageNotFoundError:
        brought_by = _distributions().get(name, [])
        pin = pinned(importlib.metadata.distribution(brought_by[0])) if brought_by else ""
    return f" {pin}" if pin else ""


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
