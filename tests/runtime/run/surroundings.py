"""What people keep around a project: files, folders and links that no command may touch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

NAMES = (
    "notes.txt",
    ".hidden",
    ".old.tmp",
    ".notes.0123456789abcdef.tmp",
    "x.deadbeef.arrow",
    "x.0123456789abcdef.parquet",
    "0123456789abcdef0123456789abcdef",
    "20200101T000000-deadbeef",
    "20200101T000000-0123456789abcdef",
    "a.damaged-0123456789abcdef",
    ".compare.0123456789abcdef.tmp",
    "owner.json.bak",
)


class Surroundings:
    """Things of a person's in many places, as they were when they were put there.

    Args:
        outside: a folder that some of them link to, and that lies nowhere near.
    """

    def __init__(self, outside: Path) -> None:
        self._outside = outside
        self._known: dict[Path, object] = {}
        (outside / "folder").mkdir(parents=True)
        for path in (outside / "file", outside / "folder" / "manifest.json"):
            path.write_text("far away")
        self._know([outside])

    def put_into(self, *folders: Path) -> None:
        """Put a file, a full and an empty folder and links into each, under every name."""
        for folder in folders:
            for number, name in enumerate(NAMES):
                path = folder / name
                match number % 4:
                    case 0:
                        path.write_text(f"mine in {folder}")
                        path.chmod(0o640)
                    case 1:
                        (path / "january").mkdir(parents=True)
                        (path / "manifest.json").write_text("{}")
                        (path / "january" / "sales.csv").write_text("1,2")
                    case 2:
                        path.symlink_to(self._outside / "folder")
                    case 3:
                        path.mkdir()
                self._know([path])

    def copy(self, path: Path, name: str) -> None:
        """Keep a copy of something beside it."""
        copied = path.with_name(name)
        if path.is_dir():
            copied.mkdir()
            for member in path.iterdir():
                if member.is_file() and not member.is_symlink():
                    (copied / member.name).write_bytes(member.read_bytes())
        else:
            copied.write_bytes(path.read_bytes())
        self._know([copied])

    def lost(self) -> list[str]:
        """What is not there any more, or not as it was: bytes, where a link leads, modes."""
        return [str(path) for path, state in self._known.items() if _state(path) != state]

    def _know(self, roots: Iterable[Path]) -> None:
        for root in roots:
            members = root.rglob("*") if root.is_dir() and not root.is_symlink() else ()
            self._known |= {path: _state(path) for path in (root, *members)}


def _state(path: Path) -> object:
    if not os.path.lexists(path):
        return None
    mode = path.lstat().st_mode
    if path.is_symlink():
        return mode, os.readlink(path)
    return mode, None if path.is_dir() else path.read_bytes()
