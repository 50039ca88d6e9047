"""Whether the files of checkpoints are as they were committed, each read once as it is."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from ..base.files import checksum, stamp, total_bytes
from ..base.refusals import is_passing
from .manifest import FileRecord


class Hashed:
    """The files that this process has read and found as they were committed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[str, int, tuple[int, int]]] = {}

    def has(self, folder: Path, record: FileRecord) -> bool:
        """Whether a file is one of them, and was not touched since."""
        path = folder / record.file
        try:
            return path in self._known and self._known[path] == _seen(path, record)
        except OSError:
            return False

    def is_sound(self, folder: Path, record: FileRecord) -> bool:
        """The same after a look at its bytes. Raises as `is_sound`."""
        path = folder / record.file
        seen = None
        with contextlib.suppress(OSError):
            seen = _seen(path, record)
        if not is_sound(folder, record):
            return False
        if seen is not None:
            self._known[path] = seen
        return True


def restamped(folder: Path, record: FileRecord) -> FileRecord:
    """A record with the stamp that its file has now. Raises OSError."""
    mtime_ns, inode = stamp(folder / record.file)
    return replace(record, mtime_ns=mtime_ns, inode=inode)


def _seen(path: Path, record: FileRecord) -> tuple[str, int, tuple[int, int]]:
    return record.checksum, total_bytes(path), stamp(path)


def is_sound(folder: Path, record: FileRecord) -> bool:
    """Whether a file's bytes are as they were committed: reads the whole file.

    Raises OSError if the system does not let this process read it now.
    """
    try:
        return checksum(folder / record.file) == record.checksum
    except OSError as error:  # it is gone, or the disk cannot read it any more
        if is_passing(error):
            raise
        return False
