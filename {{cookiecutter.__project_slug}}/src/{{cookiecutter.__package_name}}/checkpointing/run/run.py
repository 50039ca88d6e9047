"""`run`: lock the checkpoints, set the budget, reuse or run each segment, write the record."""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path

from ..base.errors import ConfigurationError, ExecutorError, Interrupted, StorageError, recorded
from ..base.interrupts import ending_later, held
from ..disk.manifest import Manifest
from ..disk.place import claim_places
from ..disk.store import Damaged
from ..disk.stores import open_store
from ..disk.targets import suffixes
from ..graph.graph import Graph
from ..graph.steps import Segment
from ..memory.budget import EffectiveBudget, effective_budget
from ..memory.company import Company
from ..memory.limits import machine_limits
from ..memory.profile import read_profile
from ..reuse.bound import Bound, Project, bind
from ..reuse.key import Ingredients
from ..reuse.sinks import gone_targets, sinks_of, way_to_repeat
from ..reuse.standing import (
    Reusable,
    Stale,
    Standing,
    Waiting,
    identities,
    standing,
    usable,
    which_steps,
)
from ..reuse.variables import require_secrets
from ..worker.engines import usable_cores
from .conversion import converted, notes
from .damage import note_damage
from .describing import describe_again
from .events import Noticed, Observer, RunStarted, SegmentEnded, SegmentStarted
from .foresight import foresee
from .job import Job
from .ledger import Ledger
from .options import RunOptions, forced_segments
from .ordering import in_planned_order
from .outputs import publish_outputs, require_targets
from .record import (
    COMPANY,
    LOG,
    RunRecord,
    SegmentRecord,
    environment,
    new_run,
    retire_runs,
    write_record,
)
from .segment import SegmentRun
from .shares import Shares
from .side_by_side import bring_side_by_side, stopped_for
from .tidying import counted, settling, shouted, sweep_places, swept
from .timeline import Timeline
from .workers import none_left_ahead


def run(
    declared: Graph | Project, options: RunOptions, observe: Observer = lambda event: None
) -> RunRecord:
    """Run the segments that have no usable checkpoint.

    Args:
        declared: the result of `describe_project`, or a Pipeline, whose source is then read anew.

    Returns:
        The record of the run, which is also written to `runs/`.

    Raises:
        CheckpointingError: the run failed; `error.record` is its record so far. The checkpoints
            of finished segments stay.
    """
    started = time.monotonic()
    graph = declared if isinstance(declared, Graph) else declared.graph
    record = RunRecord(graph.name)
    timeline = Timeline(observe)
    folder = None

    def stopped() -> Interrupted:
        return Interrupted("stopped. Finished segments will be reused.", segment=_open(record))

    with ending_later():
        try:
            with recorded(record, stopped):
                project = describe_again(declared) if isinstance(declared, Graph) else declared
                if options.keep_all:
                    project = replace(project, settings=project.settings.keeping_all())
                record.pipeline = project.graph.name
                settings = project.settings
                budget = effective_budget(settings.memory, machine_limits(), options.budget)
                record.budget_bytes, record.budget_source = budget.bytes, budget.source
                record.count, record.environment = budget.count, environment()
                forced = forced_segments(project.graph, options)
                store = open_store(settings, project.graph.name)
                store.announce = lambda message: observe(Noticed(message))
                require_targets(settings)
                claim_places(settings, project.graph.name)
                jobs = options.jobs or usable_cores()
                ledger = Ledger(settings, project.graph.name, budget, timeline.observe)
                with store.lock(), ledger.entered():
                    folder = new_run(settings.runs)
                    with ledger.alone() as is_alone:
                        if is_alone:
                            retire_runs(settings.runs)
                    with swept(store, project), counted(store, record):
                        sweep_places(settings, timeline.observe)
                        bound = bind(project, options.params, store=store)
                        log = folder / LOG
                        job = Run(
                            bound, budget, forced, record, log, timeline.observe, ledger, jobs
                        )
                        store.announce = job.announce
                        ledger.observe = lambda event: job.observe(event)
                        with (
                            none_left_ahead(),
                            shouted(job.leaks),
                            settling(job.profile, bound, ledger),
                        ):
                            job.go(options.only)
        finally:
            with held():
                if lost := _keep(record, timeline, folder, time.monotonic() - started):
                    observe(Noticed(f"the run's record is not kept: {lost.message}"))
    return record


