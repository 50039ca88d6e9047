"""Locks between processes, as files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from filelock import FileLock, Timeout

from ..base.files import storage_errors
from ..base.reading import kind_of
from ..base.refusals import Unreadable


def acquired(path: Path, seconds: float) -> FileLock | None:
    """Acquire a lock; None when another process still holds it after so many seconds.

    Raises StorageError.
    """
    lock = FileLock(path)
    with storage_errors("Taking the lock", path.parent):
        if not path.parent.is_dir():  # FileLock would make one without our mark
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
        if os.path.lexists(path) and (kind := kind_of(path.lstat().st_mode)):
            raise Unreadable(f"it is {kind}, not a lock", path)
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            return None
    return lock
