"""Read checkpointed values: turn errors of readers into ours, and load one value for a person.

A person loads values in a notebook, or with the command `show`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..base.errors import (
    CheckpointingError,
    ConfigurationError,
    InexactValue,
    StorageError,
    nearest,
)
from ..base.settings import Settings
from ..codecs import codec_named, format_named, is_own
from ..graph.graph import Graph
from .place import checkpoints_place
from .store import Damaged, Store, is_sound


@contextlib.contextmanager
def restoring(value: str, *, is_stored: bool) -> Iterator[None]:
    """Turn any error while a value is read, or made from its frozen form, into one of these.

    Raises:
        Damaged: the value lies in a checkpoint. Its bytes may be as they were committed, by a
            version that did not read them back.
        InexactValue: a step of this process made it.
    """
    try:
        yield
    except (CheckpointingError, MemoryError):
        raise
    except Exception as error:  # readers raise what they like
        if is_stored:
            raise Damaged(value) from error
        raise InexactValue(
            f"`{value}` is of a kind that no checkpoint gives back ({error}). Convert it to a "
            f"plainer type, with astype(...) say.",
            step=value,
        ) from error


def load_value(
    graph: Graph, settings: Settings, value: str, *, adapters_edited: bool = False
) -> Any:
    """A value as a run last made or reused it, of the type that its step returned then.

    Args:
        adapters_edited: whether adapters.py is not what this process has imported.

    Raises:
        ConfigurationError: no step makes that value, the checkpoints are another project's, or a
            codec of adapters.py that made it is not what this process has imported.
        StorageError: the newest checkpoint of its segment does not contain it, or its file is
            damaged or cannot be read.
    """
    made = {step.name: step for step in graph.steps if step.codec is not None}
    if value not in made:
        raise ConfigurationError(f"no step makes `{value}`{nearest(value, list(made))}")
    place = checkpoints_place(settings, graph.name)
    place.is_ours()
    store = Store(place.folder)
    segment = graph.producer(value).name
    newest = next(iter(store.all_of(segment)), None)  # an older one is of other code or inputs
    record = newest.record(value) if newest is not None else None
    if newest is None or record is None:
        raise StorageError(
            f"no checkpoint contains `{value}`. Run the pipeline; a value stays on disk only when "
            f"a later segment reads it, or nothing does."
        )
    folder = store.path(segment, newest.key)
    if not is_sound(folder, record):
        raise StorageError(f"{folder / record.file} is damaged; `run` will rebuild it.")
    if adapters_edited and is_own(record.codec):
        raise ConfigurationError(
            f"`{value}` is kept by the codec {record.codec} of adapters.py, whose code was edited "
            f"after this session had imported it. Start the session again to load it."
        )
    path = folder / record.file
    codec = codec_named(record.codec)
    try:
        with restoring(value, is_stored=True):
            return codec.thaw(
                path if record.format == "path" else format_named(record.format).read(path, None)
            )
    except Damaged as damage:
        raise StorageError(
            f"{path} cannot be read ({damage.__cause__}), though it is as it was committed. "
            f"Make it anew with `run --rerun-from {segment}`."
        ) from damage
