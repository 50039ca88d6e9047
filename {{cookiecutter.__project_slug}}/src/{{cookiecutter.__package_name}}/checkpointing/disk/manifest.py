"""The manifest of a checkpoint: its values, and what they were made from.

A checkpoint exists once its manifest does; its files may lie in its folder before. While a segment
runs in several parts, a partial manifest lists the values of its finished parts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import xxhash

from ..base.errors import StorageError
from ..base.files import replace_text, stamp, total_bytes
from ..base.reading import MOST_JSON_BYTES, read_bytes, read_json
from ..base.refusals import is_passing
from ..codecs.several import INDEX, value_of

MANIFEST = "manifest.json"
PARTIAL = "partial.json"

FurtherFiles = dict[str, tuple[str, str]]
"""By the name of a module that ran and that the key does not contain: its file, from the project's
folder, and its digest."""


@dataclass(frozen=True)
class FileRecord:
    """One value's file: enough to load it, and to check whether it is still as it was written.

    `file` is relative to the checkpoint's folder. `bytes` is the size on disk; `checksum` is
    xxh3_128. While `bytes`, `mtime_ns` and `inode` are what `stat` gives, the file was not touched
    since the commit and need not be hashed again.

    `sha256` is there once the file lies on shared storage; that of a folder is made of the names
    and the sha256 of its files. `folders` and `executable` are what objects lack: the folders in
    it that contain nothing, and the files that may be executed, `.` for the file or folder itself.

    `columns` are those of a table that were written, if that are not all.
    """

    file: str
    codec: str
    format: str
    bytes: int
    checksum: str
    mtime_ns: int
    inode: int
    description: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    folders: tuple[str, ...] = ()
    executable: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def has(self, columns: Collection[str]) -> bool:
        """Whether the file has the columns that are read of its table; no columns: all."""
        return not self.columns or (bool(columns) and set(columns) <= set(self.columns))

    @property
    def identity(self) -> str:
        """What a key contains of the value: its checksum, and for a step's own files their name."""
        name = self.file.partition("/")[2]
        return f"{self.checksum} {name}" if name else self.checksum

    def untouched(self, folder: Path) -> bool:
        """Whether the file is, by its stat, the one that was committed."""
        path = folder / self.file
        try:
            current = total_bytes(path), *stamp(path)
        except OSError:
            return False
        return current == (self.bytes, self.mtime_ns, self.inode)


@dataclass(frozen=True)
class Acceptance:
    """What a person declared: some edits do not change the values of a checkpoint."""

    who: str

    at: str
    """When, in UTC."""

    why: str

    differed: tuple[str, ...]
    """What had changed since the values were made, for people."""

    @property
    def sentence(self) -> str:
        """All of it in a sentence."""
        moment = self.at[:16].replace("T", " ")
        return f"accepted by {self.who} on {moment} UTC: {self.why} ({'; '.join(self.differed)})"


@dataclass(frozen=True)
class Manifest:
    """A checkpoint: the values kept for later steps, the outputs, and what both came from.

    `steps` are the steps that ran: all of the segment's, or those of its finished parts. `params`
    are those that it depends on, also through the values of earlier segments. `seconds` is the time
    of the steps, without the commit. `use` is highest for the checkpoint of a segment that a run
    made or reused last; a former runtime left it 0. `ran` says of each step when it ran last: in
    which run of the segment, counted like `use`, and at which time.
    `further` are the file and the digest of modules that ran and that the key does not contain, by
    name. `published` are the files made of outputs for people and other programs, in formats that
    no step reads.

    `step_keys` are the keys of its steps, and `wiring` says how each is called and stored; a former
    runtime left both empty. `item_keys` are the keys of the items that a step has run for, by the
    names of what it made of them; `journal` is the file of an unfinished checkpoint that lists the
    items that were done since it was written. `accepted` says who declared that edits do not change
    its values.
    """

    pipeline: str
    segment: str
    key: str
    steps: tuple[str, ...]
    ingredients: dict[str, Any]
    values: dict[str, FileRecord]
    outputs: dict[str, FileRecord]
    committed_at: str
    seconds: float
    params: dict[str, str] = field(default_factory=dict)
    use: int = 0
    ran: dict[str, tuple[int, str]] = field(default_factory=dict)
    further: FurtherFiles = field(default_factory=dict)
    published: dict[str, FileRecord] = field(default_factory=dict)
    step_keys: dict[str, str] = field(default_factory=dict)
    item_keys: dict[str, str] = field(default_factory=dict)
    journal: str = ""
    wiring: dict[str, str] = field(default_factory=dict)
    accepted: tuple[Acceptance, ...] = ()

    def records(self) -> list[tuple[str, FileRecord]]:
        """All files with the names of their values."""
        return [*self.values.items(), *self.outputs.items(), *self.published.items()]

    @property
    def entries(self) -> set[str]:
        """The names of the files and folders in the checkpoint's folder that contain its values."""
        entries = {record.file.partition("/")[0] for _, record in self.records()}
        return entries | ({self.journal} if self.journal else set())

    def record_with(self, name: str, columns: Collection[str]) -> FileRecord | None:
        """The file to load some columns of a table from; no columns: all of it."""
        records = (self.values.get(name), self.outputs.get(name))
        return next((record for record in records if record and record.has(columns)), None)

    def taken(self, name: str) -> dict[str, FileRecord]:
        """The files to load for a value or an item; of a value of several, its index and items.

        Raises KeyError if the value is not kept for later steps.
        """
        record = self.values[name]
        if record.codec != INDEX:
            return {name: record}
        inside = {n: r for n, r in self.values.items() if n.startswith(f"{name}.")}
        return {name: record, **inside}

    def items(self, step: str) -> dict[str, FileRecord]:
        """The files to load for a step's value and for all items of it that are kept."""
        kept = self.outputs | self.values
        return {name: record for name, record in kept.items() if value_of(name) == step}

    def identity(self, step: str) -> str | None:
        """What a key contains of all that is kept of a step's value; None if that is nothing."""
        records = sorted(self.items(step).items())
        return " ".join(f"{name} {record.identity}" for name, record in records) or None

    @property
    def bytes(self) -> int:
        """Bytes on disk; a file that is both a value's and an output's counts once."""
        return sum({record.file: record.bytes for _, record in self.records()}.values())

    def with_records(self, change: Callable[[FileRecord], FileRecord]) -> Manifest:
        """The same with each record changed; the file of several values has several records."""
        values, outputs, published = (
            {name: change(record) for name, record in kept.items()}
            for kept in (self.values, self.outputs, self.published)
        )
        return replace(self, values=values, outputs=outputs, published=published)

    def text(self) -> str:
        """The manifest as it is written."""
        content = asdict(self)
        return json.dumps({"checksum": _checksum(content), **content}, indent=1)

    def write(self, folder: Path, name: str = MANIFEST) -> None:
        """Make the checkpoint exist, durably, and at once or not at all."""
        replace_text(folder / name, self.text())


