"""Locks between processes, as files."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ..base.errors import Locked
from ..base.files import storage_errors
from ..base.reading import kind_of
from ..base.refusals import Unreadable

_WORKER_SECONDS = 10.0  # an orphaned worker ends within milliseconds of its parent


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


class WorkerLocks:
    """The locks of the workers of a pipeline, whose checkpoints are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def worker_lock(self, beside: str = "") -> Iterator[None]:
        """A worker holds it while it can commit. Raises Locked when an earlier one does not end.

        Args:
            beside: the worker's name, if others of the run may be at work, too.
        """
        lock = acquired(self.worker_lock_file(beside), _WORKER_SECONDS)
        if lock is None:
            raise Locked("a worker from an earlier run is still alive; kill it and try again")
        try:
            yield
        finally:
            lock.release()

    def worker_lock_file(self, beside: str = "") -> Path:
        """The file that a worker holds open, and locked, while it can commit."""
        return self.folder / (f"worker.{beside}.lock" if beside else "worker.lock")

    def end_beside(self) -> None:
        """Wait for the end of workers that were at work at once, and remove their locks.

        Raises Locked, StorageError.
        """
        for file in self.beside_files():
            beside = file.name.removeprefix("worker.").removesuffix(".lock")
            with self.worker_lock(beside), storage_errors("Removing a lock", file):
                file.unlink(missing_ok=True)

    def beside_files(self) -> list[Path]:
        """The files that workers which are at work at once hold, one each."""
        return sorted(self.folder.glob("worker.*.lock"))
