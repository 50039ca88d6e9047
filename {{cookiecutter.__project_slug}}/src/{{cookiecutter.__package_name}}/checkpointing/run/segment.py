"""One segment, part by part: where to cut it, and where to cut again if memory runs out.

This file decides; `processes.py` starts, watches and kills, `part.py` does the work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.errors import StorageError
from ..codecs.several import value_of
from ..disk.manifest import Manifest
from ..disk.store import Damaged, used_bytes
from ..graph.steps import Segment
from ..memory.budget import EffectiveBudget
from ..memory.forecast import forecast_of
from ..memory.limits import oom_kills
from ..memory.plan import plan
from ..memory.profile import Profile, write_profile
from ..reuse.bound import Bound, arguments, as_json, input_bytes, trees
from ..reuse.key import Ingredients
from ..worker.main import run_part
from ..worker.messages import DamageFound, Order, PartCommitted, PartFailed, Source, StepEnded
from . import verdicts
from .events import Noticed, Observer, PartCut, PartEnded, PartStarted
from .ledger import Grant, Ledger
from .processes import Finished, run_worker
from .record import CutRecord, SegmentRecord
from .verdicts import Exceeded, LogTail
from .watch import PartWatch


@dataclass(frozen=True)
class Job:
    """One segment to run: its inputs, its limits, and where it left off."""

    bound: Bound
    segment: Segment
    key: str
    ingredients: Ingredients

    identity: str
    """Identifies the code, params and inputs behind the segment's measurements."""

    params: dict[str, str]
    """The params that its values depend on, as text; those of earlier segments too."""

    upstream: Mapping[str, Manifest]
    """For each value of an earlier segment that it reads, the checkpoint that holds it."""

    before: Manifest | None
    """The values of its finished parts, to resume from."""

    budget: EffectiveBudget
    ledger: Ledger
    profile: Profile

    damaged: set[str]
    """All values, of any segment, that this run found damaged."""

    log: Path


