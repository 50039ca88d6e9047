"""Objects on S3, Google Cloud Storage, Azure and a mounted disk, by the package obstore.

Where keys, regions and endpoints come from is obstore's own: the variables of the environment,
service accounts, the roles of a machine. It repeats by itself what a server refuses for the moment;
what it cannot repeat alone, such as a download that breaks off, is repeated here.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import mimetypes
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import obstore
from filelock import FileLock, Timeout
from obstore import exceptions

from ...base.errors import StorageError
from ...base.files import Hash
from ...base.interrupts import end_if_called_off
from .failures import failure_of, is_no_bucket, is_unsupported, may_pass, panic
from .objects import Listing, Stored, local_file, other_content
from .opening import open_folder, open_storage
from .patience import Pulse, patiently

Result = TypeVar("Result")

_PART = 5 * 2**20  # bytes sent at once, the least that S3 takes as a part
_MOST_PARTS = 9_000  # of one object; S3 takes 10,000
_AT_ONCE = 4  # parts on the way
_LARGEST_COPY = 5 * 10**9  # bytes that S3 copies by one request
_CHUNK = 2**20  # bytes that are received or read, and hashed, at a time
_LOCK = ".replace.lock"
_STAGED = re.compile(r"(?P<name>.+)#\d+", re.DOTALL)  # of a file that is not whole yet
_LOCK_SECONDS = 30.0  # the most that a write waits for others: a lock may be of a dead machine
_PANIC = "PanicException"  # of a library in Rust; no Exception

_REFUSED = (exceptions.AlreadyExistsError, exceptions.PreconditionError)


def open_url(url: str, is_conditional: bool | None = None) -> StoredObjects:
    """The objects at an s3, gs, az, abfss or file URL. Raises StorageError."""
    if url.startswith("file://"):
        folder, storage = open_folder(url)
        return _OnDisk(url, storage, folder)
    return StoredObjects(url, open_storage(url), is_conditional)


class StoredObjects:
    """The objects of one place; see `Objects`."""

    def __init__(self, url: str, storage: Any, is_conditional: bool | None) -> None:
        self.url = url
        self._storage = storage
        self._is_conditional = is_conditional

    @property
    def is_conditional(self) -> bool:
        if self._is_conditional is None:
            name = f"probe-{secrets.token_hex(8)}.json"
            self._is_conditional = self._try("Trying conditions", name, lambda _: self._probe(name))
        return self._is_conditional

    def read(self, name: str) -> tuple[bytes, str]:
        return self._try("Reading", name, lambda _: self._get(name))

    def stat(self, name: str) -> Stored:
        return self._try("Looking for", name, lambda _: self._head(name))

    def create(self, name: str, content: bytes) -> str | None:
        return self._try("Writing", name, lambda _: self._put(name, content, None))

    def replace(self, name: str, content: bytes, tag: str) -> str | None:
        return self._try("Writing", name, lambda _: self._put(name, content, tag))

    def upload(self, name: str, path: Path) -> str:
        with local_file(f"Writing {name}", self.url):
            file = open(path, "rb")  # noqa: SIM115  closed by `with`
        with file:
            return self._try("Writing", name, lambda pulse: self._send(name, file, pulse))

    def put(self, name: str, path: Path) -> str:
        with local_file(f"Writing {name}", self.url):
            file = open(path, "rb")  # noqa: SIM115  closed by `with`
        with file:
            return self._try("Writing", name, lambda pulse: self._write_over(name, file, pulse))

    def fetch(self, name: str, path: Path) -> str:
        with local_file(f"Reading {name}", self.url):
            file = open(path, "xb", buffering=0)  # noqa: SIM115  closed by `with`
        try:
            with file:
                coming = _Coming(self._storage, name, file)
                return self._try("Reading", name, coming.receive)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def list(self, prefix: str = "") -> Listing:
        def listing(_: Pulse) -> Listing:
            pages = obstore.list(self._storage, prefix.strip("/") or None, chunk_size=1000)
            return sorted((_stored(meta) for page in pages for meta in page), key=_name)

        return self._try("Listing", prefix, listing)

    def sweep(self, prefix: str, is_ours: Callable[[str], bool]) -> None:
        """A server has only parts of uploads, which it does not show: a rule of the bucket."""

    def copy(self, name: str, to: str) -> None:
        def attempt(pulse: Pulse) -> None:
            total = self._head(name).bytes
            if total <= _LARGEST_COPY or not self.url.startswith("s3"):
                obstore.copy(self._storage, name, to)
            else:
                self._copy_parts(name, to, total, pulse)

        self._try("Copying", name, attempt)

    def remove(self, names: Iterable[str]) -> None:
        def attempt(_: Pulse) -> None:
            with _missing_passed_over():
                obstore.delete(self._storage, all_names)
                return
            for name in all_names:  # S3 passes over what is not there, others stop
                with _missing_passed_over():
                    obstore.delete(self._storage, name)

        if all_names := list(names):
            self._try("Removing", all_names[0], attempt)

    def _try(self, doing: str, name: str, attempt: Callable[[Pulse], Result]) -> Result:
        """What an attempt returns; whatever it raises, as an error of ours."""
        try:
            return patiently(attempt, may_pass)
        except (exceptions.BaseError, NotImplementedError, ValueError) as error:
            raise failure_of(error, f"{doing} {name or 'what is there'}", self.url) from error
        except FileNotFoundError as error:
            if is_no_bucket(error):
                raise failure_of(error, f"{doing} {name}", self.url) from error
            where = f"{self.url}/{name}"
            raise FileNotFoundError(errno.ENOENT, "there is no such object", where) from error
        except OSError:
            with local_file(f"{doing} {name}", self.url):
                raise
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
            raise panic(f"{doing} {name or 'what is there'}", self.url) from error

    def _get(self, name: str) -> tuple[bytes, str]:
        result = obstore.get(self._storage, name)
        return bytes(result.bytes()), _tag(result.meta)

    def _head(self, name: str) -> Stored:
        return _stored(obstore.head(self._storage, name))

    def _probe(self, name: str) -> bool:
        """Whether an object is neither created twice nor replaced where it is another one."""
        try:
            tag = _tag(obstore.put(self._storage, name, b"1", mode="create"))
            with contextlib.suppress(*_REFUSED):
                obstore.put(self._storage, name, b"2", mode="create")
                return False
            obstore.put(self._storage, name, b"3", mode=self._condition(name, tag))
            with contextlib.suppress(*_REFUSED):
                obstore.put(self._storage, name, b"4", mode=self._condition(name, tag))
                return False
        except (*_REFUSED, exceptions.BaseError, NotImplementedError) as error:
            if may_pass(error) or not is_unsupported(error):
                raise
            return False
        finally:
            with contextlib.suppress(Exception):
                obstore.delete(self._storage, name)
        return True

    def _put(self, name: str, content: bytes, tag: str | None) -> str | None:
        """Create an object, or replace the one of a tag; None if that is not what there is."""
        try:
            if self._is_conditional is False:
                return self._put_after_a_look(name, content, tag)
            mode: Any = "create" if tag is None else self._condition(name, tag)
            result = obstore.put(self._storage, name, content, mode=mode, use_multipart=False)
        except _REFUSED:
            return self._if_same(name, content)
        except FileNotFoundError as error:  # what was to be replaced; or the bucket
            if tag is None or is_no_bucket(error):
                raise
            return None
        except (exceptions.BaseError, NotImplementedError) as error:
            if not is_unsupported(error) or self._is_conditional:
                raise
            self._is_conditional = False
            return self._put_after_a_look(name, content, tag)
        return _tag(result)

    def _put_after_a_look(self, name: str, content: bytes, tag: str | None) -> str | None:
        """The same where the storage has no conditions, and just one writer is at work."""
        try:
            former = _tag(obstore.head(self._storage, name))
        except FileNotFoundError:
            former = None
        if former != tag:
            return self._if_same(name, content)
        return _tag(obstore.put(self._storage, name, content, use_multipart=False))

    def _if_same(self, name: str, content: bytes) -> str | None:
        """The tag of an object if it has this content: then our own request may have written it."""
        try:
            present, tag = self._get(name)
        except FileNotFoundError:
            return None
        return tag if present == content else None

    def _condition(self, name: str, tag: str) -> Any:
        """The condition that an object still is the one of a tag. Raises PreconditionError."""
        if not self.url.startswith("gs://"):
            return {"e_tag": f'"{tag}"'}
        meta = obstore.head(self._storage, name)
        if _tag(meta) != tag:
            raise exceptions.PreconditionError
        return {"version": meta["version"]}  # Google compares this number

    def _send(self, name: str, file: BinaryIO, pulse: Pulse) -> str:
        """Write a file once, in parts if it is large; see `upload`."""
        file.seek(0)
        total = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256()
        if total <= _PART:
            content = b"".join(_hashed(file, digest))
            if self._put(name, content, None) is None:
                raise other_content(self.url, name)
            return digest.hexdigest()
        try:
            present = self._head(name)
        except FileNotFoundError:
            self._put_parts(name, _beating(_hashed(file, digest), pulse), total)
            return digest.hexdigest()
        for _ in _beating(_hashed(file, digest), pulse):
            pass
        theirs = hashlib.sha256()
        if present.bytes == total:
            for chunk in _beating(obstore.get(self._storage, name).stream(_CHUNK), pulse):
                theirs.update(chunk)
        if theirs.digest() != digest.digest():
            raise other_content(self.url, name)
        return digest.hexdigest()

    def _write_over(self, name: str, file: BinaryIO, pulse: Pulse) -> str:
        """Write a file whatever is there, in parts if it is large; see `put`."""
        file.seek(0)
        total = os.fstat(file.fileno()).st_size
        kind = self._attributes(name)
        if total <= _PART:
            content = file.read()
            result = obstore.put(self._storage, name, content, use_multipart=False, attributes=kind)
            return _tag(result)
        chunks = iter(lambda: file.read(_CHUNK), b"")
        return self._put_parts(name, _beating(chunks, pulse), total, kind)

    def _attributes(self, name: str) -> Any:
        """What a browser has to know of an object, by its suffix."""
        kind, encoding = mimetypes.guess_type(name)
        return {"Content-Type": kind} if kind and not encoding else None

    def _put_parts(
        self, name: str, chunks: Iterator[bytes], total: int, attributes: Any = None
    ) -> str:
        """Write an object in parts, which appears with the last one; its tag."""
        result = obstore.put(
            self._storage,
            name,
            chunks,
            use_multipart=True,
            chunk_size=_part_of(total),
            max_concurrency=_AT_ONCE,
            attributes=attributes,
        )
        return _tag(result)

    def _copy_parts(self, name: str, to: str, total: int, pulse: Pulse) -> None:
        """Copy an object through this machine."""
        writer = obstore.open_writer(
            self._storage, to, buffer_size=_part_of(total), max_concurrency=_AT_ONCE
        )
        for chunk in obstore.get(self._storage, name).stream(_CHUNK):
            writer.write(chunk)
            pulse.beat()
        writer.close()  # not on an error: then nothing is written


class _OnDisk(StoredObjects):
    """The objects of a folder, such as one of a network file system.

    A disk has no replacement under a condition, so a lock on a file makes it one: the file system
    must lock files for all machines that mount it.
    """

    def __init__(self, url: str, storage: Any, folder: Path) -> None:
        super().__init__(url, storage, is_conditional=True)
        self._folder, self._lock = folder, folder / _LOCK

    def _attributes(self, name: str) -> None:
        """A file has none."""

    def list(self, prefix: str = "") -> Listing:
        return [stored for stored in super().list(prefix) if stored.name != _LOCK]

    def sweep(self, prefix: str, is_ours: Callable[[str], bool]) -> None:
        with local_file(f"Sweeping {prefix}", self.url):
            for path in (self._folder / prefix).rglob("*#*"):
                match = _STAGED.fullmatch(path.relative_to(self._folder).as_posix())
                if match and is_ours(match["name"]) and path.is_file():
                    path.unlink(missing_ok=True)

    def _put(self, name: str, content: bytes, tag: str | None) -> str | None:
        try:
            with FileLock(self._lock, timeout=_LOCK_SECONDS, poll_interval=0.01):
                return self._put_after_a_look(name, content, tag)
        except Timeout:
            raise StorageError(
                f"Writing {name} at {self.url} failed: {self._lock.name} is locked for more than "
                f"half a minute. If the machine that locked it is gone, remove that file."
            ) from None


class _Coming:
    """An object on its way into a local file; what has arrived is not asked for again."""

    def __init__(self, storage: Any, name: str, file: BinaryIO) -> None:
        self._storage, self._name, self._file = storage, name, file
        self._digest = hashlib.sha256()
        self._arrived = 0
        self._total: int | None = None
        self._tag: str | None = None

    def receive(self, pulse: Pulse) -> str:
        """Read all that is missing; the sha256 of the whole."""
        if self._arrived != self._total:
            result = obstore.get(self._storage, self._name, options=self._rest())
            self._total, self._tag = result.meta["size"], result.meta["e_tag"]
            for chunk in result.stream(_CHUNK):
                self._file.write(chunk)
                self._digest.update(chunk)
                self._arrived += len(chunk)
                end_if_called_off()
                pulse.advance()
        return self._digest.hexdigest()

    def _rest(self) -> Any:
        if not self._arrived:
            return None
        return {"range": {"offset": self._arrived}, "if_match": self._tag}


@contextlib.contextmanager
def _missing_passed_over() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if is_no_bucket(error):
            raise


def _part_of(total: int) -> int:
    """The size of a part, so that there are not too many of them."""
    return max(_PART, -(-total // _MOST_PARTS))


def _beating(chunks: Iterable[bytes], pulse: Pulse) -> Iterator[bytes]:
    for chunk in chunks:
        end_if_called_off()
        pulse.beat()
        yield chunk


def _hashed(file: BinaryIO, digest: Hash) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        yield chunk


def _stored(meta: Any) -> Stored:
    return Stored(meta["path"], meta["size"], _tag(meta), meta["last_modified"])


def _tag(meta: Any) -> str:
    """The tag of an object, alike wherever it comes from: in a header it has quotation marks."""
    return (meta["e_tag"] or "").strip('"')


def _name(stored: Stored) -> str:
    return stored.name
