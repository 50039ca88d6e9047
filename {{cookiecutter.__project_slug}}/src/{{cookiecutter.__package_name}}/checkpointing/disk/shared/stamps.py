"""What `stat` gives of a file in the cache, and what was noted of it when it was pushed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...base.files import remove, storage_errors
from ..hashed import is_sound, restamped
from ..manifest import FileRecord


def pushed_like(record: FileRecord, sent: FileRecord) -> FileRecord:
    """A record with what was noted of its file when that was pushed."""
    return replace(record, sha256=sent.sha256, folders=sent.folders, executable=sent.executable)


def stamped_like(record: FileRecord, others: Mapping[str, FileRecord]) -> FileRecord:
    """A record with the stamp that another one has of the same file."""
    other = others.get(record.file)
    if other is None or other.checksum != record.checksum:
        return record
    return replace(record, mtime_ns=other.mtime_ns, inode=other.inode)


def stamped_if_sound(
    folder: Path, record: FileRecord, *, hash_all: bool = False
) -> FileRecord | None:
    """The record of a file with the stamp that it has now; None if its bytes are not its own.

    A file that was not touched is hashed with `hash_all` alone. Raises OSError.
    """
    path = folder / record.file
    if not os.path.lexists(path):
        return None
    if not hash_all and record.untouched(folder):
        return record
    if not is_sound(folder, record):
        return None
    return restamped(folder, record)


def drop_file(path: Path) -> None:
    """Remove a file of the cache that is not what was committed. Raises StorageError."""
    with storage_errors("Dropping a damaged file of the cache", path.parent):
        remove(path)
