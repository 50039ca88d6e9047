"""Write tables with just the columns that somebody asks for, before they leave this machine.

This happens in a process of its own, like a part: a format may have to be decoded for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from ..base.files import storage_errors
from ..base.secrets import Secret
from ..codecs import codec_named, format_named
from ..codecs.several import value_of
from ..disk.commit import Commit
from ..disk.hashed import is_sound
from ..disk.loading import reading
from ..disk.manifest import FileRecord
from ..disk.store import Damaged
from .main import as_failure, settle_in
from .messages import DamageFound


@dataclass(frozen=True)
class Trim:
    """One table of a checkpoint, and the columns to write of it.

    Attributes:
        folder: where the file of the record lies.
        target: the checkpoint's folder that gets the smaller file.
    """

    value: str
    record: FileRecord
    columns: tuple[str, ...]
    folder: Path
    target: Path


@dataclass(frozen=True)
class TrimOrder:
    """The tables to trim."""

    root: Path
    trims: tuple[Trim, ...]
    allowance: int
    log: Path
    secrets: tuple[Secret, ...]


@dataclass(frozen=True)
class Trimmed:
    """All files are written: their records, in the order of the order."""

    records: tuple[FileRecord, ...]


def trim(connection: Connection, order: TrimOrder) -> None:
    """Entry point of a worker: write the smaller files, and send their records."""
    settle_in(connection, order.log, order.root, order.secrets)
    value: str | None = None
    try:
        records = []
        for each in order.trims:
            value = each.value
            with storage_errors(f"Reading `{value}`", each.folder):
                if not is_sound(each.folder, each.record):
                    raise Damaged(value)
            codec, form = codec_named(each.record.codec), format_named(each.record.format)
            with reading(value):
                frozen = form.read(each.folder / each.record.file, each.columns)
            commit = Commit(each.target, order.allowance)
            records.append(commit.write(value, frozen, codec, form, value_of(value)))
        connection.send(Trimmed(tuple(records)))
    except Damaged as damage:
        connection.send(DamageFound(str(damage)))
    except BaseException as error:
        connection.send(as_failure(error, value, order.root, order.secrets))
