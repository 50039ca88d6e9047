"""What a run does before and after its segments: it sweeps, and counts what it moved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..base.elsewhere import FOLDER
from ..base.errors import CheckpointingError, ExecutorError, StorageError
from ..base.interrupts import held
from ..base.settings import Settings
from ..disk.store import Store
from ..memory.profile import Profile, settle
from ..reuse.bound import Bound, Project
from .events import Noticed, Observer
from .ledger import Ledger
from .outputs import sweep_outputs
from .record import RunRecord


@contextlib.contextmanager
def shouted(leaks: list[ExecutorError]) -> Iterator[None]:
    """Say, however the run ends, what may still live elsewhere: with its error, or as that."""
    try:
        yield
    except CheckpointingError as error:
        for leak in leaks:
            error.add(leak.message)
        raise
    if leaks:
        first, *others = leaks
        for leak in others:
            first.add(leak.message)
        raise first


@contextlib.contextmanager
def settling(profile: Profile, bound: Bound, ledger: Ledger) -> Iterator[None]:
    """Write what was measured as a whole, however this context ends."""
    try:
        yield
    finally:
        with held(), ledger.alone():  # the file has the profiles of all pipelines
            settle(bound.settings.runs, bound.graph.name, profile)


@contextlib.contextmanager
def counted(store: Store, record: RunRecord) -> Iterator[None]:
    """Note in the record, however the run ends, what came to a URL and from there."""
    try:
        yield
    finally:
        record.bytes_pushed, record.bytes_fetched = store.pushed_bytes, store.fetched_bytes


def sweep_places(settings: Settings, observe: Observer) -> None:
    """Destroy what killed runs have left alive elsewhere. What fails is said, and tried again."""
    folder = settings.root / FOLDER
    if not folder.is_dir():
        return
    from ..executors.ledger import damaged_entries  # most projects do without these
    from ..executors.teardown import sentence_of, sweep

    for sentence in damaged_entries(folder):
        observe(Noticed(sentence))
    for each in sweep(folder, lambda sentence: observe(Noticed(sentence))):
        observe(Noticed(sentence_of(each)))


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
