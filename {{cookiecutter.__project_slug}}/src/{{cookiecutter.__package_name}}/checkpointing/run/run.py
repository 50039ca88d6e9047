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
from ..graph.steps import Segment, Step
from ..memory.budget import EffectiveBudget, effective_budget, executor_budget
from ..memory.forecast import forecast_of
from ..memory.limits import machine_limits
from ..memory.plan import plan
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
from .conversion import converted, notes
from .damage import note_damage
from .describing import describe_again
from .events import Noticed, Observer, RunStarted, SegmentEnded, SegmentStarted
from .job import Job
from .ledger import Ledger
from .options import RunOptions, forced_segments
from .ordering import in_planned_order
from .outputs import publish_outputs, require_targets
from .places import require_executor, require_places
from .record import LOG, RunRecord, SegmentRecord, environment, new_run, retire_runs, write_record
from .segment import SegmentRun
from .tidying import counted, settling, shouted, sweep_places, swept
from .timeline import Timeline
from .verdicts import require_fit


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
                        job = Run(bound, budget, forced, record, log, timeline.observe, ledger)
                        with shouted(job.leaks), settling(job.profile, bound, ledger):
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
    ) -> None:
        self.budget = budget
        self.forced = forced
        self.record = record
        self.log = log
        self.observe = observe
        self.ledger = ledger
        self.profile = read_profile(bound.settings.runs, bound.graph.name, budget.count)
        self.bound = bound = in_planned_order(bound, self.profile, budget.bytes)
        self.identities = identities(bound)
        self.done: dict[str, Manifest] = {}
        self.foreseen: dict[str, Standing] = {}
        self.damaged: set[str] = set()
        self._at = 0
        self._places = {segment.name: n for n, segment in enumerate(bound.graph.segments)}
        self._ran: set[str] = set()
        self.leaks: list[ExecutorError] = []
        """What may still live elsewhere, of segments that are done."""

    def go(self, only: str | None) -> None:
        """Make a checkpoint of every segment, or of `only` one, from existing ones."""
        graph, budget = self.bound.graph, self.budget
        shape = tuple((segment.name, len(segment.steps)) for segment in graph.segments)
        self.observe(RunStarted(graph.name, budget.bytes, budget.source, shape, str(self.log)))
        if only is not None:
            while only not in self.done:
                self._bring(self._gather(only))
            return
        self._foresee()
        self._require_secrets()
        while (waiting := self._next()) is not None:
            self._bring(waiting)

    def _next(self) -> Segment | None:
        """The first segment that is not done; a damaged value makes an earlier one that again."""
        segments = self.bound.graph.segments
        while self._at < len(segments) and segments[self._at].name in self.done:
            self._at += 1
        return segments[self._at] if self._at < len(segments) else None

    def _foresee(self) -> None:
        """Refuse, before anything runs, a segment with a step that is known not to fit.

        A segment that waits for another may be reusable later, and is checked in its turn. Of an
        unfinished segment only the steps that are still to be run are checked.
        """
        graph, memory = self.bound.graph, self.bound.settings.memory
        headroom = memory.segment.headroom
        upstream, to_run = dict[str, Manifest](), list[Step]()
        for segment in graph.segments:
            now = self.foreseen[segment.name] = standing(self.bound, segment, upstream)
            store, is_forced = self.bound.store, segment.name in self.forced
            if (manifest := usable(now)) is not None and not is_forced:
                upstream[segment.name] = manifest
            if isinstance(now, Reusable) and not is_forced:
                continue
            if isinstance(now, Waiting) and not is_forced and store.has_any(segment.name):
                continue
            steps = graph.span(segment)
            left = now.left if isinstance(now, Stale) and not is_forced else frozenset(steps)
            if not left:
                continue
            budget = self._budget_of(segment)
            running = graph.without(frozenset(steps) - left)
            forecast = forecast_of(running, self.profile, memory, only=segment)
            planned = plan(forecast, range(min(left), steps.stop), budget.bytes, headroom)
            require_fit(planned, forecast, segment, self.identities[segment.name], budget)
            if segment.name not in self.bound.settings.wiring.run_on:
                to_run += [graph.steps[number] for number in sorted(left)]
            else:
                require_executor(segment, self.bound.settings)
        require_places(to_run, self.bound.settings, self.budget)

    def _budget_of(self, segment: Segment) -> EffectiveBudget:
        """The budget of a segment: the run's, or the memory of the executor that it is sent to."""
        wiring = self.bound.settings.wiring
        if (name := wiring.run_on.get(segment.name)) is None:
            return self.budget
        return executor_budget(name, int(wiring.executors[name].memory), self.budget.count)

    def _require_secrets(self) -> None:
        """Refuse, before anything runs, what lacks a secret; what is reused needs none."""
        steps = [
            step
            for segment in self.bound.graph.segments
            if segment.name in self.forced or not isinstance(self.foreseen[segment.name], Reusable)
            for step in segment.steps
        ]
        require_secrets(steps, self.bound.settings.wiring, self.bound.variables.secrets)

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

    def _bring(self, segment: Segment) -> None:
        """Reuse a segment's checkpoint, or run the segment."""
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
            return
        require_secrets(segment.steps, self.bound.settings.wiring, self.bound.variables.secrets)
        self.foreseen.clear()  # its new values may change the standing of later segments
        reasons = now.reasons if isinstance(now, Stale) else ()
        which = () if is_forced else (which_steps(self.bound, now),)
        reasons = tuple(filter(None, (*reasons, *which))) or ("requested",)
        self.observe(SegmentStarted(segment.name, reasons))
        record = SegmentRecord(segment.name, "failed")
        self._record(record)
        try:
            manifest = self._run(self._job(now), record)
        except Damaged as damage:
            self._go_back(str(damage))
            return
        record.status = "ran" if record.parts else "reused"  # its steps were all taken over
        self.forced.discard(segment.name)
        self._finish(record, manifest)
        for name, text in gone_targets(self.bound.settings, segment).items():
            self.observe(
                Noticed(
                    f"{segment.name}: sink `{name}` has run, but there is no {text}, which [sinks] "
                    f"in pipeline.toml names; the next run repeats it"
                )
            )
        keep = self.bound.settings.memory.checkpoints.keep
        self.bound.store.retire(segment.name, manifest.key, keep)

    def _run(self, job: Job, record: SegmentRecord) -> Manifest:
        """Run a segment here, or where pipeline.toml sends it. Raises as `SegmentRun.run`."""
        if job.segment.name not in self.bound.settings.wiring.run_on:
            return SegmentRun(job, record, self.observe).run()
        from .elsewhere import ElsewhereRun  # a project without executors does without these

        return ElsewhereRun(job, record, self.observe, self.leaks).run()

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
            ledger=self.ledger,
            profile=self.profile,
            damaged=self.damaged,
            log=self.log,
        )

    def _params(self, ingredients: Ingredients) -> dict[str, str]:
        """The params and variables of a segment, and those that its values depend on."""
        producers = {self.bound.graph.producer(value).name for value in ingredients.values}
        earlier = [self.done[name].params for name in sorted(producers)]
        own = ingredients.params | ingredients.env
        return {name: text for params in (*earlier, own) for name, text in params.items()}

    def _go_back(self, value: str) -> None:
        """Run the segment that made a damaged value again, and all after it."""
        names = [segment.name for segment in self.bound.graph.segments]
        producer = self.bound.graph.producer(value).name
        note_damage(value, self.damaged, producer)
        self._set_aside(producer, self.done[producer].key, f"damaged on disk: {value}")
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
                self.bound, manifest, self.budget, self.ledger, self.log, self.observe
            )
            is_old = record.status == "reused" or bool(record.reused_steps)
            self.record.outputs |= publish_outputs(self.bound, manifest, verify=is_old)
        except Damaged as damage:
            self._go_back(str(damage))
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
    record.peak_bytes = max((s.peak_bytes for s in record.segments if not s.executor), default=0)
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
