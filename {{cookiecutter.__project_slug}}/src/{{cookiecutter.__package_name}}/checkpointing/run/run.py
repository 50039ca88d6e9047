"""`run`: lock the checkpoints, settle the budget, execute, and keep a record however it ends."""

from __future__ import annotations

from ..base.settings import Settings

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.errors import CheckpointingError, ConfigurationError, Interrupted, StorageError, nearest
from ..base.interrupts import held
from ..disk.place import claim_places
from ..disk.store import Store
from ..graph.graph import Graph
from ..memory.budget import effective_budget
from ..memory.limits import machine_limits
from ..reuse.bound import Project, bind
from .describing import describe_again
from .events import Observer
from .execution import Execution
from .outputs import require_targets, sweep_outputs
from .record import LOG, RunRecord, environment, new_run, write_record
from .timeline import Timeline


@dataclass(frozen=True)
class RunOptions:
    """What a caller may ask of a run; see the command `run`.

    `params` take the place of params and inputs of the same name; `budget` is a size such as 2GB.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    budget: str | None = None
    fresh: bool = False
    rerun_from: str | None = None
    only: str | None = None


def run(
    declared: Graph | Project, options: RunOptions, observe: Observer = lambda event: None
) -> RunRecord:
    """Run what is not checkpointed yet.

    Args:
        declared: what `describe_project` found, or a Pipeline, whose source is then read anew.

    Returns:
        The record of the run, which is also kept in `runs/`.

    Raises:
        CheckpointingError: the run failed; `error.record` is its record so far. Every segment
            that was finished stays finished.
    """
    started = time.monotonic()
    graph = declared if isinstance(declared, Graph) else declared.graph
    record = RunRecord(graph.name)
    timeline = Timeline(observe)
    folder = None
    try:
        project = describe_again(declared) if isinstance(declared, Graph) else declared
        record.pipeline = project.graph.name
        settings = project.settings
        budget = effective_budget(settings.memory, machine_limits(), options.budget)
        record.budget_bytes, record.budget_source = budget.bytes, budget.source
        record.count, record.environment = budget.count, environment()
        forced = _forced(project.graph, options)
        store = Store(settings.checkpoints / project.graph.name)
        require_targets(settings)
        claim_places(settings, project.graph.name)
        with store.lock():
            folder = new_run(settings.runs)
            with _swept(store, settings):
                bound = bind(project, options.params)
                log, told = folder / LOG, timeline.observe
                execution = Execution(bound, budget, forced, record, log, told)
                execution.go(options.only)
    except KeyboardInterrupt:
        stopped = Interrupted("stopped. Finished segments will be reused.", segment=_open(record))
        record.error = stopped.as_json()
        stopped.record = record
        raise stopped from None
    except CheckpointingError as error:
        record.error = error.as_json()
        error.record = record
        raise
    except OSError as error:
        failed = StorageError(f"{error}. Check the disk and who may read and write there.")
        record.error = failed.as_json()
        failed.record = record
        raise failed from error
    finally:
        with held():
            _keep(record, timeline, folder, time.monotonic() - started)
    return record


def _keep(record: RunRecord, timeline: Timeline, folder: Path | None, seconds: float) -> None:
    """Add up what a run took, and write it into its folder, if it came as far as to have one."""
    record.seconds = seconds
    record.peak_bytes = max((s.peak_bytes for s in record.segments), default=0)
    record.bytes_written = sum(s.bytes_written for s in record.segments)
    if folder is not None:
        with contextlib.suppress(StorageError):  # the run itself did what it did
            write_record(folder, record)
        with contextlib.suppress(StorageError):
            timeline.save(folder)


def _forced(graph: Graph, options: RunOptions) -> set[str]:
    """The segments that run although their checkpoint would serve. Raises ConfigurationError."""
    names = [segment.name for segment in graph.segments]
    for asked in (options.rerun_from, options.only):
        if asked is not None and asked not in names:
            raise ConfigurationError(
                f"no segment is named `{asked}`{nearest(asked, names)}; the segments are "
                f"{', '.join(names)}"
            )
    if options.fresh:
        return set(names)
    return set(names[names.index(options.rerun_from) :]) if options.rerun_from else set()


def _open(record: RunRecord) -> str | None:
    return next((s.name for s in record.segments if s.status == "failed"), None)


@contextlib.contextmanager
def _swept(store: Store, settings: Settings) -> Iterator[None]:
    """Clear away what a killed run left, and, when this one fails, what it leaves itself."""

    def sweep() -> None:
        store.sweep()
        sweep_outputs(settings)

    sweep()
    try:
        yield
    except BaseException:
        with held(), contextlib.suppress(OSError, StorageError):  # what failed first is told
            sweep()
        raise
