"""One run, segment by segment: reuse or run, go back when a checkpoint turns out damaged.

This file decides which segment is next; `parts.py` brings it to its checkpoint.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..base.errors import ConfigurationError
from ..disk.manifest import Manifest
from ..disk.store import Damaged
from ..graph.steps import Segment
from ..memory.budget import EffectiveBudget
from ..memory.forecast import forecast_of
from ..memory.planning import plan
from ..memory.profile import read_profile
from ..reuse.bound import Bound
from ..reuse.standing import Standing, identities, standing, unfinished
from ..reuse.key import Ingredients
from ..worker.messages import Source
from .events import Noticed, Observer, RunStarted, SegmentEnded, SegmentStarted
from .outputs import publish_outputs
from .record import RunRecord, SegmentRecord
from .segment import Job, Parts
from .verdicts import require_first_damage, require_fit


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
        self.profile = read_profile(bound.settings.runs, bound.graph.name, budget.count)
        self.done: dict[str, Manifest] = {}
        self.hashed: set[str] = set()
        self.damaged: set[str] = set()

    def go(self, only: str | None) -> None:
        """Bring every segment to a checkpoint, or, from existing ones, `only` that segment."""
        graph, budget = self.bound.graph, self.budget
        shape = tuple((segment.name, len(segment.steps)) for segment in graph.segments)
        self.observe(RunStarted(graph.name, budget.bytes, budget.source, shape, str(self.log)))
        if only is not None:
            while only not in self.done:
                self._bring(self._gather(only))
            return
        self._foresee()
        while waiting := [s for s in graph.segments if s.name not in self.done]:
            self._bring(waiting[0])

    def _foresee(self) -> None:
        """Refuse, before anything runs, a segment with a step that is known not to fit.

        A segment that waits for another to run may be reused yet, and is judged in its turn. Of
        an unfinished one, those steps are judged that are still to be run.
        """
        graph = self.bound.graph
        forecast = forecast_of(graph, self.profile, self.bound.settings.memory)
        known_by = identities(self.bound)
        headroom = self.bound.settings.memory.segment.headroom
        upstream: dict[str, Manifest] = {}
        for segment in graph.segments:
            found = standing(self.bound, segment, upstream)
            is_forced = segment.name in self.forced
            if found.reusable and found.manifest is not None and not is_forced:
                upstream[segment.name] = found.manifest
            elif found.key or is_forced or not self.bound.store.all_of(segment.name):
                steps = graph.span(segment)
                if found.key and not is_forced:
                    done = unfinished(self.bound, segment, found.key)
                    steps = steps[len(done.steps) if done else 0 :]
                planned = plan(forecast, steps, self.budget.bytes, headroom)
                require_fit(planned, forecast, segment, known_by[segment.name], self.budget)

    def _gather(self, only: str) -> Segment:
        """Take what serves of the segments before `only`; refuse if it reads from another."""
        unfit = {}
        for segment in self.bound.graph.segments:
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
        record = SegmentRecord(segment.name, "failed")
        self._record(record)
        parts = Parts(self._job(found), record, self.observe)
        try:
            manifest = parts.run()
        except Damaged as damage:
            self._go_back(str(damage))
            return
        self.hashed |= parts.verified
        record.status = "ran"
        self.forced.discard(segment.name)
        self._finish(record, manifest)
        keep = self.bound.settings.memory.checkpoints.keep
        self.bound.store.retire(segment.name, manifest.key, keep)

    def _job(self, found: Standing) -> Job:
        """What it takes to run a segment: forced, it does not go on from where it was left."""
        assert found.ingredients is not None, "a segment runs after those it reads from"
        assert found.key is not None
        graph, name = self.bound.graph, found.segment.name
        is_forced = name in self.forced
        return Job(
            self.bound,
            found,
            self._params(found.ingredients),
            {v: self._source(v) for v in graph.loaded(graph.span(found.segment))},
            None if is_forced else unfinished(self.bound, found.segment, found.key),
            self.budget,
            self.profile,
            self.log,
        )

    def _params(self, ingredients: Ingredients) -> dict[str, str]:
        """The params that a segment takes, and those that the values it reads depend on."""
        producers = {self.bound.graph.producer(value).name for value in ingredients.values}
        earlier = [self.done[name].params for name in sorted(producers)]
        return {
            name: text for params in (*earlier, ingredients.params) for name, text in params.items()
        }

    def _source(self, value: str) -> Source:
        manifest = self.done[self.bound.graph.producer(value).name]
        folder = self.bound.store.path(manifest.segment, manifest.key)
        return Source(folder, manifest.values[value], verify=value not in self.hashed)

    def _go_back(self, value: str) -> None:
        """Put the segment that made a damaged value, and all after it, back among the waiting."""
        names = [segment.name for segment in self.bound.graph.segments]
        producer = self.bound.graph.producer(value).name
        require_first_damage(value, self.damaged, producer)
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
        names = [segment.name for segment in self.bound.graph.segments]
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
