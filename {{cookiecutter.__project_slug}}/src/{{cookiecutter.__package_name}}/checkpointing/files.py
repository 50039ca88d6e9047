"""Files that last: checksums, writes that survive a power cut, atomic replacement."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import xxhash

from .errors import StorageError

TEMPORARY = ".tmp"
_CHUNK = 1 << 22  # bytes hashed at a time


class Hash(Protocol):
    """What a checksum needs of a hash."""

    def update(self, data: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


class HashingFile:
    """A new file that is hashed and counted while it is written.

    `write` takes anything with a buffer. `finish` makes the bytes durable (fsync).
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115  closed by finish or close
        self._hash: Hash = xxhash.xxh3_128()
        self.bytes = 0
        self.closed = False

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data).cast("B")
        self._hash.update(view)
        self.bytes += len(view)
        rest = view
        while rest:  # an unbuffered file may take less than it was given
            rest = rest[self._file.write(rest) :]
        return len(view)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        """Nothing waits in a buffer."""

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


def new_token() -> str:
    """A short name part that no other file has."""
    return secrets.token_hex(4)


def checksum(path: Path) -> str:
    """xxh3_128 of a file's bytes, or of the names and bytes of all files in a folder."""
    digest: Hash = xxhash.xxh3_128()
    if path.is_dir():
        for member in files_in(path):
            digest.update(member.relative_to(path).as_posix().encode() + b"\0")
            digest.update(checksum(member).encode())
    else:
        with open(path, "rb", buffering=0) as file:
            _hash_all(file, digest)
    return digest.hexdigest()


def files_in(folder: Path) -> list[Path]:
    """All files below a folder, sorted by name."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def total_bytes(path: Path) -> int:
    """Size in bytes of a file, or of all files in a folder."""
    return sum(p.stat().st_size for p in (files_in(path) if path.is_dir() else [path]))


def stamp(path: Path) -> tuple[int, int]:
    """The mtime in ns, for a folder the newest of all in it, and the inode."""
    found = path.stat()
    members = path.rglob("*") if path.is_dir() else ()
    return max([found.st_mtime_ns, *(p.stat().st_mtime_ns for p in members)]), found.st_ino


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the former text or this one, never a part."""
    temporary = path.with_name(f".{path.name}.{new_token()}{TEMPORARY}")
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def publish(source: Path, target: Path) -> None:
    """Copy a file or folder to `target`, which changes at once or not at all.

    A folder takes the place of a folder in two renames, with a moment between them in which there
    is neither. Raises IsADirectoryError rather than put a file in the place of a folder.
    """
    is_folder = target.is_dir() and not target.is_symlink()
    if is_folder and not source.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder is in the place of the file", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary, former = (
        target.with_name(f".{target.name}.{new_token()}{TEMPORARY}") for _ in range(2)
    )
    try:
        copy_durably(source, temporary)
        if is_folder:
            os.replace(target, former)  # a rename cannot replace a folder that is not empty
        os.replace(temporary, target)
    finally:
        remove(temporary)
        remove(former)
    sync_folder(target.parent)


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file or folder and fsync every file of the copy."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    sync_tree(target)


def sync_tree(path: Path) -> None:
    """fsync a file, or every file of a folder and the folders themselves."""
    for member in files_in(path) if path.is_dir() else [path]:
        with open(member, "rb") as file:
            os.fsync(file.fileno())
    if path.is_dir():
        for folder in [path, *(p for p in path.rglob("*") if p.is_dir())]:
            sync_folder(folder)


def remove(path: Path) -> None:
    """Delete a file or a folder with all in it; one that is not there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def storage_errors(doing: str, folder: Path) -> Iterator[None]:
    """Turn the system's errors into StorageError, which says what was being done and what to do."""
    try:
        yield
    except OSError as error:
        remedy = {
            errno.ENOSPC: "The disk is full: free some room, or lower `keep` in "
            "memory_budget.toml and run `clean --old`.",
            errno.EDQUOT: "Your disk quota is used up: free some room or ask for more.",
            errno.EACCES: "Check who owns the folder and may write there.",
            errno.EROFS: "The file system is read-only.",
            errno.EISDIR: "Name a file under [outputs] in pipeline.toml.",
        }.get(error.errno or 0, "Check the disk and run again.")
        raise StorageError(
            f"{doing} in {folder} failed: {error.strerror or error}. {remedy} "
            f"Earlier checkpoints are untouched."
        ) from error


def _hash_all(file: BinaryIO, digest: Hash) -> None:
    buffer = memoryview(bytearray(_CHUNK))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]  # unbuffered files have it
        digest.update(buffer[:count])
