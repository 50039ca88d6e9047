"""The journal of an unfinished checkpoint: a line for each item that is done."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ..base.files import storage_errors


class Journal:
    """A file to which whole lines are added, each durable before the next.

    Several processes may add to one: the system puts each line behind those that are there.

    Args:
        path: of the file; it is made if it `is_new`, and has to be there if not.

    Raises StorageError.
    """

    def __init__(self, path: Path, *, is_new: bool) -> None:
        self.name = path.name
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        with storage_errors("Opening a journal", path.parent):
            self._file = os.open(path, flags | (os.O_CREAT | os.O_EXCL if is_new else 0), 0o666)
            os.fsync(self._file)

    def add(self, line: str) -> None:
        """Add a line, durably. Raises OSError, also where the disk has room for a part of it."""
        content = line.encode()
        if os.write(self._file, content) < len(content):
            os.write(self._file, b"\n")  # the next line begins for itself
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)
