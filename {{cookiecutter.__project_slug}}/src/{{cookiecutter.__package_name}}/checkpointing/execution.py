"""One run, segment by segment: reuse or run, go back when a checkpoint turns out damaged.

This file decides what runs next. How a worker is started, watched and killed is `processes.py`;
what a worker does is `part.py`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .binding import Bound, Standing, arguments, as_json, stamps, standing
from .budget import EffectiveBudget
from .errors import ConfigurationError
from .events import (
    DamageFound,
    Noticed,
    Observer,
    PartCommitted,
    PartFailed,
    RunStarted,
    SegmentEnded,
    SegmentStarted,
)
from .fingerprint import Ingredients
from .history import RunRecord, SegmentRecord
from .manifest import Manifest
from .order import Order, Source
from .outputs import publish_outputs
from .processes import Died, Finished, OverBudget, run_worker
from .steps import Segment
from .store import Damaged
from .verdicts import failure_of, over_budget, worker_died
from .watch import PartWatch
from .worker import run_part


class Execution:
    """One run of a bound pipeline: what is done, what is forced, and the record so far."""

    def __init__(
        self,
        bound: Bound,
        budget: EffectiveBudget,
        forced: set[str],
        record: RunRecord,
        log: Path,
        observe: Observer,
    ) -> None:
        self.bound = bound
        self.budget = budget
        self.forced = forced
        self.record = record
        self.log = log
        self.observe = observe
        self.done: dict[str, Manifest] = {}
        self.hashed: set[str] = set()

    def go(self, only: str | None) -> None:
        """Bring every segment to a checkpoint, or, from existing ones, `only` that segment."""
        pipeline, budget = self.bound.pipeline, self.budget
        shape = tuple((segment.name, len(segment.steps)) for segment in pipeline.segments)
        self.observe(RunStarted(pipeline.name, budget.bytes, budget.source, shape, str(self.log)))
        if only is not None:
            while only not in self.done:
                self._bring(self._gather(only))
            return
        while waiting := [s for s in pipeline.segments if s.name not in self.done]:
            self._bring(waiting[0])

    def _gather(self, only: str) -> Segment:
        """Take what serves of the segments before `only`; refuse if it reads from another."""
        unfit = {}
        for segment in self.bound.pipeline.segments:
            found = standing(self.bound, segment, self.done)
            if segment.name == only:
                break
            if found.reusable and found.manifest is not None:
                self.done[segment.name] = found.manifest
            else:
                unfit[segment.name] = "; ".join(found.reasons)
        if found.key is None:
            listed = "\n".join(f"  {name}: {why}" for name, why in unfit.items())
            raise ConfigurationError(
                f"segment `{only}` reads from segments that have no checkpoint to serve it:\n"
                f"{listed}\nRun them first.",
                segment=only,
            )
        return segment

    def _bring(self, segment: Segment) -> None:
        """Reuse a segment's checkpoint, or run the segment."""
        found = standing(self.bound, segment, self.done)
        if found.damaged and found.key is not None:
            self._set_aside(segment.name, found.key, "; ".join(found.reasons))
            found = replace(standing(self.bound, segment, self.done), reasons=found.reasons)
        if found.reusable and found.manifest is not None and segment.name not in self.forced:
            self.bound.store.mark_used(found.manifest)
            self._finish(SegmentRecord(segment.name, "reused"), found.manifest)
            return
        self.observe(SegmentStarted(segment.name, found.reasons or ("asked for",)))
        record = SegmentRecord(segment.name, "failed", parts=1)
        self._record(record)
        manifest = self._run_part(segment, found, record)
        if manifest is not None:
            record.status, record.bytes_written = "ran", manifest.bytes
            self.forced.discard(segment.name)
            self._finish(record, manifest)
            keep = self.bound.pipeline.settings.memory.checkpoints.keep
            self.bound.store.retire(segment.name, manifest.key, keep)

    def _run_part(
        self, segment: Segment, found: Standing, record: SegmentRecord
    ) -> Manifest | None:
        """Run a segment in one worker; None when it met a damaged checkpoint of an earlier one."""
        order = self._order(segment, found)
        watch = PartWatch(record, self.observe)
        ending = run_worker(
            run_part,
            (order,),
            is_last=lambda m: isinstance(m, PartCommitted | PartFailed | DamageFound),
            on_message=watch.on_message,
            on_sample=watch.on_sample,
            limit=self.budget.bytes,
            count=self.budget.count,
        )
        match ending:
            case Finished(PartCommitted(manifest)):
                self.hashed |= order.sources.keys()
                return manifest
            case Finished(DamageFound(value)):
                self._go_back(value)
                return None
            case Finished(PartFailed() as failure):
                raise failure_of(segment, failure)
            case OverBudget(held):
                raise over_budget(segment, watch, held, self.budget)
            case Died(exit_code):
                raise worker_died(segment, watch, exit_code, self.log)
        raise AssertionError(f"an ending that nobody knows: {ending}")

    def _order(self, segment: Segment, found: Standing) -> Order:
        assert found.ingredients is not None, "a segment runs after those it reads from"
        assert found.key is not None
        bound, pipeline = self.bound, self.bound.pipeline
        settings = pipeline.settings.memory.checkpoints
        part = pipeline.span(segment)
        return Order(
            root=pipeline.settings.root,
            store=bound.store.folder,
            pipeline=pipeline.name,
            segment=segment.name,
            key=found.key,
            ingredients=as_json(found.ingredients),
            params=self._params(found.ingredients),
            steps=segment.steps,
            sources={value: self._source(value) for value in pipeline.loaded(part)},
            arguments=arguments(bound, segment),
            stamps=stamps(bound, segment),
            kept=pipeline.kept(part),
            outputs=pipeline.outputs(part),
            format=settings.format,
            allowance=max(0, settings.max_disk - bound.store.used_bytes()),
            count=self.budget.count,
            log=self.log,
        )

    def _params(self, ingredients: Ingredients) -> dict[str, str]:
        """The params that a segment takes, and those that the values it reads depend on."""
        producers = {self.bound.pipeline.producer(value).name for value in ingredients.values}
        earlier = [self.done[name].params for name in sorted(producers)]
        return {
            name: text for params in (*earlier, ingredients.params) for name, text in params.items()
        }

    def _source(self, value: str) -> Source:
        manifest = self.done[self.bound.pipeline.producer(value).name]
        folder = self.bound.store.path(manifest.segment, manifest.key)
        return Source(folder, manifest.values[value], verify=value not in self.hashed)

    def _go_back(self, value: str) -> None:
        """Put the segment that made a damaged value, and all after it, back among the waiting."""
        names = [segment.name for segment in self.bound.pipeline.segments]
        producer = self.bound.pipeline.producer(value).name
        self._set_aside(producer, self.done[producer].key, f"damaged on disk: {value}")
        for name in names[names.index(producer) :]:
            self.done.pop(name, None)

    def _set_aside(self, segment: str, key: str, reason: str) -> None:
        aside = self.bound.store.set_aside(segment, key)
        self.hashed.clear()
        self.observe(Noticed(f"{segment}: {reason}; set aside as {aside.name} and made again"))

    def _record(self, record: SegmentRecord) -> None:
        """Keep a segment's record in the place that its segment has in the pipeline."""
        records = {kept.name: kept for kept in self.record.segments} | {record.name: record}
        names = [segment.name for segment in self.bound.pipeline.segments]
        self.record.segments[:] = [records[name] for name in names if name in records]

    def _finish(self, record: SegmentRecord, manifest: Manifest) -> None:
        self.done[record.name] = manifest
        has_run = any(s.name == record.name and s.status == "ran" for s in self.record.segments)
        if not has_run:
            self._record(record)
        try:
            is_old = record.status == "reused"
            self.record.outputs |= publish_outputs(self.bound, manifest, verify=is_old)
        except Damaged as damage:
            self._go_back(str(damage))
            return
        self.observe(SegmentEnded(record))
