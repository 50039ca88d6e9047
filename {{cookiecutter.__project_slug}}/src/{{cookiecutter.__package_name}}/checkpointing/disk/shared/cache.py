"""The bound of the local cache: what was not used for longest goes first.

A file's last use is its access time, which is set whenever a run, or a person, takes the file: file
systems that are mounted without access times keep one that is set.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from ...base.files import remove, total_bytes


def mark_used(path: Path) -> None:
    """Note that a file is used now; its own time of change stays."""
    with contextlib.suppress(OSError):  # of somebody else: only the order depends on it
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def evict(files: Iterable[Path], spared: Collection[Path], excess: int) -> int:
    """Remove the least recently used files, but not the spared ones, until enough bytes are free.

    A file with another name elsewhere frees nothing by itself. What cannot be removed stays.

    Args:
        excess: the bytes to free; nothing is removed if it is not positive.

    Returns:
        The bytes that were freed.
    """
    freed = 0
    for path in sorted((path for path in files if path not in spared), key=_last_use):
        if freed >= excess:
            break
        with contextlib.suppress(OSError):
            count = total_bytes(path) if path.is_dir() or path.stat().st_nlink == 1 else 0
            remove(path)
            freed += count
    return freed


def _last_use(path: Path) -> int:
    try:
        return path.stat().st_atime_ns
    except OSError:
        return 0
