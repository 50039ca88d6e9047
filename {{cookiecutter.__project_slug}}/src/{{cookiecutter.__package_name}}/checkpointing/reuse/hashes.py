"""Checksums of files that were hashed before, and when one of them can be trusted."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..base.errors import ConfigurationError
from ..base.files import Stamp, checksum_of, replace_text, stamp_of
from ..base.reading import open_file, read_json

SETTLING_NS = 2_000_000_000
_TRIES = 3
_UNREADABLE = (OSError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)


class _Known(NamedTuple):
    stamp: Stamp
    digest: str
    since: int  # the first moment, by our clock, at which a run saw this stamp
    is_settled: bool


class HashCache:
    """Checksums by path, each with the stamp of the bytes that it belongs to.

    A stamp is read from the opened file (on NFS opening it fetches new attributes) before and after
    hashing. If both differ, the checksum belongs to no version of the file, and it is hashed again.

    A checksum is used again only while the stamp is the same, which programs cannot arrange: each
    write sets the ctime, and nobody can set it back (`cp -p`, archives and backups restore mtimes).
    What is left is a write so soon after the hashing that the clock of the file system still shows
    the same time: git calls such a file "racily clean" (Documentation/technical/racy-git.txt). So
    the file must have been at rest when the hashing began:

    - on a block device of this machine, if its mtime and ctime lay two seconds back, by this
      machine's clock, which also made the ctime;
    - elsewhere (network, FUSE, tmpfs, overlay and Btrfs have no device of their own) the times may
      be those of another clock. There a run must have seen the same stamp two seconds before, by
      our own clock. So a new file is hashed twice.

    Two seconds are the coarsest step of any file system's times (FAT). A program that has the file
    mapped may write without a new time as long as the page is dirty, which may take a minute. So
    Linux is told before the hashing to write the file's pages back, after which it notices the next
    write. (`fsync` would do, but also waits for the disk: 3 ms a file, against 5 microseconds.)

    What stays: a file system that lets programs set the ctime (FAT, some FUSE ones), a file that a
    program keeps mapped in tmpfs, on another machine or under another system than Linux, Windows
    (see `stamp_of`), and a disk that returns other bytes than were written. `status --verify`
    hashes everything.

    Two processes may each save their checksums, and the last save replaces the other: the files
    whose checksums are lost are hashed again.

    Args:
        path: the file that holds the checksums from run to run; any other content is ignored.
        verify: trust nothing, and correct what is wrong.
        clock: nanoseconds since 1970.
    """

    def __init__(
        self, path: Path, *, verify: bool = False, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._path = path
        self._verify = verify
        self._clock = clock
        self._changed = False
        self._known: dict[str, _Known] = {}
        with contextlib.suppress(*_UNREADABLE):  # it may be lost
            for name, entry in read_json(path).items():
                size, mtime, ctime, inode, device, digest, since, is_settled = entry
                stamp = int(size), int(mtime), int(ctime), int(inode), int(device)
                self._known[name] = _Known(stamp, str(digest), int(since), is_settled is True)

    def checksum(self, path: Path) -> str:
        """xxh3_128 of a file. Raises as `look`."""
        return self.look(path)[1]

    def look(self, path: Path) -> tuple[Stamp, str]:
        """The stamp of a file and its xxh3_128, hashed only when it may have changed.

        Raises OSError, and ConfigurationError for a file that is being written all the time.
        """
        for _ in range(_TRIES):
            with open_file(path) as file:
                stamp = stamp_of(os.fstat(file.fileno()))
                known = self._known.get(str(path))
                is_seen = known is not None and known.stamp == stamp
                if known and is_seen and known.is_settled and not self._verify:
                    return stamp, known.digest
                began = self._clock()
                _write_back(file.fileno())
                digest = checksum_of(file)
                if stamp_of(os.fstat(file.fileno())) != stamp:
                    continue
            since = min(known.since, began) if known and is_seen else began
            now = _Known(stamp, digest, since, _is_settled(stamp, since, began))
            if now != known:
                self._known[str(path)] = now
                self._changed = True
            return stamp, digest
        raise ConfigurationError(
            f"{path} changes while it is read. Run again when it has been written."
        )

    def save(self) -> None:
        """Save new checksums for the next run, if the disk has space for them."""
        if self._changed:
            entries = {
                n: [*k.stamp, k.digest, k.since, k.is_settled] for n, k in self._known.items()
            }
            with contextlib.suppress(OSError):  # on a full disk, `clean` still has to work
                replace_text(self._path, json.dumps(entries, indent=0))
            self._changed = False


def _write_back(descriptor: int) -> None:
    """Have Linux write a file's dirty pages, and watch for the next write to them."""
    if (call := _sync_file_range()) is not None:
        call(descriptor, 0, 0, 3)  # wait for earlier writes, then start these; 0: to the end


@functools.cache
def _sync_file_range() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    import ctypes

    call: Any = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if call is not None:
        call.argtypes = ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint
    return call  # type: ignore[no-any-return]  # a foreign function


def _is_settled(stamp: Stamp, since: int, began: int) -> bool:
    """Whether a write after `began` is sure to change the stamp."""
    has_own_device = hasattr(os, "major") and os.major(stamp[4]) != 0
    return began - (max(stamp[1:3]) if has_own_device else since) >= SETTLING_NS
