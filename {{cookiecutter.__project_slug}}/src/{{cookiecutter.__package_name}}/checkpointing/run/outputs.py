"""Publishing outputs: from a checkpoint to the path or URL in `[outputs]`, atomically."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..base.errors import ConfigurationError, StorageError
from ..base.files import storage_errors
from ..base.settings import Settings
from ..codecs.several import INDEX, value_of
from ..disk.manifest import Manifest
from ..disk.targets import AnyTarget, targets
from ..graph.graph import Graph
from ..reuse.bound import Bound
from .conversion import to_publish

State = Literal["published", "missing", "changed", "refused", "unreadable"]


def require_targets(settings: Settings) -> None:
    """Refuse, before anything runs, to replace a file or object that no run has published.

    Raises ConfigurationError, and StorageError where that cannot be looked at.
    """
    for target in targets(settings).values():
        with target.failures(f"Looking where `{target.value}` is published"):
            target.require_ours()


def publish_outputs(bound: Bound, manifest: Manifest, *, verify: bool) -> dict[str, str]:
    """Publish the outputs of one checkpoint; the path or URL of each, published or not.

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
            places[value] = bound.store.where(manifest, exact)
            continue
        record = to_publish(manifest, value, target.suffix)
        assert record is not None, "it is converted first"
        source = folder / record.file
        with target.failures(f"Publishing `{value}`"):
            if target.content(record, bound.hashes.checksum) != "published":
                bound.store.begin()
                bound.store.bring(manifest, {value: record}, verify=verify)
                target.publish(source, record)
        places[value] = target.text
    with storage_errors("Remembering checksums", bound.store.folder):
        bound.hashes.save()
    return places


@dataclass(frozen=True)
class Published:
    """A value that [outputs] names, and what is at its path or URL now.

    `state` is `published`; `missing`; `changed`, if the path has other bytes than the checkpoint;
    `refused`, if no run of this project has published what is there; or `unreadable`. The next run
    publishes what is missing or changed, also if it reuses every segment.
    """

    value: str
    path: str
    state: State
    why: str = ""
    """For people: what was refused, or could not be read."""


class Lookout:
    """Looks at what is published of a pipeline; a bucket that does not answer is asked once."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self._targets = targets(bound.settings)
        self._silent: dict[str, str] = {}

    def published(self, manifest: Manifest) -> list[Published]:
        """The published values of one checkpoint, and the state of each."""
        return [
            self._look(target, manifest)
            for value, target in self._targets.items()
            if value in manifest.outputs
        ]

    def _look(self, target: AnyTarget, manifest: Manifest) -> Published:
        state, why = self._state(target, manifest)
        return Published(target.value, target.text, state, why)

    def _state(self, target: AnyTarget, manifest: Manifest) -> tuple[State, str]:
        """The state of a target, and why it is that one, where a person has to know."""
        record = to_publish(manifest, target.value, target.suffix)
        if target.place in self._silent:
            return "unreadable", self._silent[target.place]
        try:
            with target.failures("Looking there"):
                if record is None:
                    target.require_ours()
                    return "missing", ""
                return target.content(record, self._bound.hashes.checksum), ""
        except ConfigurationError as error:
            return "refused", error.message
        except StorageError as error:
            self._silent[target.place] = error.message
            return "unreadable", error.message


def sweep_outputs(settings: Settings, graph: Graph) -> None:
    """Remove the temporary files of a run of this pipeline that was killed while it published."""
    made = {step.name for step in graph.steps}
    for target in targets(settings).values():
        if value_of(target.value) in made:
            target.sweep()
