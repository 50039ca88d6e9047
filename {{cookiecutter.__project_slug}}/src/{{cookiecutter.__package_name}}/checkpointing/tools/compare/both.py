"""Both runs of a comparison, one after the other, in a folder of their own.

The run with checkpoints comes first: a pipeline that cannot run fails before the script fills the
memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...base.errors import Interrupted, recorded
from ...base.files import remove, storage_errors
from ...base.interrupts import held
from ...base.names import temporary_name
from ...base.settings import Settings, parse_size
from ...base.units import size
from ...codecs import PARQUETS, suffix_of
from ...codecs.several import INDEX
from ...disk.folders import used_bytes
from ...disk.manifest import Manifest
from ...disk.place import claim_places
from ...disk.store import Store
from ...disk.sweeping import sweep_temporaries
from ...disk.targets import suffixes
from ...graph.graph import Graph
from ...memory.budget import EffectiveBudget, effective_budget
from ...memory.limits import machine_limits
from ...reuse.bound import Bound, Project, arguments, bind
from ...reuse.step_keys import own_keys
from ...run.events import Noticed, Observer, SegmentEnded
from ...run.ledger import Ledger
from ...run.record import COMPARE_LOG, RunRecord
from ...run.run import Run
from ...run.shares import Shares
from ...run.tidying import settling
from ...worker.messages import ValueLoaded, WriteEnded
from .contents import hold_the_same
from .figures import Comparison, Figures
from .plain import PlainRun, run_plain, script_limit
from .script import ScriptOrder

_SCRATCH = "compare"


@dataclass(frozen=True)
class CompareOptions:
    """The options of a comparison; see the command `compare`.

    `params` replace params and inputs of the same name; `budget` and `limit` are sizes
    such as 2GB.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    budget: str | None = None
    limit: str | None = None


def compare(
    project: Project, options: CompareOptions, observe: Observer = lambda event: None
) -> Comparison:
    """Run the pipeline with checkpoints and as a plain script, both from the beginning.

    Checkpoints, published outputs and run records do not change; the profile receives the
    measurements of the run with checkpoints. A plain script that runs out of memory is a result.

    Raises:
        CheckpointingError: a run failed; `error.record` is the comparison so far.
    """
    comparison = Comparison(project.graph.name)
    with recorded(comparison, lambda: Interrupted("stopped. Nothing of the comparison is left.")):
        _compare(project, options, comparison, observe)
    return comparison


def _compare(
    project: Project, options: CompareOptions, comparison: Comparison, observe: Observer
) -> None:
    settings = project.settings
    budget = effective_budget(settings.memory, machine_limits(), options.budget)
    requested_limit = None if options.limit is None else parse_size(options.limit, "--limit")
    comparison.budget_bytes, comparison.budget_source = budget.bytes, budget.source
    store = Store(settings.checkpoints / project.graph.name)
    claim_places(settings, project.graph.name)
    ledger = Ledger(settings, project.graph.name, budget, observe)
    with store.lock(), ledger.entered(), _scratch(store.folder) as folder:
        log = _new_log(settings.runs)
        aside = replace(project, settings=_aside(settings, folder, used_bytes(settings)))
        # This reads and hashes the inputs, so both runs find them in the page cache.
        bound = bind(aside, options.params)
        observe(Noticed(_announcement(project.graph)))
        manifests = _run_with_checkpoints(bound, budget, log, comparison, observe, ledger)
        limit = script_limit(machine_limits(), requested_limit)
        comparison.limit_bytes, comparison.limit_source = limit.bytes, limit.source
        limit_text = f"{size(limit.bytes)} ({limit.source})"
        observe(Noticed(f"plain script: one process, every value kept; stopped above {limit_text}"))
        plain = PlainRun()
        comparison.plain = plain.figures
        order = _script_order(bound, budget, manifests, folder, log)
        with Shares(ledger).grant(None, last=True):  # it may take more than the budget
            run_plain(order, budget, limit, observe, plain)
        if plain.error is None and plain.identities is not None:
            _compare_results(comparison, order, store_of=bound.store, kept=manifests, plain=plain)
    if plain.error is not None:
        raise plain.error


def _compare_results(
    comparison: Comparison,
    order: ScriptOrder,
    store_of: Store,
    kept: list[Manifest],
    plain: PlainRun,
) -> None:
    """Compare the outputs of both runs, while the files of both exist."""
    identities = plain.identities or {}
    comparison.same_results, comparison.same_but_for_time = {}, []
    records = {
        name: (record, store_of.path(manifest.segment, manifest.key) / record.file)
        for manifest in kept
        for name, record in manifest.outputs.items()
        if record.codec != INDEX
    }
    for name, (record, path) in records.items():
        is_same = identities.get(name) == record.identity
        if not is_same and name in plain.made and hold_the_same(path, plain.made[name]):
            is_same = True
            comparison.same_but_for_time.append(name)
        comparison.same_results[name] = is_same