class SegmentRun:
    """The parts of a job, in order.

    Every part that runs out of memory adds a cut. This ends, because a part of one step cannot be
    cut: it fails.
    """

    def __init__(self, job: Job, record: SegmentRecord, observe: Observer) -> None:
        self.job = job
        self.record = record
        self.observe = observe
        self.graph = job.bound.graph
        self.settings = job.bound.settings
        self.segment = job.segment
        self.span = self.graph.span(self.segment)
        values = [r for name, m in job.upstream.items() for r in m.taken(name).values()]
        self.input_bytes = input_bytes(job.bound, self.segment, values)
        self.forecast = forecast_of(
            self.graph, job.profile, self.settings.memory, {self.segment: self.input_bytes}
        )
        self.cuts: dict[int, str] = {}
        self.sunk: frozenset[str] = frozenset()
        self.outgrew: int | None = None
        """The number of a step that alone exceeded its share of the budget, but not all of it."""

    def run(self) -> Manifest:
        """Run the remaining steps of the segment, and return its checkpoint.

        Raises:
            Damaged: a value that the segment reads is not what was committed.
            CheckpointingError: a step failed, or does not fit into the budget.
        """
        done = self.job.before
        self._plan(self._next_step(done))
        while done is None or self._next_step(done) < self.span.stop:
            start = self._next_step(done)
            stop = min((cut for cut in self.cuts if cut > start), default=self.span.stop)
            if start in self.cuts:
                self._record_cut(start)
            try:
                done = self._run_part(range(start, stop), done)
            except Damaged as damage:
                upstream = {value_of(name) for name in self.job.upstream}
                if value_of(str(damage)) in upstream or done is None:
                    raise
                self._begin_again(str(damage), done)
                done = None
        return done

    def _begin_again(self, value: str, done: Manifest) -> None:
        """Forget the finished parts, because one of their values is damaged on disk."""
        note_damage(value, self.job.damaged, self.segment.name)
        self.job.bound.store.forget_partial(done)
        self._plan(self.span.start)
        self._notice(f"damaged on disk: {value}; the segment begins again")

    def _next_step(self, done: Manifest | None) -> int:
        return self.span.start + (len(done.steps) if done else 0)

    def _plan(self, start: int) -> None:
        """Cut where the forecast exceeds the budget, and after sinks.

        Raises BudgetExceeded for a step that is known not to fit, even alone.
        """
        memory = self.settings.memory
        steps = range(start, self.span.stop)
        planned = plan(self.forecast, steps, self.job.budget.bytes, memory.segment.headroom)
        verdicts.require_fit(
            planned, self.forecast, self.segment, self.job.identity, self.job.budget
        )
        for cut in planned.cuts:
            is_after_sink = self.graph.steps[cut - 1].is_sink
            self.cuts[cut] = "after a sink" if is_after_sink else "planned"

    def _run_part(self, part: range, before: Manifest | None) -> Manifest | None:
        """Run one part, and return what the segment then has on disk.

        If the part ran out of memory, that is `before`, and there is one cut more.
        """
        order = self._order(part, before)
        count = self.job.budget.count
        watch = PartWatch(self.record, self.record.parts, self.job.identity, count, self.observe)
        log, kills = LogTail(self.job.log, self.job.bound.secrets), oom_kills()
        is_last = self.outgrew == part.start
        with self.job.ledger.grant(self._needed(part), last=is_last) as grant:
            self._announce(part.start)
            with log.masked():
                ending = run_worker(
                    run_part,
                    (order,),
                    is_last=lambda m: isinstance(m, PartCommitted | PartFailed | DamageFound),
                    on_message=lambda message: self._answer(message, watch, part, grant),
                    on_sample=watch.on_sample,
                    limit=grant,
                    count=count,
                )
            had_all = grant.is_all
        self._learn(watch)
        match ending:
            case Finished(PartCommitted(manifest)):
                self.record.parts += 1
                self.job.bound.store.verified |= {
                    order.sources[value].path for value in watch.loaded
                }
                self.observe(PartEnded(self.segment.name))
                return manifest
            case Finished(DamageFound(value)):
                raise Damaged(value)
        exceeded = verdicts.exceedance(ending, log, struck=oom_kills() > kills)
        if exceeded is None:
            raise verdicts.failure(ending, self.segment, watch, log)
        cut = self._cut_in(part, watch)
        if cut is None and not is_last and not had_all:
            self.outgrew = part.start
            self._notice(f"{exceeded.phrase}, more than other runs left")
            return before
        if cut is None:
            raise verdicts.over_budget(self.segment, watch, exceeded, self.job.budget)
        self._cut_again(cut, exceeded, watch)
        return before

    def _needed(self, part: range) -> int | None:
        """The bytes to keep free for a part: as much above its forecast as a plan leaves free."""
        forecast = self.forecast.part(part)
        if forecast.unknown:
            return None
        needed = forecast.peak / (1 - self.settings.memory.segment.headroom)
        return min(self.job.budget.bytes, math.ceil(needed))

    def _announce(self, start: int) -> None:
        step = self.graph.steps[start].name
        number = start - self.span.start + 1
        why = "" if number == 1 else self.cuts.get(start, "resuming where the previous run stopped")
        self.observe(PartStarted(self.segment.name, step, number, why))

    def _cut_in(self, part: range, watch: PartWatch) -> int | None:
        """Where to cut a part that ran out of memory: before the step that was running.

        A part that could not write its values is cut before its last step. None if no cut helps:
        the step was the part's first, or none had started.
        """
        names = [step.name for step in self.graph.steps]
        last = watch.step or (watch.ended[-1] if watch.writing and watch.ended else None)
        number = part.start if last is None else names.index(last)
        return number if number > part.start else None

    def _cut_again(self, cut: int, exceeded: Exceeded, watch: PartWatch) -> None:
        steps = {step.name: step for step in self.segment.steps}
        self.sunk |= {name for name in watch.ended if steps[name].is_sink}
        self.cuts[cut] = exceeded.why
        self.job.bound.store.tidy(self.segment.name, self.job.key)
        before = self.graph.steps[cut].name
        self.observe(PartCut(self.segment.name, before, exceeded.why))
        self._notice(f"{exceeded.phrase}; runs again, cut before {before}")

    def _notice(self, message: str) -> None:
        self.observe(Noticed(f"{self.segment.name}: {message}"))

    def _answer(self, message: Any, watch: PartWatch, part: range, grant: Grant) -> bool | None:
        """Record a message; after a step, answer whether the worker runs the next one too.

        The worker stops before a step that is not expected to fit, and a new process takes over. A
        step that was never measured is expected to need as much as the largest so far.
        """
        if isinstance(message, Noticed):
            self._notice(message.message)
            return None
        watch.on_message(message)
        if not isinstance(message, StepEnded):
            return None
        number = [step.name for step in self.graph.steps].index(message.step) + 1
        if number not in part:
            return None
        step = self.graph.steps[number]
        unloaded = set(self.graph.loaded(part)) - watch.live.keys()
        rise = self.forecast.rise(step, unloaded, watch.largest_rise)
        fits = grant.widen(message.held_bytes + rise)
        if not fits:
            self.cuts[number] = "handed over"
        return fits

    def _learn(self, watch: PartWatch) -> None:
        self.job.profile.learn(self.segment.name, watch.profile(self.input_bytes))
        with self.job.ledger.alone():  # the file has the profiles of all pipelines
            write_profile(self.settings.runs, self.graph.name, self.job.profile)

    def _record_cut(self, number: int) -> None:
        cut = CutRecord(self.graph.steps[number].name, self.cuts[number])
        if cut not in self.record.cuts:
            self.record.cuts.append(cut)

    def _order(self, part: range, before: Manifest | None) -> Order:
        job, bound, graph = self.job, self.job.bound, self.graph
        checkpoints = bound.settings.memory.checkpoints
        return Order(
            root=bound.settings.root,
            store=bound.store.folder,
            pipeline=graph.name,
            segment=self.segment,
            first=self.span.start,
            part=part,
            key=job.key,
            ingredients=as_json(job.ingredients),
            params=job.params,
            last_use=graph.last_takes(self.segment),
            outputs=graph.outputs(self.span),
            before=before,
            done=self.sunk,
            sources={
                name: source
                for taken in graph.loaded(part)
                for name, source in self._sources(taken, before).items()
            },
            arguments=arguments(bound, self.segment),
            secrets=bound.secrets,
            code=bound.code[self.segment.name],
            trees=trees(bound, self.segment),
            format=checkpoints.format,
            allowance=max(0, checkpoints.max_disk - used_bytes(bound.settings)),
            count=job.budget.count,
            log=job.log,
            keep_all=checkpoints.keep_all,
        )

    def _sources(self, taken: str, before: Manifest | None) -> dict[str, Source]:
        """The files of a value or an item, each hashed before its first load in a run."""
        store, manifest = self.job.bound.store, self.job.upstream.get(taken, before)
        assert manifest is not None, "an earlier part made it"
        folder = store.path(manifest.segment, manifest.key)
        return {
            name: Source(folder, record, verify=folder / record.file not in store.verified)
            for name, record in manifest.taken(taken).items()
        }


def note_damage(value: str, damaged: set[str], segment: str) -> None:
    """Record that a value is damaged; rebuilding it helps at most once in a run.

    Raises:
        StorageError: the value was damaged before in this run.
    """
    if value in damaged:
        raise StorageError(
            f"segment `{segment}`: the checkpoint of `{value}` was damaged twice in one run.\n"
            f"  What to do: see whether a step writes to a file that it was given, and have it "
            f"work on a copy in its workdir; if none does, check the disk.",
            segment=segment,
        )
    damaged.add(value)
