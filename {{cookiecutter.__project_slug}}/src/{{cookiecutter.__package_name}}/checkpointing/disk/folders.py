"""The folders of checkpoints on this disk, and the bytes that they take."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..base.errors import ConfigurationError, StorageError
from ..base.settings import Settings
from .place import checkpoints_place


def used_bytes(settings: Settings) -> int:
    """Bytes of the checkpoints of all pipelines of a project on disk."""
    total = 0
    for folder in own_folders(settings.checkpoints):
        with contextlib.suppress(ConfigurationError, StorageError):  # it is somebody else's
            if checkpoints_place(settings, folder.name).is_ours():
                total += bytes_in(folder)
    return total


def bytes_in(top: Path) -> int:
    """Bytes of all files below a folder; a file with several names there counts once."""
    total, seen = 0, set[tuple[int, int]]()
    for folder, _, names in os.walk(top):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                stat = os.lstat(os.path.join(folder, name))
                if (stat.st_dev, stat.st_ino) not in seen or stat.st_nlink == 1:
                    total += stat.st_size
                seen.add((stat.st_dev, stat.st_ino))
    return total


def folders_in(parent: Path) -> list[Path]:
    """The folders in a folder, by name; none where it cannot be listed."""
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def own_folders(parent: Path) -> list[Path]:
    """Those that may contain files of ours: behind a link nothing is ours."""
    return [path for path in folders_in(parent) if not path.is_symlink()]
