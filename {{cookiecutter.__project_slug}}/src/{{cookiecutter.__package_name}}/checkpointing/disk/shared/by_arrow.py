"""Objects on Hadoop's file system, by pyarrow, which loads the Java library of a Hadoop client.

Its renames are what makes an object whole: it is written under another name first. There is no
write under a condition, so `is_conditional` is False, and just one run may be at work at a time. An
object that is replaced is not there for a moment, because a rename does not replace a file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pyarrow import fs

from ...base.errors import StorageError
from ...base.files import Hash
from ...base.interrupts import end_if_called_off
from ...base.refusals import remedy_of
from ...base.texts import VALUE_CHARACTERS, cut
from ...base.urls import without_user
from .objects import Listing, Stored, local_file, other_content
from .patience import patiently

Result = TypeVar("Result")

_CHUNK = 4 * 2**20  # bytes that are read, hashed and written at a time
_UNFINISHED = re.compile(r"(?P<folder>.*/)?\.(?P<name>[^/]+)\.[0-9a-f]{16}\.unfinished", re.DOTALL)
_LASTING = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR}
_LASTING |= {errno.EISDIR, errno.ENAMETOOLONG, errno.EROFS}

_WHY = {  # what the Java library says: what a person can do
    r"GSS|Kerberos|authenticat": "Hadoop does not accept who you are. Run `kinit`, and run again.",
    r"AccessControl|Permission denied": "your user may not do that. Ask whoever owns the folder.",
    r"UnknownHost|onnection refused|ConnectException|timed? ?out|NoRouteToHost": "no answer came. "
    "Check the network and the address in the URL, and run again when Hadoop works.",
    r"[Qq]uota|ENOSPC|No space": "the storage is full, or a quota of it. Free some room there.",
    r"libhdfs|libjvm|CLASSPATH|HADOOP_HOME|JAVA_HOME|NoClassDef": "the Hadoop client is missing. "
    "Set JAVA_HOME and HADOOP_HOME, and CLASSPATH to what `hadoop classpath --glob` prints.",
}


def open_url(url: str, is_conditional: bool | None = None) -> ArrowObjects:
    """The objects at an hdfs URL, which never has conditions. Raises StorageError."""
    try:
        files, root = fs.FileSystem.from_uri(url)
    except (OSError, ValueError) as error:
        raise _failure(error, "Opening the storage", url) from error
    return ArrowObjects(url, files, root)


class ArrowObjects:
    """The objects in a folder of a file system of pyarrow; see `Objects`."""

    is_conditional = False

    def __init__(self, url: str, files: Any, root: str) -> None:
        self.url = url
        self._files = files
        self._root = root.rstrip("/")

    def read(self, name: str) -> tuple[bytes, str]:
        return self._try("Reading", name, lambda: self._read(name))

    def stat(self, name: str) -> Stored:
        return self._try("Looking for", name, lambda: self._stat(name))

    def create(self, name: str, content: bytes) -> str | None:
        return self._try("Writing", name, lambda: self._put(name, content, None))

    def replace(self, name: str, content: bytes, tag: str) -> str | None:
        return self._try("Writing", name, lambda: self._put(name, content, tag))

    def upload(self, name: str, path: Path) -> str:
        with local_file(f"Writing {name}", self.url):
            file = open(path, "rb")  # noqa: SIM115  closed by `with`
        with file:
            return self._try("Writing", name, lambda: self._send(name, file))

    def put(self, name: str, path: Path) -> str:
        with local_file(f"Writing {name}", self.url):
            file = open(path, "rb")  # noqa: SIM115  closed by `with`
        with file:
            return self._try("Writing", name, lambda: self._write_over(name, file))

    def fetch(self, name: str, path: Path) -> str:
        with local_file(f"Reading {name}", self.url):
            file = open(path, "xb", buffering=0)  # noqa: SIM115  closed by `with`
        try:
            with file:
                return self._try("Reading", name, lambda: self._receive(name, file))
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def list(self, prefix: str = "") -> Listing:
        return self._try("Listing", prefix, lambda: self._listing(prefix.strip("/")))

    def sweep(self, prefix: str, is_ours: Callable[[str], bool]) -> None:
        def attempt() -> None:
            for name in self._names(prefix.strip("/")):
                match = _UNFINISHED.fullmatch(name)
                if match and is_ours(f"{match['folder'] or ''}{match['name']}"):
                    self._files.delete_file(self._path(name))

        self._try("Sweeping", prefix, attempt)

    def copy(self, name: str, to: str) -> None:
        def attempt() -> None:
            with self._reading(name) as stream:
                self._write(to, _chunks_of(stream))

        self._try("Copying", name, attempt)

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._try("Removing", name, partial(self._files.delete_file, self._path(name)))

    def _try(self, doing: str, name: str, attempt: Callable[[], Result]) -> Result:
        """What an attempt returns; whatever it raises, as an error of ours."""
        try:
            return patiently(lambda _: attempt(), _may_pass)
        except FileNotFoundError as error:
            where = f"{self.url}/{name}"
            raise FileNotFoundError(errno.ENOENT, "there is no such object", where) from error
        except (OSError, ValueError) as error:
            raise _failure(error, f"{doing} {name or 'what is there'}", self.url) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _info(self, name: str) -> Any:
        """What the file system says about a file. Raises FileNotFoundError."""
        info = self._files.get_file_info(self._path(name))
        if info.type != fs.FileType.File:
            raise FileNotFoundError(name)
        return info

    def _stat(self, name: str) -> Stored:
        return self._stored(self._info(name))

    def _stored(self, info: Any) -> Stored:
        name = info.path[len(self._root) :].lstrip("/")
        return Stored(name, info.size, _tag(info), info.mtime.astimezone(UTC))

    def _reading(self, name: str) -> Any:
        self._info(name)  # of a folder, or of nothing, a stream has various errors
        return self._files.open_input_stream(self._path(name))

    def _read(self, name: str) -> tuple[bytes, str]:
        while True:
            tag = _tag(self._info(name))
            with self._reading(name) as stream:
                content = stream.read()
            if _tag(self._info(name)) == tag:  # else it was replaced meanwhile
                return content, tag

    def _put(self, name: str, content: bytes, tag: str | None) -> str | None:
        """Create an object, or replace the one of a tag; None if that is not what there is."""
        try:
            present, former = self._read(name)
        except FileNotFoundError:
            present, former = None, None
        if former != tag:
            return former if present == content else None
        self._write(name, iter([content]))
        return _tag(self._info(name))

    def _send(self, name: str, file: BinaryIO) -> str:
        """Write a file once; see `upload`."""
        file.seek(0)
        ours, theirs = hashlib.sha256(), hashlib.sha256()
        chunks = _hashed(_chunks_of(file), ours)
        try:
            with self._reading(name) as stream:
                for chunk in _chunks_of(stream):
                    theirs.update(chunk)
        except FileNotFoundError:
            self._write(name, chunks)
            return ours.hexdigest()
        for _ in chunks:
            pass
        if ours.digest() != theirs.digest():
            raise other_content(self.url, name)
        return ours.hexdigest()

    def _write_over(self, name: str, file: BinaryIO) -> str:
        file.seek(0)
        self._write(name, _chunks_of(file))
        return _tag(self._info(name))

    def _receive(self, name: str, file: BinaryIO) -> str:
        digest = hashlib.sha256()
        file.seek(0)
        file.truncate()
        with self._reading(name) as stream:
            for chunk in _hashed(_chunks_of(stream), digest):
                with local_file(f"Reading {name}", self.url):
                    file.write(chunk)
        return digest.hexdigest()

    def _listing(self, prefix: str) -> Listing:
        stored = (self._stored(info) for info in self._infos(prefix))
        return sorted(
            (each for each in stored if not _UNFINISHED.fullmatch(each.name)),
            key=lambda each: each.name,
        )

    def _names(self, prefix: str) -> Iterator[str]:
        """All files in a folder, also those that are not whole."""
        yield from (self._stored(info).name for info in self._infos(prefix))

    def _infos(self, prefix: str) -> Iterator[Any]:
        folder = self._path(prefix)
        if self._files.get_file_info(folder).type != fs.FileType.File:
            below = fs.FileSelector(folder, recursive=True, allow_not_found=True)
            infos = self._files.get_file_info(below)
            yield from (info for info in infos if info.type == fs.FileType.File)

    def _write(self, name: str, chunks: Iterator[bytes]) -> None:
        """Write an object under another name, and rename it when it is whole."""
        path = self._path(name)
        folder, _, last = path.rpartition("/")
        unfinished = f"{folder}/.{last}.{secrets.token_hex(8)}.unfinished"
        self._files.create_dir(folder, recursive=True)
        try:
            with self._files.open_output_stream(unfinished) as stream:
                for chunk in chunks:
                    stream.write(chunk)
            if self._files.get_file_info(path).type == fs.FileType.File:
                self._files.delete_file(path)  # Hadoop renames to a new name only
            self._files.move(unfinished, path)
        except BaseException:
            with contextlib.suppress(OSError):
                self._files.delete_file(unfinished)
            raise


def _tag(info: Any) -> str:
    return f"{info.mtime_ns}-{info.size}"


def _chunks_of(file: Any) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        end_if_called_off()
        yield chunk


def _hashed(chunks: Iterator[bytes], digest: Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _may_pass(error: Exception) -> bool:
    if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
        return False
    return error.errno not in _LASTING and not _reason(str(error))


def _reason(text: str) -> str | None:
    """What a person can do about an error of the Java library, if it is a usual one."""
    return next((why for pattern, why in _WHY.items() if re.search(pattern, text)), None)


def _failure(error: Exception, doing: str, url: str) -> StorageError:
    """The error for a person; the stack of Java in it is left out."""
    text = str(error)
    first = cut(without_user(text.partition("\n")[0]), VALUE_CHARACTERS).rstrip(". ")
    known = _reason(text)
    if known is None and isinstance(error, OSError) and error.errno in _LASTING:
        known = remedy_of(error)
    why = known or "If running again does not help, ask whoever runs the storage."
    return StorageError(f"{doing} at {url} failed: {first}. {why[:1].upper()}{why[1:]}")