def read_manifest(folder: Path, name: str = MANIFEST) -> Manifest | None:
    """The manifest in a folder, or None when there is no checkpoint.

    Raises:
        StorageError: the manifest is there, but not as it was written.
        OSError: the system does not let this process read it now.
    """
    try:
        manifest = parse_manifest(read_json(folder / name))
        return with_noted(folder, manifest) if manifest.journal else manifest
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if is_passing(error):
            raise
        raise StorageError(f"{folder / name} is damaged: {error.strerror}") from None
    except ValueError as error:
        raise StorageError(f"{folder / name} is damaged: {error}") from None


def parse_manifest(content: Any) -> Manifest:
    """A manifest from its JSON. Raises ValueError when that is not as it was written."""
    try:
        stated = content.pop("checksum")
        if stated != _checksum(content):
            raise ValueError("its checksum does not match")
        for kind in ("values", "outputs", "published"):
            records = content.get(kind, {}) if kind == "published" else content[kind]
            content[kind] = {name: _file_record(each) for name, each in records.items()}
        further = {
            name: (file, digest) for name, (file, digest) in content.get("further", {}).items()
        }
        accepted = tuple(
            Acceptance(**each | {"differed": tuple(each["differed"])})
            for each in content.get("accepted", ())
        )
        whole = {
            "steps": tuple(content["steps"]),
            "further": further,
            "accepted": accepted,
            "ran": {name: (number, at) for name, (number, at) in content.get("ran", {}).items()},
        }
        return Manifest(**_known(Manifest, content | whole))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(str(error)) from None


def _known(kind: Any, content: dict[str, Any]) -> dict[str, Any]:
    """What this runtime knows of it: a later one may write more, which changes no value."""
    names = {field.name for field in fields(kind)}
    return {name: own for name, own in content.items() if name in names}


def note_of(
    name: str,
    key: str,
    kept: FileRecord | None,
    output: FileRecord | None,
    further: FurtherFiles,
) -> str:
    """A line of a journal: an item that is done, its key, and the files of what was made of it.

    `further` are those modules of the manifest's that are known since the line before.
    """
    content = {
        "name": name,
        "key": key,
        "kept": asdict(kept) if kept else None,
        "output": asdict(output) if output else None,
        "further": further,
    }
    return json.dumps({"checksum": _checksum(content), **content}) + "\n"


def with_noted(folder: Path, manifest: Manifest) -> Manifest:
    """An unfinished checkpoint with the items that its journal lists.

    A line that is not whole counts for nothing: its process died while it wrote that.
    """
    values, outputs = dict(manifest.values), dict(manifest.outputs)
    keys, further = dict(manifest.item_keys), dict(manifest.further)
    try:
        content = read_bytes(folder / manifest.journal, MOST_JSON_BYTES)
    except FileNotFoundError:
        content = b""
    for line in content.splitlines():
        try:
            note = json.loads(line)
            if note.pop("checksum") != _checksum(note):
                continue
            kept, output = (r and _file_record(r) for r in (note["kept"], note["output"]))
            found = {module: (str(file), str(digest)) for module, (file, digest) in _of(note)}
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        further |= found
        keys[note["name"]] = note["key"]
        values |= {note["name"]: kept} if kept else {}
        outputs |= {note["name"]: output} if output else {}
    return replace(manifest, values=values, outputs=outputs, item_keys=keys, further=further)


def _of(note: dict[str, Any]) -> Iterable[tuple[str, tuple[str, str]]]:
    """The further modules of a note; a former runtime noted none."""
    return note.get("further", {}).items()  # type: ignore[no-any-return]


def _file_record(content: dict[str, Any]) -> FileRecord:
    """A record from its JSON; a former runtime left out what shared storage needs, and more."""
    names = ("folders", "executable", "columns")
    lists = {name: tuple(content.get(name, ())) for name in names}
    return FileRecord(**_known(FileRecord, content | lists))


def _checksum(content: dict[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())
