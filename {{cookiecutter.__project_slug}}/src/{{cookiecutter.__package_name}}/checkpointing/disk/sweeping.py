"""Remove our files from a checkpoint's folder; all other files there stay.

A value's file is recognised by its name, a manifest by its content. Links are never ours, because
we make none.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import StorageError
from ..base.files import remove
from ..base.names import checkpoint_key, is_aside_name, is_temporary_name, is_value_name
from ..base.reading import kind_of
from .manifest import MANIFEST, PARTIAL, read_manifest


@dataclass
class Cleared:
    """The bytes on disk that a removal freed, and the files that it could not remove, with why."""

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
    """Our files in the folder of a checkpoint, in its place or set aside: manifests first.

    Without a manifest the other files are no checkpoint, so moving or removing them in this order
    never leaves half of one. Raises OSError when the folder cannot be listed.
    """
    entries = sorted(path for path in folder.iterdir() if not path.is_symlink())
    named = [path for path in entries if is_value_name(folder, path.name)]
    named += [path for path in entries if is_temporary_name(path.name)]
    manifests = [path for path in entries if path.name in (MANIFEST, PARTIAL)]
    # A damaged manifest does not show that it is ours, but the files beside it do.
    is_known = named or is_aside_name(folder.parent.name, folder.name)
    return [path for path in manifests if is_known or _is_of(path, folder)] + named


def discard(folder: Path, spared: Collection[str] = ()) -> Cleared:
    """Remove our files from a checkpoint's folder but the names to spare; then an empty folder.

    A link in the place of the folder, or of the segment's, stays with all behind it.
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
        with contextlib.suppress(OSError):  # somebody keeps other files in it
            folder.rmdir()
    return cleared


def sweep_temporaries(folder: Path, name: str | None = None) -> Cleared:
    """Remove the temporary files of killed processes; with `name`, only those for that name."""
    cleared = Cleared()
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if is_temporary_name(path.name, name) and not path.is_symlink():
                cleared.take(path)
    return cleared


def obstacles(files: Iterable[Path], folders: Iterable[Path] = ()) -> list[str]:
    """What is in the place of a file or folder of ours and is of another kind, as sentences.

    No run made it, so nothing removes it, and a run cannot use the place.
    """
    sentences = []
    for path, is_right in (
        *((f, stat.S_ISREG) for f in files),
        *((f, stat.S_ISDIR) for f in folders),
    ):
        with contextlib.suppress(OSError):  # there is nothing
            mode = path.lstat().st_mode
            if not is_right(mode):
                kind = kind_of(mode) or "a file"
                sentences.append(f"{path} is {kind}, and no run made it. Remove it by hand.")
    return sentences


def _is_of(path: Path, folder: Path) -> bool:
    """Whether this manifest belongs to the checkpoint in that folder, and not to a copy of one."""
    try:
        manifest = read_manifest(folder, path.name)
    except StorageError:
        return False
    place = folder.parent.name, checkpoint_key(folder)
    return manifest is not None and (manifest.segment, manifest.key) == place


def _bytes_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count as themselves."""
    files = [path]
    if path.is_dir() and not path.is_symlink():
        files = [Path(top, name) for top, _, names in os.walk(path) for name in names]
    return sum(_own_bytes(file) for file in files)


def _own_bytes(path: Path) -> int:
    """Bytes that go with a file: none if another checkpoint has it too."""
    try:
        stat = path.lstat()
    except OSError:
        return 0
    return stat.st_size if stat.st_nlink == 1 else 0
