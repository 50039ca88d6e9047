"""One checkpointed value for a person: in a notebook, or for the command `show`."""

from __future__ import annotations

from typing import Any

from .codecs import codec_named, format_named
from .errors import ConfigurationError, StorageError
from .pipeline import Pipeline
from .settings import nearest
from .store import Store, is_sound


def load_value(pipeline: Pipeline, value: str) -> Any:
    """The form of a value that a run last made or reused, as the type that its step declares.

    Raises:
        ConfigurationError: no step makes that value.
        StorageError: no checkpoint holds it, or its file is damaged.
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
        return codec.thaw(
            path if found.format == "path" else format_named(found.format).read(path, None)
        )
    raise StorageError(
        f"no checkpoint holds `{value}`. Run the pipeline; a value stays on disk only when a later "
        f"segment reads it, or nothing does."
    )
