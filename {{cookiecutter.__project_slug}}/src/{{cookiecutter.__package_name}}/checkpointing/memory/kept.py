"""A file of the kernel that stays open: it says anew what is so each time it is read.

To open and to close one takes three times as long as to read it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from . import procfs

_BYTES = 1 << 9


class KeptFile:
    """One such file; no more than its first 512 bytes are read.

    None stays open where half of the files are that a process may have: the rest is for its work.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        with suppress(OSError):
            self._file = os.open(path, os.O_RDONLY)
        # The lowest free number is given to a file, so it tells about how many are open.
        if self._file is not None and self._file >= _most_files():
            self.close()

    def close(self) -> None:
        """Close it; it is opened for each reading then."""
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def read(self) -> bytes:
        """What it says now; nothing if what it tells of is gone."""
        if self._file is None:
            return procfs.contents(self._path)[:_BYTES]
        try:
            return os.pread(self._file, _BYTES, 0)
        except OSError:
            return b""


def _most_files() -> int:
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit // 2
