"""Publishing outputs: from a checkpoint to the path that `[outputs]` names, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from .binding import Bound
from .files import checksum, publish, storage_errors
from .manifest import FileRecord, Manifest
from .settings import Settings
from .store import Damaged, is_sound
from .sweeping import sweep_temporaries


def publish_outputs(bound: Bound, manifest: Manifest, *, verify: bool) -> dict[str, str]:
    """Publish the outputs of one checkpoint; the path of each, published or not, by value.

    A target that already holds the same bytes is left alone. With `verify` a file is hashed
    before it is published.

    Raises:
        Damaged: an output's file is not what was committed; the former file is as it was.
        StorageError: an output could not be written; the former file is as it was.
    """
    wiring = bound.pipeline.settings.wiring
    folder = bound.store.path(manifest.segment, manifest.key)
    places = {}
    for value, record in manifest.outputs.items():
        source = folder / record.file
        if value not in wiring.outputs:
            places[value] = str(source)
            continue
        target = bound.pipeline.settings.root / wiring.outputs[value]
        with storage_errors(f"Publishing `{value}`", target.parent):
            if not _holds(bound, target, record):
                if verify and not is_sound(folder, record):
                    raise Damaged(value)
                publish(source, target)
        places[value] = str(target)
    with storage_errors("Remembering checksums", bound.store.folder):
        bound.hashes.save()
    return places


def _holds(bound: Bound, target: Path, record: FileRecord) -> bool:
    if target.is_dir():
        return checksum(target) == record.checksum
    return target.is_file() and bound.hashes.checksum(target) == record.checksum


def sweep_outputs(settings: Settings) -> None:
    """Remove what a run that was killed while it published left beside the targets."""
    for text in settings.wiring.outputs.values():
        target = settings.root / text
        sweep_temporaries(target.parent, target.name)
