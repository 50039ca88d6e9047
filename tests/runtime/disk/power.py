"""A power cut at any moment: the states in which it may leave a folder, as POSIX allows them.

What a program writes is sure to survive only once fsync returned: a file's bytes after an fsync of
the file, its name after one of its folder. All else may be there or not. Some worst cases stand for
the many: all that was not made durable is lost; or the names survive and the bytes do not, as on
file systems that write a rename before the data; or a single name survives of all that changed.
See Pillai et al., "All file systems are not created equal", OSDI 2014.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

CALLS = ("fsync", "replace", "link", "unlink", "mkdir", "rmdir")


class Disk:
    """What of a folder is durable, while a program works in it.

    Args:
        folder: all that is in it now is durable.
        scratch: an empty folder in which states are laid out.
        check: receives each state, as the path of a folder, and what was about to be done.
    """

    def __init__(self, folder: Path, scratch: Path, check: Callable[[Path, str], None]) -> None:
        self._folder = folder
        self._scratch = scratch
        self._check = check
        self._bytes: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._folders: set[int] = set()
        self._cuts = 0
        self._is_cutting = False  # laying out a state makes such calls too
        for top, _, names in os.walk(folder):
            self._make_durable(Path(top))
            for name in names:
                self._make_durable(Path(top, name))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Cut the power before every call that changes the folder, and once after the last."""
        with ExitStack() as patches:
            for name in CALLS:
                patches.enter_context(mock.patch.object(os, name, self._cutting(name)))
            yield
        self._cut("nothing more")

    def _cutting(self, name: str) -> Callable[..., Any]:
        function = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self._cut(f"{name} {arguments[0]}")
            if name == "fsync":
                self._make_durable(Path(os.readlink(f"/proc/self/fd/{arguments[0]}")))
            return function(*arguments, **options)

        return call

    def _make_durable(self, path: Path) -> None:
        inode = path.stat().st_ino
        if path.is_dir():
            self._folders.add(inode)
            self._names[inode] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self._bytes[inode] = path.read_bytes()

    def _cut(self, before: str) -> None:
        if self._is_cutting:
            return
        self._is_cutting = True
        for names in self._survivors():
            self._cuts += 1
            state = self._scratch / str(self._cuts)
            self._lay_out(self._folder.stat().st_ino, state, names)
            self._check(state, before)
        self._is_cutting = False

    def _survivors(self) -> Iterator[dict[int, dict[str, int]]]:
        """The names in each folder, by inode, that may survive; the durable ones come last."""
        present = self._present()
        yield present
        for folder, members in present.items():
            durable = self._names.get(folder, {})
            for name in members.keys() | durable.keys():
                if members.get(name) != durable.get(name):
                    changed = {n: i for n, i in durable.items() if n != name}
                    changed |= {name: members[name]} if name in members else {}
                    yield self._names | {folder: changed}
        yield self._names

    def _present(self) -> dict[int, dict[str, int]]:
        names: dict[int, dict[str, int]] = {}
        for top, folders, files in os.walk(self._folder):
            members = {name: os.lstat(os.path.join(top, name)).st_ino for name in folders + files}
            names[os.lstat(top).st_ino] = members
            self._folders |= {members[name] for name in folders}
        return names

    def _lay_out(self, inode: int, path: Path, names: dict[int, dict[str, int]]) -> None:
        if inode in self._folders:
            path.mkdir()
            for name, member in names.get(inode, {}).items():
                self._lay_out(member, path / name, names)
        else:
            path.write_bytes(self._bytes.get(inode, b""))
