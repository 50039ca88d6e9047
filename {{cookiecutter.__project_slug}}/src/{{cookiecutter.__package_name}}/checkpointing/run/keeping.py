"""What of a segment that failed the next run reuses, said in its error."""

from __future__ import annotations

from contextlib import suppress

from ..base.errors import CheckpointingError, StorageError
from ..codecs.several import value_of
from ..disk.manifest import MANIFEST, PARTIAL, Manifest, read_manifest
from .adopting import Adopting
from .job import Job


def tell_what_is_kept(
    failure: CheckpointingError, job: Job, adopting: Adopting, kept: Manifest | None
) -> None:
    """Add to an error where the next run starts, and how many items are done.

    `kept` is what the segment has on disk, unless a journal knows more.
    """
    store = job.bound.store
    with suppress(StorageError):  # the step's failure is what there is to speak of
        kept = read_manifest(store.path(job.segment.name, job.key), PARTIAL) or kept
    if kept is None or (store.path(kept.segment, kept.key) / MANIFEST).exists():
        return
    graph, left = job.bound.graph, adopting.remaining(kept)
    if len(left) < len(job.segment.steps) and left:
        first = graph.steps[min(left)].name
        failure.add(f"The steps before `{first}` are kept: the next run starts there.")
    done = [n for n in kept.item_keys if value_of(n) == failure.step not in kept.steps]
    if done:
        failure.add(f"{len(done)} of its items are done and kept: the next run does the others.")
