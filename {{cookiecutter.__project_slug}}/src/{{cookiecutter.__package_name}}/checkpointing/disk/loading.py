"""Read checkpointed values: turn errors of readers into ours, and load one value for a person.

A person loads values in a notebook, or with the command `show`.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.errors import (
    CheckpointingError,
    ConfigurationError,
    StorageError,
    nearest,
)
from ..base.settings import Settings
from ..codecs import (
    PARQUETS,
    Codec,
    codec_named,
    format_named,
    is_own,
    read_first,
    read_lazily,
)
from ..codecs.several import INDEX, assemble, item_name, key_of, value_of
from ..graph.graph import Graph
from .manifest import FileRecord, Manifest
from .place import checkpoints_place
from .store import Damaged, Store
from .stores import open_store


@contextlib.contextmanager
def reading(value: str) -> Iterator[None]:
    """Turn any error while the file of a value is read into Damaged.

    Its bytes may be as they were committed, by a version that did not read them back.
    """
    try:
        yield
    except (CheckpointingError, MemoryError):
        raise
    except Exception as error:  # readers raise what they like
        raise Damaged(value) from error


def _whole(codec: Codec, path: Path) -> Any:
    """A table that a library has written itself, for a person.

    Of the library if it runs in this process; to start it would take seconds, and memory. Else a
    `pyarrow.dataset.Dataset` of the files, which are read when it is asked for rows.
    """
    is_running = codec.running is not None and codec.running()
    if is_running and codec.open is not None:
        return codec.open(path, None)
    return read_lazily(path)


@dataclass(frozen=True)
class Head:
    """The first rows of a table, to be printed.

    Attributes:
        kind: the name of the whole's class.
        rows: how many the whole has.
        value: the first of them; those of an engine as a DataFrame.
        note: what to know of it: of columns that were not kept, and of rows without an order.
    """

    kind: str
    rows: int
    value: Any
    note: str = ""


_NO_ORDER = "Spark keeps no order: these are the first rows of its first file."


def load_value(
    graph: Graph,
    settings: Settings,
    value: str,
    *,
    adapters_edited: bool = False,
    first: int | None = None,
) -> Any:
    """A value as a run last made or reused it, of the type that its step returned then.

    Of a table it may be just the columns that later steps read: then a warning says so.

    An item of a value that is made of several has the name `value.key`. Of a value with fields
    this returns the items by their names, because only the project's code has the class.

    Args:
        adapters_edited: whether adapters.py is not what this process has imported.
        first: of each table return a Head of that many rows, whatever the size of the whole.

    Raises:
        ConfigurationError: no step makes that value, the checkpoints are another project's, or a
            codec of adapters.py that made it is not what this process has imported.
        StorageError: the newest checkpoint of its segment does not contain it, or its file is
            damaged or cannot be read.
    """
    made = {step.name: step for step in graph.steps if step.codec is not None}
    shape = made[value_of(value)].shape if value_of(value) in made else None
    if value not in made and (shape is None or shape.type_of(key_of(value)) is None):
        items = [item_name(n, key) for n, s in made.items() if s.shape for key in s.shape.keys]
        raise ConfigurationError(f"no step makes `{value}`{nearest(value, [*made, *items])}")
    place = checkpoints_place(settings, graph.name)
    store = open_store(settings, graph.name)
    store.refresh()
    place.is_ours()
    segment = graph.producer(value).name
    newest = store.newest(segment)  # an older one is of other code or inputs
    kept = _fullest(newest) if newest is not None else {}
    if newest is None or value not in kept:
        raise StorageError(_absence(value, kept, segment))
    load = _Loading(store, newest, adapters_edited, first)
    if kept[value].codec != INDEX or shape is None:
        return load.value(value, kept[value])
    keys: list[str] = load.value(value, kept[value])["keys"]
    names = {key: item_name(value, key) for key in keys}
    if missing := [name for name in names.values() if name not in kept]:
        raise StorageError(_absence(missing[0], kept, segment))
    inside = {key: load.value(name, kept[name]) for key, name in names.items()}
    return inside if shape.kind == "fields" else assemble(shape, inside, None)


def _fullest(manifest: Manifest) -> dict[str, FileRecord]:
    """The file of each value and item; the output where the other has not all columns."""
    partial = {name for name, record in manifest.values.items() if record.columns}
    outputs = {name: record for name, record in manifest.outputs.items() if name in partial}
    return manifest.outputs | manifest.values | outputs


def _of_some(value: str, record: FileRecord, segment: str) -> str:
    """What to know of a table of which only some columns are there; empty if all are."""
    if not record.columns:
        return ""
    names = ", ".join(f"`{column}`" for column in record.columns)
    return (
        f"Of `{value}`, the columns that later steps read are kept: {names}. "
        f"`run --keep-all --rerun-from {segment}` keeps all."
    )


def _absence(value: str, kept: Mapping[str, Any], segment: str) -> str:
    items = [name for name in kept if value_of(name) == value_of(value) != name]
    only = f" Kept are {', '.join(f'`{name}`' for name in items)}." if items else ""
    return (
        f"no checkpoint contains `{value}`. Run the pipeline; a value stays on disk only when "
        f"a later segment reads it, or nothing does. "
        f"`run --keep-all --rerun-from {segment}` keeps every value.{only}"
    )


@dataclass(frozen=True)
class _Loading:
    """Loads values from the folder of one checkpoint."""

    store: Store
    manifest: Manifest
    adapters_edited: bool
    first: int | None

    @property
    def folder(self) -> Path:
        return self.store.path(self.manifest.segment, self.manifest.key)

    def value(self, value: str, record: FileRecord) -> Any:
        """One value, as its codec thaws it. Raises ConfigurationError, StorageError."""
        path = self.folder / record.file
        try:
            self.store.bring(self.manifest, {value: record}, verify=True)
        except Damaged:
            raise StorageError(f"{path} is damaged; `run` will rebuild it.") from None
        if self.adapters_edited and is_own(record.codec):
            raise ConfigurationError(
                f"`{value}` is kept by the codec {record.codec} of adapters.py, whose code was "
                f"edited after this session had imported it. Start the session again to load it."
            )
        some = _of_some(value, record, self.manifest.segment)
        if some and self.first is None:
            warnings.warn(some, stacklevel=4)  # of who has called `Pipeline.load`
        try:
            with reading(value):
                codec = codec_named(record.codec)
                if record.format == "path":
                    return codec.thaw(path)
                if self.first is not None and codec.family == "table":
                    rows, frozen = read_first(path, record.format, self.first)
                    shown = codec_named("DataFrame") if codec.prepare or codec.batches else codec
                    kind = codec.type_name.rpartition(".")[2]
                    notes = [_NO_ORDER if codec.store is not None else "", some]
                    return Head(kind, rows, shown.thaw(frozen), "\n".join(filter(None, notes)))
                if record.format == PARQUETS:
                    return _whole(codec, path)
                return codec.thaw(format_named(record.format).read(path, None))
        except Damaged as damage:
            raise StorageError(
                f"{path} cannot be read ({damage.__cause__}), though it is as it was committed. "
                f"Make it anew with `run --rerun-from {self.manifest.segment}`."
            ) from damage
