"""Make the files of outputs that people and other programs read, from a checkpoint.

This happens in a process of its own, from zero RAM, like a part: the text of a table may take many
times the table's memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from ..base.errors import CheckpointingError, InexactValue
from ..base.files import storage_errors
from ..base.secrets import Secret
from ..base.units import Count
from ..codecs import PARQUETS, Format, OnDisk, codec_named, format_named, output_format
from ..codecs.several import value_of
from ..disk.commit import Commit
from ..disk.hashed import is_sound
from ..disk.loading import reading
from ..disk.manifest import FileRecord, Manifest
from ..disk.store import Damaged, Store
from ..memory.meter import letting_go
from .forks import children_end_here, children_go_without, close_file
from .main import as_failure, settle_in
from .messages import DamageFound


@dataclass(frozen=True)
class ConvertOrder:
    """The outputs of one checkpoint to convert.

    Attributes:
        suffixes: by value, the suffix of the path where it is published.
        allowance: the most bytes that may be written.
        count: how memory is counted.
    """

    root: Path
    store: Path
    manifest: Manifest
    suffixes: dict[str, str]
    allowance: int
    count: Count
    log: Path
    secrets: tuple[Secret, ...]


@dataclass(frozen=True)
class ValueConverting:
    """The file of one output is about to be made."""

    value: str


@dataclass(frozen=True)
class Converted:
    """All files are durable, and the manifest names them."""

    manifest: Manifest


def convert(connection: Connection, order: ConvertOrder) -> None:
    """Entry point of a worker: make the files, and send the checkpoint's new manifest."""
    settle_in(connection, order.log, order.root, order.secrets)
    store = Store(order.store)
    folder = store.path(order.manifest.segment, order.manifest.key)
    commit = Commit(folder, order.allowance, letting_go(order.store, order.count))
    value: str | None = None
    try:
        children_go_without(lambda: close_file(store.worker_lock_file()))
        with store.worker_lock(), children_end_here():
            # Read anew: it may have been marked as used since.
            manifest = store.find(order.manifest.segment, order.manifest.key) or order.manifest
            published = dict(manifest.published)
            for number, (value, suffix) in enumerate(order.suffixes.items()):
                connection.send(ValueConverting(value))
                stem = value if value == value_of(value) else f"{value_of(value)}-{number}"
                record = manifest.outputs[value]
                published[value] = _converted(commit, record, value, suffix, stem)
            manifest = replace(manifest, published=published)
            commit.finish(manifest)
        connection.send(Converted(manifest))
    except Damaged as damage:
        commit.abandon()
        connection.send(DamageFound(str(damage)))
    except BaseException as error:
        commit.abandon()
        connection.send(as_failure(error, value, order.root, order.secrets))


def _converted(
    commit: Commit, record: FileRecord, value: str, suffix: str, stem: str
) -> FileRecord:
    codec = codec_named(record.codec)
    form = output_format(codec.family, suffix)
    assert form is not None, "files that a step made are published as they are"
    with storage_errors(f"Reading `{value}`", commit.folder):
        if not is_sound(commit.folder, record):
            raise Damaged(value)
    with reading(value):
        path = commit.folder / record.file
        is_folder = record.format == PARQUETS  # of which a writer takes some rows at a time
        frozen = (
            OnDisk(path, PARQUETS) if is_folder else format_named(record.format).read(path, None)
        )
    with _publishing(value, form):
        return commit.write(value, frozen, codec, form, stem)


@contextlib.contextmanager
def _publishing(value: str, form: Format) -> Iterator[None]:
    """Say of whatever a writer refuses that the value is kept, and how it can be published.

    Raises InexactValue.
    """
    try:
        yield
    except InexactValue as error:
        reason = error.message.removeprefix(f"`{value}`: ")
    except (CheckpointingError, MemoryError, OSError):
        raise
    except Exception as error:  # writers raise any type
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    else:
        return
    raise InexactValue(
        f"`{value}` cannot be published as {form.suffix}: {reason}.\n"
        f"  Its checkpoint is kept: with another suffix in [outputs] no step runs again.",
        step=value,
    )
