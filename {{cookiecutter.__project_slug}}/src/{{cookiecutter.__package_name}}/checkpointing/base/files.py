"""Durable files: checksums, writes that survive a power cut, atomic replacement."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_IMODE
from typing import BinaryIO, Protocol

import xxhash

from .errors import StorageError
from .interrupts import end_if_called_off
from .names import temporary_name
from .reading import open_file
from .refusals import refusal_of, remedy_of

_CHUNK = 1 << 22  # bytes hashed, or written, at a time

Stamp = tuple[int, int, int, int, int]
"""Size in bytes, mtime and ctime in ns, inode, device: what a change of a file changes."""


class Hash(Protocol):
    """The methods of a hash that a checksum needs."""

    def update(self, data: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


class HashingFile:
    """A new file that is hashed and counted while it is written.

    `write` takes anything with a buffer. `finish` makes the bytes durable (fsync).

    Args:
        between: is called after every few MiB, for what is to be let go of meanwhile.
    """

    def __init__(self, path: Path, between: Callable[[], None] | None = None) -> None:
        self.path = path
        self._between = between
        self._since = 0
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115  closed by finish or close
        self._hash: Hash = xxhash.xxh3_128()
        self.bytes = 0
        self.closed = False

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _CHUNK):
            self._write_chunk(view[start : start + _CHUNK])
        return len(view)

    def _write_chunk(self, chunk: memoryview) -> None:
        self._hash.update(chunk)
        self.bytes += len(chunk)
        self._since += len(chunk)
        rest = chunk
        while rest:  # an unbuffered file may write only a part of the bytes
            rest = rest[self._file.write(rest) :]
        if self._between is not None and self._since >= _CHUNK:
            self._since = 0
            self._between()

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        """Do nothing: no bytes wait in a buffer."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True
        self._file.close()

    def finish(self) -> str:
        """Make the file durable, close it, and return its checksum."""
        os.fsync(self._file.fileno())
        self.close()
        return self._hash.hexdigest()


def checksum(path: Path) -> str:
    """xxh3_128 of a file's bytes, or of the names and bytes of all files in a folder."""
    digest: Hash = xxhash.xxh3_128()
    if path.is_dir():
        for member in files_in(path):
            digest.update(os.fsencode(member.relative_to(path).as_posix()) + b"\0")
            digest.update(checksum(member).encode())
        return digest.hexdigest()
    with open_file(path) as file:
        return checksum_of(file)


def checksum_of(file: BinaryIO) -> str:
    """xxh3_128 of what an unbuffered file contains from here on; it is read in pieces."""
    digest: Hash = xxhash.xxh3_128()
    _hash_all(file, digest)
    return digest.hexdigest()


def stamp_of(stat: os.stat_result) -> Stamp:
    """The stamp of a file.

    Programs set the mtime as they like, but not the ctime, the time of the last change. On Windows
    that field is the time of creation, so there a change in place of the same size and mtime does
    not change the stamp.
    """
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev


def files_in(folder: Path) -> list[Path]:
    """All files below a folder, sorted by name."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def total_bytes(path: Path) -> int:
    """Size in bytes of a file, or of all files in a folder.

    A file that another thread removes from the folder meanwhile, as an engine does that has read
    back what it spilled, has none.
    """
    if not path.is_dir():
        return path.stat().st_size
    total = 0
    for member in files_in(path):
        with contextlib.suppress(FileNotFoundError):
            total += member.stat().st_size
    return total


def stamp(path: Path) -> tuple[int, int]:
    """The mtime in ns and the inode; the mtime of a folder is the newest of all its contents."""
    stat = path.stat()
    members = path.rglob("*") if path.is_dir() else ()
    return max([stat.st_mtime_ns, *(p.stat().st_mtime_ns for p in members)]), stat.st_ino


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can do so."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, and make their names durable."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def replace_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a small file so that a reader sees the former text or the new one, never a part.

    What is not `durable` may be lost, or empty, after a power cut.
    """
    with _written_beside(path, text, durable=durable) as temporary:
        os.replace(temporary, path)
    if durable:
        sync_folder(path.parent)


