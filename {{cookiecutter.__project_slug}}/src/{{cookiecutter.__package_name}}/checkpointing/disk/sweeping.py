"""What is ours in a checkpoint's folder, and its removal; whatever else lies there stays.

A value's file is known by its name, a manifest by what it says. Links are never ours: we make none.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import StorageError
from ..base.files import remove
from ..base.names import checkpoint_key, is_aside_name, is_temporary_name, is_value_name
from .manifest import MANIFEST, PARTIAL, read_manifest


@dataclass
class Cleared:
    """What a removal has set free, in bytes on disk, and what could not be removed, with why."""

    bytes: int = 0
    failures: list[str] = field(default_factory=list)

    def take(self, path: Path) -> None:
        """Remove a file or folder that is ours."""
        count = _bytes_of(path)
        try:
            remove(path)
        except OSError as error:
            self.failures.append(f"{path}: {error.strerror or error}")
            count -= _bytes_of(path)
        self.bytes += count

    def require_complete(self) -> None:
        """Raise StorageError when something could not be removed."""
        if self.failures:
            listed = "\n".join(f"  {failure}" for failure in self.failures)
            raise StorageError(
                f"not all could be removed:\n{listed}\nCheck who owns it and may write there, and "
                f"try again."
            )

    def __iadd__(self, other: Cleared) -> Cleared:
        self.bytes += other.bytes
        self.failures += other.failures
        return self


def ours_in(folder: Path) -> list[Path]:
    """What we made in the folder of a checkpoint, in its place or set aside: manifests first.

    Without a manifest the rest is no checkpoint, so what is moved or removed in this order is
    never half of one. Raises OSError when the folder cannot be listed.
    """
    entries = sorted(path for path in folder.iterdir() if not path.is_symlink())
    named = [path for path in entries if is_value_name(folder, path.name)]
    named += [path for path in entries if is_temporary_name(path.name)]
    manifests = [path for path in entries if path.name in (MANIFEST, PARTIAL)]
    # A damaged manifest tells nothing of itself, but what lies beside it tells whose folder it is.
    is_known = named or is_aside_name(folder.parent.name, folder.name)
    return [path for path in manifests if is_known or _is_of(path, folder)] + named


def discard(folder: Path, spared: Collection[str] = ()) -> Cleared:
    """Remove what is ours in a checkpoint's folder but the names to spare; then it, if empty.

    A link in the place of the folder, or of the segment's, is left alone with all behind it.
    """
    cleared = Cleared()
    if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
        return cleared
    try:
        ours = [path for path in ours_in(folder) if path.name not in spared]
    except OSError as error:
        return Cleared(failures=[f"{folder}: {error.strerror or error}"])
    for path in ours:
        cleared.take(path)
    if ours and not spared:
        with contextlib.suppress(OSError):  # somebody keeps something else in it
            folder.rmdir()
    return cleared


def sweep_temporaries(folder: Path, name: str | None = None) -> Cleared:
    """Remove what a process that was killed left under temporary names, of `name` if given."""
    cleared = Cleared()
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if is_temporary_name(path.name, name) and not path.is_symlink():
                cleared.take(path)
    return cleared


def _is_of(path: Path, folder: Path) -> bool:
    """Whether it is the manifest of the checkpoint in that folder, and not of a copy of one."""
    try:
        manifest = read_manifest(folder, path.name)
    except StorageError:
        return False
    place = folder.parent.name, checkpoint_key(folder)
    return manifest is not None and (manifest.segment, manifest.key) == place


def _bytes_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; of links their own."""
    files = [path]
    if path.is_dir() and not path.is_symlink():
        files = [Path(top, name) for top, _, names in os.walk(path) for name in names]
    return sum(_own_bytes(file) for file in files)


def _own_bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