class Run:
    """One run of a bound pipeline: finished and forced segments, and the record so far."""

    def __init__(
        self,
        bound: Bound,
        budget: EffectiveBudget,
        forced: set[str],
        record: RunRecord,
        log: Path,
        observe: Observer,
        ledger: Ledger,
        jobs: int = 1,
    ) -> None:
        self.budget = budget
        self.forced = forced
        self.record = record
        self.log = log
        self.company = Company(log.with_name(COMPANY))
        self.observe = observe
        self.jobs = jobs
        self.shares = Shares(ledger)
        self.profile = read_profile(bound.settings.runs, bound.graph.name, budget.count)
        self.bound = bound = in_planned_order(bound, self.profile, budget.bytes)
        self.identities = identities(bound)
        self.done: dict[str, Manifest] = {}
        self.foreseen: dict[str, Standing] = {}
        self.damaged: set[str] = set()
        self.is_beside = False
        self.postponed: list[str] = []
        self._at = 0
        self._places = {segment.name: n for n, segment in enumerate(bound.graph.segments)}
        self._ran: set[str] = set()
        self.leaks: list[ExecutorError] = []
        """What may still live elsewhere, of segments that are done."""

    def go(self, only: str | None) -> None:
        """Make a checkpoint of every segment, or of `only` one, from existing ones."""
        bound, graph, budget = self.bound, self.bound.graph, self.budget
        shape = tuple((segment.name, len(segment.steps)) for segment in graph.segments)
        self.observe(RunStarted(graph.name, budget.bytes, budget.source, shape, str(self.log)))
        if only is not None:
            while only not in self.done:
                self.bring(self._gather(only))
            return
        self.foreseen = foresee(bound, budget, self.forced, self.profile, self.identities)
        if self.jobs > 1:
            bring_side_by_side(self, self.jobs)
        while (waiting := self._next()) is not None:
            self.bring(waiting)

    def announce(self, message: str) -> None:
        """Tell people something; safe for threads while segments run side by side."""
        self.observe(Noticed(message))

    def _next(self) -> Segment | None:
        """The first segment that is not done; a damaged value makes an earlier one that again."""
        segments = self.bound.graph.segments
        while self._at < len(segments) and segments[self._at].name in self.done:
            self._at += 1
        return segments[self._at] if self._at < len(segments) else None

    def _gather(self, only: str) -> Segment:
        """Use the checkpoints of the segments before `only`; refuse if it reads from another."""
        unfit = {}
        for segment in self.bound.graph.segments:
            now = standing(self.bound, segment, self.done)
            if segment.name == only:
                break
            if (manifest := usable(now)) is not None:
                self.done[segment.name] = manifest
            elif not isinstance(now, Reusable):
                unfit[segment.name] = "; ".join(now.reasons)
        if isinstance(now, Waiting):
            listed = "\n".join(f"  {name}: {why}" for name, why in unfit.items())
            raise ConfigurationError(
                f"segment `{only}` reads from segments without a usable checkpoint:\n"
                f"{listed}\nRun them first.",
                segment=only,
            )
        return segment

    def _standing(self, segment: Segment) -> Reusable | Stale:
        """The standing of the next segment: as foreseen, if nothing has changed since."""
        now = self.foreseen.pop(segment.name, None)
        if now is None or isinstance(now, Waiting):
            now = standing(self.bound, segment, self.done)
        assert not isinstance(now, Waiting), "a segment runs after those that it reads from"
        return now

    def bring(self, segment: Segment) -> None:
        """Reuse a segment's checkpoint, or run the segment."""
        if (work := self.begin(segment)) is None:
            return
        job, record = work
        try:
            manifest = self.make(job, record, self.observe)
        except Damaged as damage:
            self.go_back(str(damage))
        else:
            self.end(record, manifest)

    def begin(self, segment: Segment) -> tuple[Job, SegmentRecord] | None:
        """Reuse a segment's checkpoint; or what it takes to run it, which is announced."""
        now = self._standing(segment)
        if isinstance(now, Stale) and now.damaged:
            self._set_aside(segment.name, now.key, "; ".join(now.reasons))
        is_forced = segment.name in self.forced
        if isinstance(now, Reusable) and not now.always and not is_forced:
            self.bound.store.mark_used(now.manifest)
            self._finish(SegmentRecord(segment.name, "reused"), now.manifest)
            for sink in sinks_of(self.bound.store, self.bound.settings, segment, now.manifest):
                if sink.ran_otherwise:
                    self.observe(Noticed(f"{segment.name}: {way_to_repeat(sink)}"))
            return None
        require_secrets(segment.steps, self.bound.settings.wiring, self.bound.variables.secrets)
        self.foreseen.clear()  # its new values may change the standing of later segments
        reasons = now.reasons if isinstance(now, Stale) else ()
        which = () if is_forced else (which_steps(self.bound, now),)
        reasons = tuple(filter(None, (*reasons, *which))) or ("requested",)
        self.observe(SegmentStarted(segment.name, reasons))
        record = SegmentRecord(segment.name, "failed")
        self._record(record)
        return self._job(now), record

    def end(self, record: SegmentRecord, manifest: Manifest) -> None:
        """Take in the checkpoint of a segment that has run."""
        record.status = "ran" if record.parts else "reused"  # its steps were all taken over
        self.forced.discard(record.name)
        self._finish(record, manifest)
        segment = self.bound.graph.segments[self._places[record.name]]
        for name, text in gone_targets(self.bound.settings, segment).items():
            self.observe(
                Noticed(
                    f"{segment.name}: sink `{name}` has run, but there is no {text}, which [sinks] "
                    f"in pipeline.toml names; the next run repeats it"
                )
            )
        keep = self.bound.settings.memory.checkpoints.keep
        self.bound.store.retire(segment.name, manifest.key, keep)

    def make(self, job: Job, record: SegmentRecord, observe: Observer) -> Manifest:
        """Run a segment here, or where pipeline.toml sends it. Raises as `SegmentRun.run`."""
        if job.segment.name not in self.bound.settings.wiring.run_on:
            return SegmentRun(job, record, observe).run()
        from .elsewhere import ElsewhereRun  # a project without executors does without these

        return ElsewhereRun(job, record, observe, self.leaks).run()

    def _job(self, now: Reusable | Stale) -> Job:
        """All that a run of a segment needs. A forced segment takes over nothing."""
        graph, name = self.bound.graph, now.segment.name
        read = graph.loaded(graph.span(now.segment))
        return Job(
            bound=self.bound,
            segment=now.segment,
            key=now.key,
            ingredients=now.ingredients,
            identity=self.identities[name],
            params=self._params(now.ingredients),
            upstream={value: self.done[graph.producer(value).name] for value in read},
            anew=name in self.forced,
            budget=self.budget,
            shares=self.shares,
            profile=self.profile,
            damaged=self.damaged,
            company=self.company,
            log=self.log,
            lanes=self.jobs,
        )

    def _params(self, ingredients: Ingredients) -> dict[str, str]:
        """The params and variables of a segment, and those that its values depend on."""
        producers = {self.bound.graph.producer(value).name for value in ingredients.values}
        earlier = [self.done[name].params for name in sorted(producers)]
        own = ingredients.params | ingredients.env
        return {name: text for params in (*earlier, own) for name, text in params.items()}

    def place(self, name: str) -> int:
        """The number of a segment in the pipeline, counted from 0."""
        return self._places[name]

    def go_back(self, value: str) -> None:
        """Run the segment that made a damaged value again, and all after it."""
        names = [segment.name for segment in self.bound.graph.segments]
        producer = self.bound.graph.producer(value).name
        note_damage(value, self.damaged, producer)
        if (made := self.done.get(producer)) is not None:  # else another of its values was, too
            self._set_aside(producer, made.key, f"damaged on disk: {value}")
        for name in names[names.index(producer) :]:
            self.done.pop(name, None)
        self._at = 0

    def _set_aside(self, segment: str, key: str, reason: str) -> None:
        store, where = self.bound.store, ""
        if store.path(segment, key).is_dir():  # nobody has deleted it meanwhile
            where = f"set aside as {store.set_aside(segment, key).name} and "
        self.foreseen.clear()
        self.observe(Noticed(f"{segment}: {reason}; {where}made again"))

    def _record(self, record: SegmentRecord) -> None:
        """Insert a segment's record, in the order of the pipeline."""
        records, place = self.record.segments, self._places[record.name]
        number = bisect_left(records, place, key=lambda kept: self._places[kept.name])
        is_there = number < len(records) and records[number].name == record.name
        records[number : number + is_there] = [record]

    def _finish(self, record: SegmentRecord, manifest: Manifest) -> None:
        self.done[record.name] = manifest
        if record.name not in self._ran:
            self._record(record)
        if record.status == "ran":
            self._ran.add(record.name)
        record.accepted = [acceptance.sentence for acceptance in manifest.accepted]
        try:
            manifest = self.done[record.name] = converted(
                self.bound, manifest, self.budget, self.shares, self.log, self.observe
            )
            is_old = record.status == "reused" or bool(record.reused_steps)
            self.record.outputs |= publish_outputs(self.bound, manifest, verify=is_old)
        except Damaged as damage:
            if self.is_beside:
                self.postponed.append(str(damage))
                self.observe(stopped_for(record.name, damage))
            else:
                self.go_back(str(damage))
            return
        if record.status == "ran":
            for note in notes(manifest, suffixes(self.bound.settings)):
                self.observe(Noticed(note))
        self.observe(SegmentEnded(record))


def _keep(
    record: RunRecord, timeline: Timeline, folder: Path | None, seconds: float
) -> StorageError | None:
    """Complete the record of a run, and write it if the run has a folder already.

    Returns why it could not be written: the run is over, so that does not change its result.
    """
    record.seconds = seconds
    peaks = (segment.peak_bytes for segment in record.segments if not segment.executor)
    record.peak_bytes = max([timeline.highest, *peaks])
    record.bytes_written = sum(s.bytes_written for s in record.segments)
    if folder is None:
        return None
    try:
        write_record(folder, record)
        timeline.save(folder)
    except StorageError as error:
        return error
    return None


def _open(record: RunRecord) -> str | None:
    return next((s.name for s in record.segments if s.status == "failed"), None)