def create_text(path: Path, text: str) -> None:
    """Create a small file with all of its text at once; a file that exists already stays.

    When two processes do so at the same time, exactly one of them writes the file.
    """
    with _written_beside(path, text) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            if not os.path.lexists(path):
                os.replace(temporary, path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _written_beside(path: Path, text: str, *, durable: bool = True) -> Iterator[Path]:
    """A file under a temporary name; it is deleted afterwards unless it was moved."""
    temporary = path.with_name(temporary_name(path.name))
    try:
        # A name that is no UTF-8 is in a page as a person can read it; JSON has escaped it itself.
        with open(temporary, "x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def publish(
    source: Path, target: Path, announce: Callable[[Path], None] = lambda copy: None
) -> None:
    """Copy a file or folder to `target`, whose contents change at once or not at all.

    If the source or the former target is a folder, this takes two renames, and between them the
    target does not exist for a moment. `announce` is called with the copy just before.

    A file keeps the mode of the former one, and its owner and group as far as the system lets it.
    A new file has the mode that the umask gives, and stays executable.
    """
    make_folder(target.parent)
    copy, former = (target.with_name(temporary_name(target.name)) for _ in range(2))
    try:
        copy_durably(source, copy)
        _keep_modes(source, copy, target)
        announce(copy)
        if os.path.lexists(target) and (_is_folder(copy) or _is_folder(target)):
            os.replace(target, former)  # a rename cannot replace these
        try:
            os.replace(copy, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):  # the former target was not moved
                os.replace(former, target)
            raise
    finally:
        with contextlib.suppress(OSError):  # a later run removes what stays
            remove(copy)
            remove(former)
    sync_folder(target.parent)


def obstacle_to(folder: Path) -> str | None:
    """Why a folder can neither be nor be made there: "PATH is not a folder", if it is so."""
    existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if existing.is_dir():
        return None
    is_link = existing.is_symlink()
    return f"{existing} is {'a link that leads to no folder' if is_link else 'not a folder'}"


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file or folder and fsync every file of the copy."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(source, target)
    sync_tree(target)


def link_durably(source: Path, target: Path) -> int:
    """Give a file or folder another name, by hard links; by copies where there can be none.

    Returns the bytes that were copied.
    """
    copied = 0

    def take(source: str, target: str) -> None:
        nonlocal copied
        try:
            os.link(source, target)
        except OSError:  # a file system without hard links, or too many of them
            copied += os.path.getsize(shutil.copyfile(source, target))

    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=take)
    else:
        take(str(source), str(target))
    sync_tree(target)
    return copied


def sync_tree(path: Path) -> None:
    """fsync a file, or every file of a folder and the folders themselves."""
    for member in files_in(path) if path.is_dir() else [path]:
        with open_file(member) as file:
            os.fsync(file.fileno())
    if path.is_dir():
        for folder in [path, *(p for p in path.rglob("*") if p.is_dir())]:
            sync_folder(folder)


def remove(path: Path) -> None:
    """Delete a file, a link or a folder with its contents; do nothing if it does not exist.

    The targets of links stay. Raises OSError when something cannot be deleted.
    """
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def storage_errors(doing: str, folder: Path) -> Iterator[None]:
    """Turn an OSError into a StorageError, which names the action, the path and a remedy."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{doing} in {folder} failed: {refusal_of(error)}. {remedy_of(error)} "
            f"Earlier checkpoints are untouched."
        ) from error


def _keep_modes(source: Path, copy: Path, former: Path) -> None:
    """Give a copy, and all that it contains, the modes of what it replaces."""
    members = [path.relative_to(copy) for path in copy.rglob("*")] if _is_folder(copy) else []
    for inside in (Path(), *members):
        made, old = copy / inside, former / inside
        stat = made.lstat()
        mode = stat.st_mode
        if os.path.lexists(old) and not old.is_symlink() and old.is_dir() == made.is_dir():
            was = old.stat()
            if (stat.st_uid, stat.st_gid) != (was.st_uid, was.st_gid):
                _own(made, was)
            mode = was.st_mode
        elif made.is_file() and (source / inside).stat().st_mode & 0o100:
            mode |= (mode & 0o444) >> 2  # whoever may read it may execute it
        if mode != stat.st_mode:
            made.chmod(S_IMODE(mode))


def _own(path: Path, like: os.stat_result) -> None:
    """Give a file the owner and the group of another, or just the group, if that is allowed."""
    for user in (like.st_uid, -1):
        with contextlib.suppress(OSError, AttributeError):  # Windows has no owners of this kind
            os.chown(path, user, like.st_gid)
            return


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _hash_all(file: BinaryIO, digest: Hash) -> None:
    buffer = memoryview(bytearray(_CHUNK))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]  # unbuffered files have it
        digest.update(buffer[:count])
        end_if_called_off()
