"""Files of checkpoints on their way: to a URL, from there, and from name to name at the URL.

What comes is verified before it has the name of the file: by sha256, and by the checksum that the
commit noted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from stat import S_IXUSR
from typing import TypeVar

from ...base.errors import StorageError
from ...base.files import (
    checksum,
    files_in,
    remove,
    stamp,
    storage_errors,
    sync_folder,
    sync_tree,
)
from ...base.interrupts import end_if_called_off
from ...base.names import temporary_name
from ..manifest import FileRecord
from .contents import Contents, require_short
from .objects import Objects
from .trust import ITSELF

_CHUNK = 1 << 22  # bytes hashed at a time
_SMALL = 1 << 20  # bytes of a file that moves together with others
_AT_ONCE = 8  # of these

Result = TypeVar("Result")


class Transfer:
    """Moves the files of one pipeline's checkpoints between its local folder and a URL.

    Safe for threads that send, or copy to, different checkpoints.
    """

    def __init__(self, objects: Objects, folder: Path) -> None:
        self.objects = objects
        self.folder = folder
        self.sent_bytes = self.fetched_bytes = 0
        self._counting = threading.Lock()
        self._copies: dict[tuple[str, str], dict[str, str]] = {}
        """For each checkpoint, by the name to come, of what it is a copy."""

    def send(self, contents: Contents, segment: str, key: str, record: FileRecord) -> FileRecord:
        """Have a file at the URL; the record with what the URL needs of it.

        What is there with the right size is not sent again: a name has one content only.

        Raises StorageError.
        """
        path = self.folder / segment / key / record.file
        if record.sha256 and is_whole(contents.files(segment, key, record.file), record):
            return record
        with storage_errors("Reading a file to push", path.parent):
            members = _members(path)
            sizes = {name: member.stat().st_size for name, member in members.items()}
        there = contents.files(segment, key, record.file)
        names = {name: contents.name(segment, key, _inside(record.file, name)) for name in members}
        for name, member in members.items():
            require_short(self.objects.url, names[name], member)

        def sent(name: str) -> str:
            if name in there and there[name].bytes == sizes[name]:
                with storage_errors("Reading a file to push", path.parent):
                    return _sha256(members[name])
            return self.objects.upload(names[name], members[name])

        digests = {}
        for name, digest in several(sent, sizes):
            digests[name] = digest
            if name not in there or there[name].bytes != sizes[name]:
                contents.put(segment, key, _inside(record.file, name), sizes[name])
                with self._counting:
                    self.sent_bytes += sizes[name]
        return replace(
            record,
            sha256=_sha256_of(digests),
            folders=_empty_folders(path),
            executable=tuple(n for n, m in members.items() if m.stat().st_mode & S_IXUSR),
        )

    def fetch(self, contents: Contents, segment: str, key: str, record: FileRecord) -> FileRecord:
        """Bring a file here; the record with its stamp. What is in its place is replaced.

        Raises:
            FileNotFoundError: it is not at the URL, or not as it was sent.
            StorageError: the URL or this disk refuses.
        """
        folder = self.folder / segment / key
        path = folder / record.file
        with storage_errors("Fetching a checkpoint's file", folder):
            folder.mkdir(parents=True, exist_ok=True)
        copy = folder / temporary_name(record.file.partition("/")[0])
        try:
            for _ in range(2):  # what came may be damaged on the way
                if self._came_whole(contents, segment, key, record, copy):
                    break
                remove(copy)
            else:
                raise FileNotFoundError(f"{record.file} is not as it was sent")
            with storage_errors("Fetching a checkpoint's file", folder):
                sync_tree(copy)
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    remove(path)
                os.replace(copy, path)
                sync_folder(path.parent)
                mtime_ns, inode = stamp(path)
        finally:
            with contextlib.suppress(OSError):  # a later run removes what stays
                remove(copy)
        return replace(record, mtime_ns=mtime_ns, inode=inode)

    def is_sound(self, contents: Contents, segment: str, key: str, record: FileRecord) -> bool:
        """Whether a file at the URL is as it was sent: fetches it, and keeps nothing.

        Raises StorageError.
        """
        folder = self.folder / segment / key
        copy = folder / temporary_name(record.file.partition("/")[0])
        try:
            with storage_errors("Fetching a checkpoint's file", folder):
                folder.mkdir(parents=True, exist_ok=True)
            return self._came_whole(contents, segment, key, record, copy)
        finally:
            with contextlib.suppress(OSError):
                remove(copy)

    def copy(
        self,
        contents: Contents,
        source: tuple[str, str, str],
        target: tuple[str, str, str],
    ) -> None:
        """Give a file, or all files of a folder, at the URL another name there, by `finish_copies`.

        Source and target are segment, key and path.
        """
        segment, key, file = target
        former = self._copies.get(source[:2], {})
        copies = self._copies.setdefault((segment, key), {})
        for name, stored in contents.files(*source).items():
            inside = _inside(file, name)
            copies[contents.name(segment, key, inside)] = former.get(stored.name, stored.name)
            contents.put(segment, key, inside, stored.bytes)

    def finish_copies(self, segment: str, key: str) -> None:
        """Copy what a checkpoint has of others, several at a time: nothing of it comes here.

        Raises StorageError; then they are still to be copied.
        """
        copies = self._copies.get((segment, key), {})

        def copied(to: str) -> None:
            self.objects.copy(copies[to], to)

        try:
            list(several(copied, dict.fromkeys(copies, 0)))
        except FileNotFoundError as error:
            raise StorageError(f"{error.filename} was there a moment ago. Run again.") from None
        self._copies.pop((segment, key), None)

    def _came_whole(
        self, contents: Contents, segment: str, key: str, record: FileRecord, copy: Path
    ) -> bool:
        """Fetch a file under a temporary name; whether it is as it was sent."""
        there = contents.files(segment, key, record.file)
        if not is_whole(there, record):
            return False
        digests = {}
        try:
            with storage_errors("Fetching a checkpoint's file", copy.parent):
                if ITSELF not in there:
                    copy.mkdir()
                for name in record.folders if ITSELF not in there else ():
                    (copy / name).mkdir(parents=True, exist_ok=True)

            def fetched(name: str) -> str:
                member = copy if name == ITSELF else copy / name
                with storage_errors("Fetching a checkpoint's file", copy.parent):
                    member.parent.mkdir(parents=True, exist_ok=True)
                return self.objects.fetch(there[name].name, member)

            for name, digest in several(fetched, {n: s.bytes for n, s in there.items()}):
                digests[name] = digest
                with self._counting:
                    self.fetched_bytes += there[name].bytes
        except FileNotFoundError:  # somebody removed it since it was listed
            return False
        with storage_errors("Reading what was fetched", copy.parent):
            for name in record.executable:
                member = copy if name == ITSELF else copy / name
                if member.is_file():
                    member.chmod(member.stat().st_mode | ((member.stat().st_mode & 0o444) >> 2))
            is_sent = record.sha256 in ("", _sha256_of(digests))
            return is_sent and checksum(copy) == record.checksum


def several(act: Callable[[str], Result], sizes: Mapping[str, int]) -> Iterator[tuple[str, Result]]:
    """What a function returns for each name: for small files several at a time, for others not.

    A large file has several parts on the way already, and each of them takes memory.
    """
    small = [name for name, count in sizes.items() if count <= _SMALL]
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        try:
            for name, result in zip(small, workers.map(act, small), strict=True):
                end_if_called_off()  # the workers do not know of it
                yield name, result
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise
    for name in [name for name in sizes if name not in set(small)]:
        yield name, act(name)


def is_whole(there: Mapping[str, object], record: FileRecord) -> bool:
    """Whether the objects of a file have its size together; a folder of empty ones has none."""
    count = sum(getattr(stored, "bytes", 0) for stored in there.values())
    return count == record.bytes and bool(there or record.folders)


def _inside(file: str, name: str) -> str:
    """The path in a checkpoint's folder of a file, or of one in a folder."""
    return file if name == ITSELF else f"{file}/{name}"


def _members(path: Path) -> dict[str, Path]:
    """A file, or all files in a folder, by their path in it or `.`."""
    if not path.is_dir():
        return {ITSELF: path}
    return {member.relative_to(path).as_posix(): member for member in files_in(path)}


def _empty_folders(path: Path) -> tuple[str, ...]:
    """The folders in a folder, and itself, that contain nothing."""
    if not path.is_dir():
        return ()
    folders = [path, *(p for p in path.rglob("*") if p.is_dir() and not p.is_symlink())]
    return tuple(sorted(f.relative_to(path).as_posix() for f in folders if not any(f.iterdir())))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            end_if_called_off()
            digest.update(piece)
    return digest.hexdigest()


def _sha256_of(digests: Mapping[str, str]) -> str:
    """That of a file itself, or one made of the names and digests of a folder's files."""
    if digests.keys() == {ITSELF}:
        return digests[ITSELF]
    digest = hashlib.sha256()
    for name in sorted(digests):
        digest.update(os.fsencode(name) + b"\0" + digests[name].encode())
    return digest.hexdigest()
