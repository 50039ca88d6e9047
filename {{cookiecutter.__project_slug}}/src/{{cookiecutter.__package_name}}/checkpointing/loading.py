"""Checkpointed values read: what a file gives back, and one value for a person.

That is in a notebook, or for the command `show`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .codecs import codec_named, format_named
from .errors import CheckpointingError, ConfigurationError, InexactValue, StorageError
from .pipeline import Pipeline
from .settings import nearest
from .store import Damaged, Store, is_sound


@contextlib.contextmanager
def restoring(value: str, *, is_stored: bool) -> Iterator[None]:
    """While a value is read, or made of its frozen form: whatever that raises has one meaning.

    Raises:
        Damaged: the value lies in a checkpoint. Its bytes may be those that were committed, by a
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


def load_value(pipeline: Pipeline, value: str) -> Any:
    """The form of a value that a run last made or reused, as the type that its step declares.

    Raises:
        ConfigurationError: no step makes that value.
        StorageError: no checkpoint holds it, or its file is damaged or cannot be read.
    """
    made = {step.name: step for step in pipeline.steps if step.codec is not None}
    if value not in made:
        raise ConfigurationError(f"no step makes `{value}`{nearest(value, list(made))}")
    store = Store(pipeline.settings.checkpoints / pipeline.name)
    segment = pipeline.producer(value).name
    for manifest in store.all_of(segment):
        if (found := manifest.record(value)) is None:
            continue
        folder = store.path(segment, manifest.key)
        if not is_sound(folder, found):
            raise StorageError(f"{folder / found.file} is damaged; `run` will rebuild it.")
        path = folder / found.file
        codec = codec_named(made[value].codec or "")
        try:
            with restoring(value, is_stored=True):
                return codec.thaw(
                    path if found.format == "path" else format_named(found.format).read(path, None)
                )
        except Damaged as damage:
            raise StorageError(
                f"{path} cannot be read ({damage.__cause__}), though it is as it was committed. "
                f"Make it anew with `run --rerun-from {segment}`."
            ) from damage
    raise StorageError(
        f"no checkpoint holds `{value}`. Run the pipeline; a value stays on disk only when a later "
        f"segment reads it, or nothing does."
    )
