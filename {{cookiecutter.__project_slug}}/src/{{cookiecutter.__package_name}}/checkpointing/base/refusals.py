"""What the operating system refuses: each errno in words, with the remedy that fits it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_DISK = "Check the disk and run again."
_NETWORK = "The network file system does not answer as it should: run again when it does."
_ROOM = (
    "The disk is full: free some room, or lower `keep` in memory_budget.toml and run `clean --old`."
)
_RIGHTS = "Check who owns the folder, and who may read and write there."
_NAME = "The file system does not take this name: choose another one."
_UNABLE = "This file system cannot do that: name a path on another one."

_REMEDIES = {
    "ENOSPC": _ROOM,
    "EDQUOT": "Your disk quota is used up: free some room or ask for more.",
    "EFBIG": "The file is larger than the file system or `ulimit -f` allows.",
    "EIO": _DISK,
    "EUCLEAN": _DISK,
    "ENODEV": _DISK,
    "ENXIO": "It leads to no device that works: move it away, or name another path.",
    "EACCES": _RIGHTS,
    "EPERM": _RIGHTS,
    "EROFS": "The file system is read-only. Name a path on another one.",
    "ENOENT": "It does not exist, or was deleted meanwhile: restore it, or run again.",
    "EEXIST": "Something is there already: move it away.",
    "ENOTEMPTY": "Something else is in it: move that away.",
    "ENOTDIR": "A file is where a folder has to be: move it away, or name another path.",
    "EISDIR": "A folder is where a file has to be: move it away, or name another path.",
    "ELOOP": "Its links lead in a circle: remove one of them.",
    "ENAMETOOLONG": "The name or the path is too long: choose a shorter one.",
    "EILSEQ": _NAME,
    "EINVAL": _NAME,
    "EXDEV": "It has to be on one file system: name a path on the same one.",
    "EMLINK": "The folder has as many entries as the file system allows: choose another one.",
    "EMFILE": "This process has too many files open: raise the limit with `ulimit -n`.",
    "ENFILE": "All programs together have too many files open: end some of them.",
    "ENOMEM": "The system has no memory left: end other programs, or run again later.",
    "EAGAIN": "The system has no room for another process or thread: end some, or see `ulimit -u`.",
    "EBUSY": "Another program uses it: end that program, or run again later.",
    "ETXTBSY": "Another program runs it: end that program, or run again later.",
    "EPIPE": "The program that was to read this has ended.",
    "ENOLCK": _UNABLE,
    "ENOSYS": _UNABLE,
    "EOPNOTSUPP": _UNABLE,
    "ESTALE": _NETWORK,
    "ETIMEDOUT": _NETWORK,
    "EREMOTEIO": _NETWORK,
    "ENOTCONN": _NETWORK,
    "EHOSTDOWN": _NETWORK,
}
_BY_NUMBER = {
    getattr(errno, name): remedy for name, remedy in _REMEDIES.items() if hasattr(errno, name)
}
_OTHER = "Run again; if it stays, ask whoever runs this machine what this error means."


_PASSING = {"EMFILE", "ENFILE", "ENOMEM", "EACCES", "EPERM", "ESTALE", "ETIMEDOUT", "EBUSY"}


class Unreadable(OSError):
    """What is in the place of a file of ours is no file, or not what we write; the text is why."""

    def __init__(self, why: str, path: Path | None = None) -> None:
        super().__init__(why)
        self.strerror, self.filename = why, path

    def __str__(self) -> str:
        return str(self.strerror)


class NotAFile(Unreadable):
    """A pipe, a device or the like is in the place of a file."""


def refused(error: BaseException) -> OSError | None:
    """What the system refused, if that is what an exception is about."""
    if isinstance(error, OSError):
        return error
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))  # Python's own word for it
    return None


def is_passing(error: OSError) -> bool:
    """Whether the system refuses this process now, so that the file itself may be sound."""
    return errno.errorcode.get(error.errno or 0) in _PASSING


def remedy_of(error: OSError) -> str:
    """What to do, as one sentence or two."""
    if isinstance(error, Unreadable):
        return "Move it away, and run again."
    return _BY_NUMBER.get(error.errno or 0, _OTHER)


def refusal_of(error: OSError) -> str:
    """What the system said, and about which path: "Permission denied: /data/x"."""
    said = error.strerror or str(error) or type(error).__name__
    if error.filename is None or isinstance(error.filename, int):
        return said
    path = os.fsdecode(error.filename)
    return f"{path}: {said}" if isinstance(error, Unreadable) else f"{said}: {path}"
