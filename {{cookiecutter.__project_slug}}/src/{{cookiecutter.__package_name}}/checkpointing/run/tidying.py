"""What a run does before and after its segments: it sweeps, and counts what it moved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..base.errors import StorageError
from ..base.interrupts import held
from ..disk.store import Store
from ..reuse.bound import Project
from .outputs import sweep_outputs
from .record import RunRecord


@contextlib.contextmanager
def counted(store: Store, record: RunRecord) -> Iterator[None]:
    """Note in the record, however the run ends, what came to a URL and from there."""
    try:
        yield
    finally:
        record.bytes_pushed, record.bytes_fetched = store.pushed_bytes, store.fetched_bytes


@contextlib.contextmanager
def swept(store: Store, project: Project) -> Iterator[None]:
    """Remove the leftovers of killed runs first, and of this run if it fails."""

    def sweep() -> None:
        store.sweep()
        sweep_outputs(project.settings, project.graph)

    sweep()
    try:
        yield
    except BaseException:
        with held(), contextlib.suppress(OSError, StorageError):  # the first failure is shown
            sweep()
        raise
