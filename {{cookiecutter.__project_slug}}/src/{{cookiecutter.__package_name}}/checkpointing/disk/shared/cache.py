"""The local cache: its bound, and what has to stay in it. What was not used for longest goes first.

A file's last use is its access time, which is set whenever a run, or a person, takes the file: file
systems that are mounted without access times keep one that is set.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from ...base.files import remove, total_bytes
from ..folders import bytes_in


class Cache:
    """The files of the cache that threads are at work with, and the bytes that all may take.

    Safe for threads, of which each controls a segment. What a thread uses stays in the cache until
    that thread begins something else or ends, even where the cache then takes more than it may.

    Args:
        most: the bytes that the cache may take.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._lock = threading.Lock()
        self._in_use: dict[threading.Thread, set[Path]] = {}

    def begin(self) -> None:
        """Begin something else: this thread is done with what it has used so far."""
        with self._lock:
            self._in_use.pop(threading.current_thread(), None)

    def use(self, files: Iterable[Path]) -> None:
        """Have these files stay, of which some may still have to come."""
        with self._lock:
            self._in_use.setdefault(threading.current_thread(), set()).update(files)

    def keep_bound(self, more: int, evictable: Callable[[], set[Path]]) -> None:
        """Evict files, so that the cache takes no more than it may, with so many bytes more."""
        with self._lock:
            used = bytes_in(self._folder)
            if used + more > self._most:
                self._in_use = {t: files for t, files in self._in_use.items() if t.is_alive()}
                evict(evictable(), set().union(*self._in_use.values()), used + more - self._most)


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
