"""Publishing outputs: from a checkpoint to the path in `[outputs]`, atomically."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..base.errors import ConfigurationError
from ..base.files import checksum, publish, storage_errors
from ..base.settings import Settings
from ..codecs.several import INDEX, value_of
from ..disk.claims import Target, targets
from ..disk.manifest import FileRecord, Manifest
from ..disk.store import Damaged, is_sound
from ..disk.sweeping import sweep_temporaries
from ..graph.graph import Graph
from ..reuse.bound import Bound
from .conversion import to_publish

State = Literal["published", "missing", "changed", "refused", "unreadable"]


def require_targets(settings: Settings) -> None:
    """Refuse, before anything runs, to replace a file that no run has published.

    Raises ConfigurationError.
    """
    for target in targets(settings).values():
        with storage_errors(f"Looking where `{target.value}` is published", target.path.parent):
            target.require_ours()


def publish_outputs(bound: Bound, manifest: Manifest, *, verify: bool) -> dict[str, str]:
    """Publish the outputs of one checkpoint, and return the path of each, published or not.

    A target that already has the same bytes is left alone. With `verify` a file is hashed before
    it is published.

    Raises:
        Damaged: an output's file is not what was committed; the former file is as it was.
        ConfigurationError: the target is now something that no run has published.
        StorageError: an output could not be written; the former file is as it was.
    """
    named = targets(bound.settings)
    folder = bound.store.path(manifest.segment, manifest.key)
    places = {}
    for value, exact in manifest.outputs.items():
        if exact.codec == INDEX:
            continue
        if (target := named.get(value)) is None:
            places[value] = str(folder / exact.file)
            continue
        record = to_publish(manifest, value, target.suffix)
        assert record is not None, "it is converted first"
        source = folder / record.file
        with storage_errors(f"Publishing `{value}`", target.path.parent):
            target.require_ours()
            if not _holds(bound, target, record):
                if verify and not is_sound(folder, record):
                    raise Damaged(value)
                publish(source, target.path, target.announce)
                target.settle()
        places[value] = str(target.path)
    with storage_errors("Remembering checksums", bound.store.folder):
        bound.hashes.save()
    return places


@dataclass(frozen=True)
class Published:
    """A value that [outputs] names, and what is at its path now.

    `state` is `published`; `missing`; `changed`, if the path has other bytes than the checkpoint;
    `refused`, if no run of this project has published what is there; or `unreadable`. The next run
    publishes what is missing or changed, also if it reuses every segment.
    """

    value: str
    path: Path
    state: State


def published(bound: Bound, manifest: Manifest) -> list[Published]:
    """The published values of one checkpoint, and the state of each."""
    named = targets(bound.settings)
    return [
        Published(value, target.path, _state(bound, target, manifest))
        for value, target in named.items()
        if value in manifest.outputs
    ]


def _state(bound: Bound, target: Target, manifest: Manifest) -> State:
    record = to_publish(manifest, target.value, target.suffix)
    try:
        target.require_ours()
        if not target.path.exists() or record is None:
            return "missing"
        return "published" if _holds(bound, target, record) else "changed"
    except ConfigurationError:
        return "refused"
    except OSError:
        return "unreadable"


def sweep_outputs(settings: Settings, graph: Graph) -> None:
    """Remove the temporary files of a run of this pipeline that was killed while it published."""
    made = {step.name for step in graph.steps}
    for target in (each for each in targets(settings).values() if value_of(each.value) in made):
        for path in (target.path, target.claim):
            sweep_temporaries(path.parent, path.name)


def _holds(bound: Bound, target: Target, record: FileRecord) -> bool:
    if target.path.is_dir():
        return checksum(target.path) == record.checksum
    return target.path.is_file() and bound.hashes.checksum(target.path) == record.checksum
