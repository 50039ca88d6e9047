"""Paths of files and folders that a step made. The store moves these into the checkpoint itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..base.errors import InexactValue


def freeze(value: Any) -> Path:
    """The path itself; raises InexactValue if it is not a path or does not exist."""
    if not isinstance(value, Path):
        raise InexactValue(
            f"the step promised a Path and returned {type(value).__name__}; "
            "return the path of the file or folder that it made"
        )
    if not value.exists():
        raise InexactValue(
            f"the step returned the path {value}, where there is nothing; "
            "write the file before returning its path"
        )
    return value


def thaw(frozen: Path) -> Path:
    """The path unchanged: all steps share its files, and may only read them."""
    return frozen


def require_whole(path: Path) -> None:
    """Refuse a file or folder that holds more or less than its own files; raises InexactValue.

    A checkpoint is copied, moved, hashed and published as a whole. So a link in it has to lead, by
    a relative path, to a file of the same folder; it counts as a file with the same bytes.
    """
    top = path.resolve()
    if not top.is_dir():
        if not top.is_file():
            raise InexactValue(f"{path} is no file or folder but a special file; write a file")
        return
    for entry in _entries(top):
        problem = None
        if entry.is_symlink():
            problem = _problem_of_link(Path(entry.path), top)
        elif not entry.is_dir() and not entry.is_file():
            problem = "is a special file, such as a pipe; remove it at the end of the step"
        if problem is not None:
            raise InexactValue(f"{_shown(entry.path, top)} {problem}")


def _entries(top: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder; links are not followed."""
    folders = [str(top)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    yield entry
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except OSError as error:
            raise InexactValue(
                f"{_shown(folder, top)} cannot be read ({error.strerror}); make it readable"
            ) from None


def _problem_of_link(link: Path, top: Path) -> str | None:
    target = os.readlink(link)
    leads_to = f"is a link to {target!r}"
    if not link.exists():
        return f"{leads_to}, where there is nothing; remove it, or write the file"
    if os.path.isabs(target) or not _is_within(link, target, top):
        return f"{leads_to}, not by a relative path within the folder; copy the file instead"
    if not link.is_file():
        return f"{leads_to}, which is no file; copy what it leads to instead"
    return None


def _is_within(link: Path, target: str, top: Path) -> bool:
    step = Path(os.path.normpath(link.parent / target))
    return step.is_relative_to(top) and link.resolve().is_relative_to(top)


def _shown(place: str, top: Path) -> str:
    return f"{os.path.relpath(place, top)!r} in the folder that the step returned"
