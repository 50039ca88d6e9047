"""Files and folders as a step can read them: all that lies below a path, links followed."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import xxhash

from ..base.files import Stamp, stamp_of
from ..base.litter import Ignore
from ..base.reading import open_file
from .hashes import HashCache


class Entry(NamedTuple):
    """What lies at a path.

    A "file" is hashed. A "folder", a "loop" (a link to a folder that it lies in), a "broken" link,
    a "closed" folder, which nobody may list, and a "special" file (a pipe, a socket, a device),
    which is never opened, count by their names.
    """

    kind: str

    leads_to: str = ""
    """Where the path leads, if it is a link."""

    stamp: Stamp | None = None
    """Of a file."""


@dataclass(frozen=True)
class Scope:
    """A path as somebody wrote it, and what of the files behind it counts.

    Attributes:
        text: the path or glob, from `root`.
        root: the folder of the project.
        left_out: real paths that never count.
        files_only: folders do not count by themselves.
    """

    text: str
    root: Path
    ignore: Ignore
    left_out: frozenset[str] = frozenset()
    files_only: bool = False

    @property
    def place(self) -> Path:
        return self.root / self.text

    @property
    def base(self) -> Path:
        """The folder that the names of entries start from."""
        places = (self.place, *self.place.parents)
        return next(folder for folder in places if folder.is_dir())

    def look(self, stamp: Callable[[Path], Stamp] | None = None) -> dict[str, Entry]:
        """All that counts, by its path from `base`, sorted.

        Args:
            stamp: returns the stamp of a file; by default that of the opened file.

        Raises OSError.
        """
        walk = _Walk(self, stamp or _opened_stamp)
        return dict(sorted(walk.entries(), key=lambda item: item[0]))

    def named(self, real: str) -> str:
        """A real path as a digest contains it: the same after the whole project was moved."""
        root = os.path.realpath(self.root)
        is_inside = real == root or real.startswith(root.rstrip(os.sep) + os.sep)
        if os.path.isabs(self.text) and not is_inside:
            return real
        return _posix(os.path.relpath(real, root))

    @property
    def name(self) -> str:
        """The path itself as a digest contains it."""
        text = os.path.normpath(self.text)
        root = os.path.normpath(self.root)
        is_inside = text == root or text.startswith(root.rstrip(os.sep) + os.sep)
        return _posix(os.path.relpath(text, root) if is_inside else text)


@dataclass(frozen=True)
class Tree:
    """All that lay in a scope when it was hashed; `checksums` are those of its files."""

    scope: Scope
    entries: Mapping[str, Entry]
    checksums: Mapping[str, str]

    @property
    def files(self) -> tuple[Path, ...]:
        """The regular files, linked ones too, sorted as paths."""
        base = self.scope.base
        return tuple(sorted(base / name for name in self.checksums))

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(entry.stamp[0] for entry in self.entries.values() if entry.stamp)

    @property
    def digest(self) -> str:
        """A hash of the path, of all names, kinds and links below it, and of all bytes."""
        scope = self.scope
        parts = [scope.name, scope.named(os.path.realpath(scope.base))]
        for name, entry in self.entries.items():
            parts += [name, entry.kind, entry.leads_to, self.checksums.get(name, "")]
        text = "\0".join(parts).encode("utf-8", "surrogateescape")
        return xxhash.xxh3_128_hexdigest(text)

    def changed(self) -> list[str]:
        """The paths of all that was added, removed or written since, even if that was undone."""
        try:
            now = self.scope.look()
        except OSError:  # it is gone
            return [str(self.scope.place)]
        base, names = self.scope.base, now.keys() | self.entries.keys()
        return sorted(str(base / n) for n in names if now.get(n) != self.entries.get(n))


def read_tree(scope: Scope, cache: HashCache) -> Tree:
    """Look at all that counts in a scope, and hash its files. Raises as `HashCache.look`."""
    checksums: dict[Path, str] = {}

    def stamp(path: Path) -> Stamp:
        seen, checksums[path] = cache.look(path)
        return seen

    entries, base = scope.look(stamp), scope.base
    files = (name for name, entry in entries.items() if entry.kind == "file")
    return Tree(scope, entries, {name: checksums[base / name] for name in files})


def changed_in(trees: Iterable[Tree]) -> list[str]:
    """The paths of all that changed in some trees since they were hashed."""
    return [path for tree in trees for path in tree.changed()]


class _Walk:
    """One look at a scope."""

    def __init__(self, scope: Scope, stamp: Callable[[Path], Stamp]) -> None:
        self._scope = scope
        self._stamp = stamp

    def entries(self) -> Iterator[tuple[str, Entry]]:
        place = self._scope.place
        if place.is_dir():
            return self._below(place, "", (os.path.realpath(place),))
        if place.exists():
            return iter([(place.name, self._entry(place, is_link=place.is_symlink()))])
        return self._matches()

    def _below(
        self,
        folder: Path,
        name: str,
        above: tuple[str, ...],
        is_wanted: Callable[[str], bool] = lambda name: True,
    ) -> Iterator[tuple[str, Entry]]:
        """The entries of a folder; `above` are the real paths of itself and of all around it."""
        scope = self._scope
        try:
            with os.scandir(folder) as listing:
                inside = list(listing)
        except PermissionError:
            if not name:  # the input itself
                raise
            yield name, Entry("closed")
            return
        for item in inside:
            inner, path, is_link = name + item.name, folder / item.name, item.is_symlink()
            real = os.path.realpath(path) if is_link else os.path.join(above[-1], item.name)
            is_folder = path.is_dir()
            if real in scope.left_out or scope.ignore.names(inner, is_folder=is_folder):
                continue
            if not is_folder:
                if is_wanted(inner):
                    yield inner, self._entry(path, is_link=is_link)
                continue
            is_loop = real in above
            if is_loop or not scope.files_only:
                kind = "loop" if is_loop else "folder"
                yield inner + "/", Entry(kind, scope.named(real) if is_link else "")
            if not is_loop:
                yield from self._below(path, f"{inner}/", (*above, real), is_wanted)

    def _matches(self) -> Iterator[tuple[str, Entry]]:
        """The files that match a glob."""
        scope, base = self._scope, self._scope.base
        real_base, pattern = os.path.realpath(base), scope.place.relative_to(base).parts
        if "**" in pattern:  # `glob` would follow links in circles
            entries = self._below(base, "", (real_base,), lambda n: _fits(n.split("/"), pattern))
        else:
            matches = (scope.root / match for match in glob.glob(scope.text, root_dir=scope.root))
            names = {path.relative_to(base).as_posix(): path for path in matches if path.is_file()}
            entries = (
                (name, self._entry(path, is_link=False))
                for name, path in names.items()
                if not scope.ignore.covers(name) and os.path.realpath(path) not in scope.left_out
            )
        for name, entry in entries:
            if entry.kind == "file":
                real = os.path.realpath(base / name)  # a folder in the path may be a link
                is_direct = real == os.path.join(real_base, *name.split("/"))
                yield name, entry._replace(leads_to="" if is_direct else scope.named(real))

    def _entry(self, path: Path, *, is_link: bool) -> Entry:
        """What lies at a path that is no folder."""
        try:
            mode = path.stat().st_mode
        except OSError:
            if not path.is_symlink():
                raise
            return Entry("broken", os.readlink(path))
        leads_to = self._scope.named(os.path.realpath(path)) if is_link else ""
        if not stat.S_ISREG(mode):
            return Entry("special", leads_to)
        return Entry("file", leads_to, self._stamp(path))


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a glob, as `glob.glob` would say."""
    if not pattern:
        return not parts
    first, *rest = pattern
    if first == "**":
        hidden = next((n for n, part in enumerate(parts) if part.startswith(".")), len(parts))
        if not rest:
            return hidden == len(parts)
        return any(_fits(parts[count:], rest) for count in range(hidden + 1))
    if not parts or (parts[0].startswith(".") and not first.startswith(".")):
        return False
    return fnmatch(parts[0], first) and _fits(parts[1:], rest)


def _opened_stamp(path: Path) -> Stamp:
    with open_file(path) as file:
        return stamp_of(os.fstat(file.fileno()))


def _posix(path: str) -> str:
    return Path(path).as_posix()