def _announcement(graph: Graph) -> str:
    """A notice to people before anything runs, because sinks write to the world outside."""
    sinks = ", ".join(f"`{step.name}`" for step in graph.steps if step.is_sink)
    message = "every step runs twice, with checkpoints and then as a plain script"
    if sinks:
        message += f"; so does what returns nothing and writes elsewhere: {sinks}"
    return message


def _run_with_checkpoints(
    bound: Bound,
    budget: EffectiveBudget,
    log: Path,
    comparison: Comparison,
    observe: Observer,
    ledger: Ledger,
) -> list[Manifest]:
    """Run the pipeline as `run` does, fill the figures, and return the checkpoints in order.

    Raises CheckpointingError as `run` does.
    """
    figures = comparison.checkpoints = Figures()
    record = RunRecord(comparison.pipeline, budget_bytes=budget.bytes, segments=figures.segments)
    folder = bound.store.folder
    with storage_errors("Making a folder for checkpoints", folder):
        folder.mkdir(parents=True, exist_ok=True)

    def watch(event: Any) -> None:
        if isinstance(event, ValueLoaded):
            figures.bytes_read += event.bytes
        elif isinstance(event, WriteEnded | SegmentEnded):
            figures.disk_bytes = max(figures.disk_bytes, bound.store.used_bytes())
        observe(event)

    started = time.monotonic()
    running = Run(bound, budget, set(), record, log, watch, ledger)
    try:
        with settling(running.profile, bound, ledger):
            running.go(None)
    finally:
        figures.seconds = time.monotonic() - started
        figures.peak_bytes = max((segment.peak_bytes for segment in figures.segments), default=0)
        figures.bytes_written = sum(segment.bytes_written for segment in figures.segments)
    figures.status = "ran"
    return [running.done[segment.name] for segment in bound.graph.segments]


def _script_order(
    bound: Bound, budget: EffectiveBudget, manifests: list[Manifest], folder: Path, log: Path
) -> ScriptOrder:
    graph = bound.graph
    return ScriptOrder(
        root=bound.settings.root,
        folder=folder / "plain",
        segments=graph.segments,
        code=bound.code,
        data=tuple(bound.data.values()),
        seeds={
            name: key
            for segment in bound.graph.segments
            for name, key in own_keys(bound, segment).items()
        },
        item_keys={n: key for manifest in manifests for n, key in manifest.item_keys.items()},
        arguments={
            address: argument
            for segment in graph.segments
            for address, argument in arguments(bound, segment).items()
        },
        secrets=bound.secrets,
        outputs=graph.outputs(range(len(graph.steps))),
        suffixes=suffixes(bound.settings),
        unordered={
            name: (bound.store.path(manifest.segment, manifest.key) / record.file, record.identity)
            for manifest in manifests
            for name, record in manifest.outputs.items()
            if record.format == PARQUETS
        },
        format=bound.settings.memory.checkpoints.format,
        count=budget.count,
        log=log,
        spark=bound.settings.spark,
    )


def _aside(settings: Settings, folder: Path, used: int) -> Settings:
    """The settings with checkpoints and published outputs in another folder, and all run here.

    `used` are the bytes of max_disk that the project's own checkpoints take.
    """
    checkpoints = settings.memory.checkpoints
    moved = checkpoints.model_copy(
        update={"path": folder / "checkpoints", "max_disk": max(0, checkpoints.max_disk - used)}
    )
    outputs = {
        value: str(folder / "outputs" / f"{value}{suffix_of(text)}")
        for value, text in settings.wiring.outputs.items()
    }
    return replace(
        settings,
        memory=settings.memory.model_copy(update={"checkpoints": moved}),
        wiring=settings.wiring.model_copy(update={"outputs": outputs, "run_on": {}}),
    )


@contextmanager
def _scratch(store: Path) -> Iterator[Path]:
    """A folder within the locked folder of the pipeline; it is removed however the comparison ends.

    The folder of a killed comparison is removed too, by the next comparison or run.
    """
    sweep_temporaries(store, _SCRATCH)
    folder = store / temporary_name(_SCRATCH)
    with storage_errors("Making a folder for the comparison", store):
        folder.mkdir()
    try:
        yield folder
    finally:
        # A second Ctrl-C must not leave gigabytes behind. What cannot be removed now, a later run
        # removes, or `clean` says why it cannot.
        with held(), suppress(OSError):
            remove(folder)


def _new_log(runs: Path) -> Path:
    """An empty log for the text that the steps of both runs print."""
    log = runs / COMPARE_LOG
    with storage_errors("Making the log", runs):
        log.unlink(missing_ok=True)
        log.touch()
    return log
