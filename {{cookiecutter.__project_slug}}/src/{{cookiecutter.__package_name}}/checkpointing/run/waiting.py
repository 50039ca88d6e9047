"""What a segment has made elsewhere, and that waits in storage, is taken by this run or the next.

A run may end between the moment when a result is durable and that when it is committed here; or the
machine there is lost, and with it all but the finished parts. Neither is computed again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..base.errors import StorageError
from ..base.interrupts import held
from ..disk.manifest import Manifest
from ..executors.ledger import Entry, read_entries, staged_folder
from ..executors.storage import CHECKPOINTS, RESULT, open_storage, remove_all
from ..executors.teardown import forget
from .collecting import NotAsSent, collect
from .errand import Outcome, outcome_of
from .job import Job


class Waiting:
    """What waits for the segment of a job.

    Args:
        folder: of the ledger.
        notice: tells people something.
    """

    def __init__(self, job: Job, folder: Path, notice: Callable[[str], None]) -> None:
        self._job = job
        self._folder = folder
        self._notice = notice

    def take(self) -> Outcome | None:
        """Commit what earlier runs of this very segment have left; how the last of these ended.

        None if that was no success. What waits for the segment as it was before is dropped.
        """
        ended: Outcome | None = None
        for entry in read_entries(self._folder):
            if (entry.pipeline, entry.segment) != (
                self._job.bound.graph.name,
                self._job.segment.name,
            ) or entry.state != "waits":
                continue
            if entry.key != self._job.key or self._job.anew:
                with suppress(StorageError):
                    forget(self._folder, entry)
                continue
            self._notice(f"takes what an earlier run has made as `{entry.place}`")
            try:
                ended = self.rescued(entry) or ended
            except NotAsSent as error:
                self._notice(f"{error.message} It is made again.")
        return ended

    def rescued(self, entry: Entry) -> Outcome | None:
        """Commit what there is of an entry, whatever that is; its outcome if that is all.

        Raises as `collected`.
        """
        outcome = _outcome_at(entry)
        is_complete = outcome is not None and outcome.error is None
        self.collected(entry, complete=is_complete)
        return outcome if is_complete else None

    def collected(self, entry: Entry, *, complete: bool) -> Manifest | None:
        """Commit what lies in storage, and remove it from there; None if there is nothing.

        Args:
            complete: whether that is a whole checkpoint, not just finished parts.

        Raises NotAsSent, and then it is removed as well; and StorageError, then it waits.
        """
        job, work = self._job, staged_folder(self._folder, f"{entry.place}.result")
        objects = open_storage(f"{entry.storage}/{CHECKPOINTS}")
        try:
            manifest = collect(job, objects, work, complete=complete)
        except NotAsSent:
            with suppress(StorageError):
                self._forget(entry)
            raise
        except StorageError as error:
            error.add(f"What was made there waits in {entry.storage}: the next run takes it.")
            raise
        finally:
            with held():
                shutil.rmtree(work, ignore_errors=True)
        with suppress(StorageError):  # a sweep does it
            self._forget(entry)
        return manifest

    def _forget(self, entry: Entry) -> None:
        if entry.state == "made":  # it may live: just what travelled can go
            remove_all(entry.storage)
        else:
            forget(self._folder, entry)


def _outcome_at(entry: Entry) -> Outcome | None:
    """How the segment of an entry ended; None if it has not told."""
    with suppress(ValueError, FileNotFoundError, StorageError):
        content, _ = open_storage(entry.storage).read(RESULT)
        return outcome_of(content)
    return None
