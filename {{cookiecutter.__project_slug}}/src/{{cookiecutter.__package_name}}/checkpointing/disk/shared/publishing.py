"""Outputs at a URL: a run replaces an object only if a run of this project published it.

An object beside the target, its claim, says so, as beside a published file. Besides it has the
checksum of what was published and the tags that the storage gave it, so that nobody has to fetch an
object to know whether it is still that.

A file is one object, which is replaced at once. A folder is an object for each of its files, and no
storage shows these at once: `_SUCCESS` is removed first and written last, as Hadoop does it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from ...base.errors import ConfigurationError, StorageError
from ...base.files import files_in
from ...base.refusals import refusal_of, remedy_of
from ...base.settings import PIPELINE_FILE
from ...codecs import suffix_of
from ..claims import Checksum, Content
from ..manifest import FileRecord
from .objects import Objects

DONE = "_SUCCESS"
"""The object that is written last in a folder: as long as it is there, the folder is whole."""

_FORMAT = 1  # of a claim; another one is from another version of this runtime
_FILE = "."  # the only entry of a published file: the object itself


@dataclass(frozen=True)
class Claim:
    """What a run has published at a URL."""

    holds: str
    """The value."""

    project: str
    """The package of the project: checkouts on several machines are one project."""

    checksum: str = ""
    """xxh3_128 of the file or folder; empty while it is being published."""

    objects: dict[str, str] = field(default_factory=dict)
    """The tag of each object, by its path below the URL, or `.` for a file; of one that is yet to
    be written it is empty."""

    def content(self) -> bytes:
        """The claim as it is written."""
        return (json.dumps({"format": _FORMAT, **asdict(self)}, indent=1) + "\n").encode()


@dataclass(frozen=True)
class _Seen:
    """What was at a target: its objects with their tags, and the claim with its own tag."""

    objects: dict[str, str]
    claim: Claim | None
    tag: str


@dataclass(frozen=True)
class ObjectTarget:
    """The URL that `[outputs]` names for a value, and the project that publishes there."""

    value: str
    text: str
    """The URL."""

    project: str
    opened: Callable[[str], Objects]

    @property
    def name(self) -> str:
        """The name of the object, or of the folder."""
        return self.text.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """What says in which format the value is published."""
        return suffix_of(self.name)

    @property
    def place(self) -> str:
        """What is out of reach with this target: the bucket."""
        parts = urlsplit(self.text)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def claim(self) -> str:
        """The URL of the claim."""
        return f"{self._folder}/{self._claim}"

    @contextmanager
    def failures(self, doing: str) -> Iterator[None]:
        """What the storage or the system refuses while `doing` something, as a StorageError."""
        try:
            yield
        except StorageError as error:
            error.add(f"{doing} ended there. Earlier checkpoints are untouched.")
            raise
        except OSError as error:
            raise StorageError(
                f"{doing} at {self.text} failed: {refusal_of(error)}. {remedy_of(error)} "
                f"Earlier checkpoints are untouched."
            ) from error

    def require_ours(self) -> None:
        """Refuse a target with anything that no run of the project has published.

        Raises ConfigurationError, also if another project publishes there, and StorageError.
        """
        self._seen()

    def content(self, record: FileRecord, hashed: Checksum) -> Content:
        """What is at the target, beside what a checkpoint has. Raises as `require_ours`.

        Nothing is fetched: the claim has the checksum of the objects that have these tags.
        """
        seen = self._seen()
        if not seen.objects:
            return "missing"
        claim = seen.claim
        is_same = claim and (claim.checksum, claim.objects) == (record.checksum, seen.objects)
        return "published" if is_same else "changed"

    def publish(self, source: Path, record: FileRecord) -> None:
        """Put a file there at once, or a folder file by file, and claim it.

        Raises as `require_ours`; what was there before stays, but for some files of a folder.
        """
        files = _files(source)
        seen = self._announce(files)
        gone = seen.objects.keys() - files.keys()
        if (_FILE in gone) or (_FILE in files and gone):
            self._remove(gone)  # a folder in the place of a file, or the other way round
        tags = {}
        if _FILE not in files:
            self._remove({DONE} & seen.objects.keys())
        for entry, path in files.items():
            if entry == DONE:
                self._remove(gone)
            tags[entry] = self._put(entry, path)
        self._write(Claim(self.value, self.project, record.checksum, tags), seen.tag)

    def sweep(self) -> None:
        """Do nothing: a run that was killed has left no object under a temporary name."""

    @cached_property
    def _objects(self) -> Objects:
        return self.opened(self._folder)

    @property
    def _folder(self) -> str:
        return self.text.rpartition("/")[0]

    @property
    def _claim(self) -> str:
        return f".{self.name}.published"

    def _path(self, entry: str) -> str:
        return self.name if entry == _FILE else f"{self.name}/{entry}"

    def _remove(self, entries: set[str]) -> None:
        if entries:
            self._objects.remove(map(self._path, sorted(entries)))

    def _put(self, entry: str, path: Path | None) -> str:
        """Write an object over what is there; its tag."""
        if path is not None:
            tag = self._objects.put(self._path(entry), path)
            return tag or self._objects.stat(self._path(entry)).tag
        created = self._objects.create(self._path(entry), b"")
        if created is None:
            raise self._disturbed()
        return created

    def _announce(self, files: dict[str, Path | None]) -> _Seen:
        """Claim new objects before they are written: what is there now stays claimed as well."""
        seen = self._seen()
        former = seen.claim.objects if seen.claim else {}
        if seen.claim is not None and files.keys() <= former.keys():
            return seen
        objects = dict.fromkeys(files, "") | former
        tag = self._write(Claim(self.value, self.project, "", objects), seen.tag)
        return _Seen(seen.objects, seen.claim, tag)

    def _write(self, claim: Claim, former: str) -> str:
        """Replace the claim that had the tag `former`, which is empty if there was none."""
        content = claim.content()
        tag = (
            self._objects.replace(self._claim, content, former)
            if former
            else self._objects.create(self._claim, content)
        )
        if tag is None:
            self._seen()  # says so, if it is another project
            raise self._disturbed()
        return tag

    def _disturbed(self) -> StorageError:
        return StorageError(
            f"another run of this project has published at {self.text} at the same time. Let one "
            f"run at a time publish there, and run again."
        )

    def _seen(self) -> _Seen:
        """What is at the target, if all of it is ours. Raises as `require_ours`."""
        objects = self._present()  # first, because a run claims objects before it writes them
        claim, tag = self._read()
        where = f"[outputs] `{self.value}`: {self.text}"
        instead = f"Name another URL in {PIPELINE_FILE}."
        if claim is not None and claim.project != self.project:
            raise ConfigurationError(
                f"{where} belongs to the project `{claim.project}`, this one is `{self.project}`. "
                f"{instead} If that project is this one under a former name, write "
                f'"project": {json.dumps(self.project)} into {self.claim}.'
            )
        foreign = sorted(objects.keys() - (claim.objects.keys() if claim else set()))
        if claim is None and foreign:
            raise ConfigurationError(
                f"{where} exists, and no run of this project has published it, so it is not "
                f"replaced. Move it away, or name another URL in {PIPELINE_FILE}."
            )
        if foreign:
            raise ConfigurationError(
                f"{where} is replaced as a whole, and no run has published "
                f"`{self._path(foreign[0])}` there. Move that away. {instead}"
            )
        return _Seen(objects, claim, tag)

    def _present(self) -> dict[str, str]:
        """The objects at the target, with their tags."""
        below = len(self.name) + 1
        present = {stored.name[below:]: stored.tag for stored in self._objects.list(self.name)}
        with suppress(FileNotFoundError):
            present[_FILE] = self._objects.stat(self.name).tag
        return present

    def _read(self) -> tuple[Claim | None, str]:
        try:
            content, tag = self._objects.read(self._claim)
        except FileNotFoundError:
            return None, ""
        try:
            return _claim(content), tag
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ConfigurationError(
                f"{self.claim} is damaged, so nothing tells whose {self.text} is. Move both away."
            ) from None


def _claim(content: bytes) -> Claim:
    """A claim from its JSON. Raises what JSON and wrong types raise."""
    data = json.loads(content)
    if data.pop("format") != _FORMAT:
        raise ValueError("it is from another version")
    claim = Claim(**data)
    texts = (claim.holds, claim.project, claim.checksum, *claim.objects, *claim.objects.values())
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("it has other things than texts")
    return claim


def _files(source: Path) -> dict[str, Path | None]:
    """What is written for a file or a folder, in this order; None is an empty object."""
    if not source.is_dir():
        return {_FILE: source}
    files: dict[str, Path | None] = {
        path.relative_to(source).as_posix(): path for path in files_in(source)
    }
    for entry in files:
        if not entry.isprintable():  # surrogates of bytes that are no UTF-8, line breaks
            raise StorageError(
                f"the file name {entry!r} cannot be that of an object. Rename the file in the step "
                f"that makes it."
            )
    return files | {DONE: files.pop(DONE, None)}
