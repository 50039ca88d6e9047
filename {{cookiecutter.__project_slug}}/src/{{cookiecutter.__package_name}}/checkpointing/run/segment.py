"""One segment, part by part: where to cut it, and where to cut again if memory runs out.

This file decides; `processes.py` starts, watches and kills, `part.py` does the work.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from ..base.errors import CheckpointingError, StorageError
from ..base.units import duration
from ..codecs.several import value_of
from ..disk.manifest import PARTIAL, Manifest, read_manifest
from ..disk.store import Damaged
from ..memory.forecast import Forecast, forecast_of
from ..memory.plan import plan
from ..memory.profile import SegmentProfile, note_measured
from ..reuse.bound import input_bytes
from ..worker.engines import engines_of
from ..worker.messages import (
    CommitStarted,
    DamageFound,
    Next,
    Order,
    PartCommitted,
    PartFailed,
    StepEnded,
)
from . import verdicts
from .adopting import Adopting
from .allotting import Allotting
from .cuts import HANDED_OVER, planned_cuts
from .damage import note_damage
from .events import Noticed, Observer, PartCut, PartEnded, PartStarted
from .job import Job
from .keeping import tell_what_is_kept
from .lanes import Lanes, lanes_for, may_have_lanes, waiting_items
from .orders import Orders
from .processes import Ending, Finished
from .record import CutRecord, SegmentRecord
from .room import Granted
from .shares import Share
from .verdicts import Exceeded
from .watch import PartWatch
from .workers import begin_ahead
from .working import Worked, work


class SegmentRun:
    """The parts of a job, in order: those of its steps whose values no checkpoint has.

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
        self.adopting = Adopting(
            job.bound, self.segment, job.key, job.ingredients, job.params, job.upstream
        )
        self.orders = Orders(job, self.adopting)
        self.left: frozenset[int] = frozenset(self.span)
        self.cuts: dict[int, str] = {}
        self.sunk: frozenset[str] = frozenset()
        self.allotting = Allotting(job.budget, self.settings.memory.segment.headroom)
        self.outgrew: int | None = None
        """The number of a step that alone exceeded its share of the budget, but not all of it."""
        self.lacked_room = False
        """Whether its files had no room on disk beside those of other segments."""
        self.alone: frozenset[str] = frozenset()
        """The steps whose items do not run several at once any more."""
        self.waiting = 0
        """How many items of a part were left when it began."""

    def run(self) -> Manifest:
        """Run the remaining steps of the segment, and return its checkpoint.

        Raises:
            Damaged: a value that the segment reads is not what was committed.
            CheckpointingError: a step failed, or does not fit into the budget.
        """
        done = self._take_over(None)
        while done is None or self.left:
            start = min(self.left)
            stop = min((cut for cut in self.cuts if cut > start), default=self.span.stop)
            if start in self.cuts:
                self._record_cut(start)
            before = done
            try:
                done = self._run_part(range(start, stop), before)
            except Damaged as damage:
                upstream = {value_of(name) for name in self.job.upstream}
                if value_of(str(damage)) in upstream or before is None:
                    raise
                self._begin_again(str(damage), before)
                done = self._take_over(None)
            else:
                done = done if done is before else self._take_over(done)
        return done

    def _take_over(self, made: Manifest | None) -> Manifest | None:
        """Take over what former checkpoints have of the steps that are left, and plan the others.

        Args:
            made: what this run has made so far.

        Returns what the segment has on disk; None if that is nothing.
        """
        job = self.job
        done, left = self.adopting.take_over(made, anew=job.anew, damaged=job.damaged)
        is_new = made is None or left != self.left - {self.graph.number(s) for s in made.steps}
        self.left = left
        self.graph = job.bound.graph.without(frozenset(self.span) - left)
        ran = {step.name for step in self.record.steps}
        over = (self.graph.steps[n].name for n in self.span if n not in left)
        self.record.reused_steps = [name for name in over if name not in ran]
        if left and is_new:
            self._plan()
        return done

    def _begin_again(self, value: str, done: Manifest) -> None:
        """Forget the finished parts, because one of their values is damaged on disk."""
        note_damage(value, self.job.damaged, self.segment.name)
        self.job.bound.store.forget_partial(done)
        self._notice(f"damaged on disk: {value}; the segment begins again")

    def _plan(self) -> None:
        """Cut where the forecast exceeds the budget, around sinks, and where a step is awaited.

        Raises BudgetExceeded for a step that is known not to fit, even alone.
        """
        memory = self.settings.memory
        self.forecast = forecast_of(
            self.graph, self.job.profile, memory, {self.segment: self.input_bytes}, self.segment
        )
        steps = range(min(self.left), self.span.stop)
        awaited = {self.graph.number(name) for name in self.adopting.awaited}
        behind = {number + 1 for number in awaited & self.left}
        planned = plan(self.forecast, steps, self.job.budget.bytes, memory.segment.headroom, behind)
        verdicts.require_fit(
            planned, self.forecast, self.segment, self.job.identity, self.job.budget
        )
        self.cuts |= planned_cuts(planned.cuts, self.graph, self.left, behind)

    def _run_part(self, part: range, before: Manifest | None) -> Manifest | None:
        """Run one part, and return what the segment then has on disk.

        If the part ran out of memory, that is `before`, and there is one cut more.
        """
        number = self.record.parts + 1
        order = self.orders.of(part, before, self.graph, self.left, self.sunk, number)
        left = partial(self.job.bound.store.allowance, self.job.bound.settings, self.segment.name)
        with self.job.shares.room.grant(left, self._file_bytes(part)) as room:
            return self._run_order(replace(order, allowance=room.bytes), before, room)

    def _run_order(self, order: Order, before: Manifest | None, room: Granted) -> Manifest | None:
        """Run a part that has room for its files."""
        part = order.part
        self.waiting = len(waiting_items(order))
        if self.waiting > 1 and self.job.lanes > 1:
            known, _ = self._known(before)
            if (count := lanes_for(self.job, order, known, alone=self.alone)) > 1:
                return self._run_in_lanes(order, count, known, before)
        count_as = self.job.budget.count
        watch = PartWatch(self.record, self.record.parts, self.job.identity, count_as, self.observe)
        is_last = self.outgrew == part.start
        needed = self.allotting.needed(self.forecast.part(part))

        def ordered(share: Share) -> Order:
            self._announce(part.start)
            allotment = self.allotting.of(order.steps, self.forecast.measures, share)
            return replace(order, allotment=allotment)

        worked = work(
            self.job,
            watch,
            needed,
            ordered,
            lambda message, share: self._answer(message, watch, part, share),
            last=is_last,
        )
        ending, exceeded = worked.ending, worked.exceeded
        self._learn(watch.profile(self.input_bytes))
        if worked.has_died:
            with suppress(StorageError):  # its end is what there is to speak of
                self._noted(before)
        match ending:
            case Finished(PartCommitted(manifest)):
                self.record.parts += 1
                self._verified(watch, order)
                self.observe(PartEnded(self.segment.name))
                return self.job.bound.store.push(manifest)
            case Finished(DamageFound(value)):
                raise Damaged(value)
        if self._lacks_room(ending, room):
            self._has_sunk(watch)
            if (kept := verdicts.kept_by(ending)) is not None:
                self.record.parts += 1
                return self.job.bound.store.push(kept)
            return self._noted(before) if watch.items else before
        if exceeded is None:
            raise self._failed(worked, watch, before)
        cut = self._cut_in(part, watch)
        if cut is not None and (kept := verdicts.kept_by(ending)) is not None:
            self.record.parts += 1
            self._cut_again(cut, exceeded, kept)
            return self.job.bound.store.push(kept)
        if cut is None and watch.items:
            self._notice(f"{exceeded.phrase} after {watch.items} items; a new process runs others")
            return self._noted(before)
        if cut is None and self.allotting.shrink(watch, exceeded):
            self._notice(f"{exceeded.phrase}; `{watch.step}` runs again with less at once")
            return before
        if cut is None and not is_last and not worked.had_all:
            self.outgrew = part.start
            self._notice(f"{exceeded.phrase}, more than others at work left")
            return before
        if cut is None and watch.committing and self._has_sunk(watch):
            self._notice(f"{exceeded.phrase}; its checkpoint is written again")
            return before
        if cut is None:
            raise verdicts.over_budget(
                self.segment, watch, exceeded, self.job.budget, *self._known(before)
            )
        self._cut_again(cut, exceeded, before)
        return before

    def _file_bytes(self, part: range) -> int | None:
        """What the files of a part are expected to take; None if it is to have all that is left.

        So is one with an engine: nobody has measured what that spills.
        """
        forecast = self.forecast.part(part)
        is_alone = self.job.at_once == 1 or self.lacked_room
        has_engine = any(engines_of(self.graph.steps[n]) for n in part if n in self.left)
        return None if is_alone or has_engine or forecast.unknown else forecast.written

    def _lacks_room(self, ending: Ending, room: Granted) -> bool:
        """Whether a part ended for want of room on disk that others had; it then runs alone."""
        match ending:
            case Finished(PartFailed(at_max_disk=True)) if not room.is_all:
                self.lacked_room = True
                self._notice("no room for its files beside other segments; runs again alone")
                return True
        return False

    def _run_in_lanes(
        self, order: Order, count: int, known: Forecast, before: Manifest | None
    ) -> Manifest | None:
        """Run items of a part several at once, and return what the segment then has on disk.

        The steps of the part are not done by that: its last worker commits the items.
        """
        self._announce(order.part.start)
        lanes = Lanes(self.job, order, self.allotting, known, self.observe)
        ended = lanes.run(count, self.record)
        for lane in ended:
            self._verified(lane.watch, order)
        self._learn(lanes.profile(ended, self.input_bytes))
        self.observe(PartEnded(self.segment.name))
        if any(lane.lacks_room for lane in ended) or not lanes.is_all_given:
            self.alone |= {step.name for step in order.steps}
        for lane in ended:
            assert lane.worked is not None, "each of them has ended"
            match lane.worked.ending:
                case Finished(DamageFound(value)):
                    raise Damaged(value)
            if not lane.is_done and not lane.lacks_room:
                raise self._failed(lane.worked, lane.watch, before)
        noted = self._noted(before)
        return noted and lanes.settled(noted)

    def _verified(self, watch: PartWatch, order: Order) -> None:
        """Take no second look at the files that a part has hashed and loaded."""
        self.job.bound.store.verified |= {order.sources[value].path for value in watch.loaded}

    def _known(self, before: Manifest | None) -> tuple[Forecast, dict[str, dict[str, Any]]]:
        """The forecast with what is known by now, and how the values on disk are described."""
        settings = self.settings.memory
        sizes = {self.segment: self.input_bytes}
        manifests = [*self.job.upstream.values(), *filter(None, [before])]
        described = {name: r.description for m in manifests for name, r in m.values.items()}
        return forecast_of(self.graph, self.job.profile, settings, sizes, self.segment), described

    def _noted(self, before: Manifest | None) -> Manifest | None:
        """What the segment has on disk after its process was killed between two items."""
        store, key = self.job.bound.store, self.job.key
        noted = read_manifest(store.path(self.segment.name, key), PARTIAL) or before
        store.tidy(self.segment.name, key, noted)
        return noted

    def _failed(
        self, worked: Worked, watch: PartWatch, before: Manifest | None
    ) -> CheckpointingError:
        """The error that ends the segment; it says what of the segment the next run reuses."""
        kept = verdicts.kept_by(worked.ending)
        if kept is not None:
            with suppress(StorageError):  # the next run does it again
                self.job.bound.store.push(kept)
        failure = verdicts.failure(worked.ending, self.segment, watch, worked.log)
        tell_what_is_kept(failure, self.job, self.adopting, kept or before)
        return failure

    def _announce(self, start: int) -> None:
        step = self.graph.steps[start].name
        number = start - self.span.start + 1
        why = "" if number == 1 else self.cuts.get(start, self.adopting.origin)
        numbers = {self.graph.steps[n].name: n - self.span.start + 1 for n in self.left}
        self.observe(PartStarted(self.segment.name, step, number, why, numbers))

    def _cut_in(self, part: range, watch: PartWatch) -> int | None:
        """Where to cut a part that ran out of memory: before the step that was running.

        A part that could not write its values is cut before its last step. None if no cut helps:
        the step was the part's first, or none had started.
        """
        last = watch.step or (watch.ended[-1] if watch.writing and watch.ended else None)
        number = part.start if last is None else self.graph.number(last)
        return number if number > part.start else None

    def _cut_again(self, cut: int, exceeded: Exceeded, working: Manifest | None) -> None:
        self.cuts[cut] = exceeded.why
        self.job.bound.store.tidy(self.segment.name, self.job.key, working)
        before = self.graph.steps[cut].name
        self.observe(PartCut(self.segment.name, before, exceeded.why))
        self._notice(f"{exceeded.phrase}; runs again, cut before {before}")

    def _has_sunk(self, watch: PartWatch) -> bool:
        """Whether a part ended after its sink had: the next attempt then only commits."""
        ended = {n for n in watch.ended if self.graph.steps[self.graph.number(n)].is_sink}
        self.sunk |= ended
        return bool(ended)

    def _notice(self, message: str) -> None:
        self.observe(Noticed(f"{self.segment.name}: {message}"))

    def _answer(self, message: Any, watch: PartWatch, part: range, grant: Share) -> Next | None:
        """Record a message; after a step, answer what the worker does before the next one.

        The worker stops before a step that is not expected to fit, and a new process takes over. A
        step that was never measured is expected to need as much as the largest so far.
        """
        if isinstance(message, Noticed):
            self._notice(message.message)
            return None
        watch.on_message(message)
        if isinstance(message, CommitStarted) and not self._is_the_end(part):
            begin_ahead(grant.bytes - message.held_bytes)
        if not isinstance(message, StepEnded):
            return None
        ended = self.graph.number(message.step)
        if message.more:
            rise = self.forecast.rise(self.graph.steps[ended], (), watch.largest_rise)
            if not grant.widen(message.held_bytes + rise):
                self.cuts[ended] = HANDED_OVER
                return Next.COMMIT
            step, left = self.graph.steps[ended], self.waiting - watch.items
            pays = may_have_lanes(self.job, step, watch.items_seconds, left, self.alone)
            return Next.COMMIT if pays else Next.HAND_OVER
        number = min((n for n in self.left if n > ended and n in part), default=None)
        if number is None:
            return None
        step = self.graph.steps[number]
        unloaded = set(self.graph.loaded(part)) - watch.live.keys()
        rise = self.forecast.rise(step, unloaded, watch.largest_rise)
        if not grant.widen(message.held_bytes + rise):
            self.cuts[number] = HANDED_OVER
            return Next.COMMIT
        every = self.settings.memory.segment.checkpoint_every
        if every is not None and watch.seconds >= every:
            self.cuts[number] = f"after {duration(every)}"
            return Next.COMMIT
        # Nothing is taken from other runs in order to lend.
        has_room = message.held_bytes + rise + message.lent_bytes <= grant.bytes
        return Next.LEND if has_room else Next.HAND_OVER

    def _is_the_end(self, part: range) -> bool:
        """Whether no part of the pipeline comes after this one."""
        return part.stop == len(self.graph.steps)

    def _learn(self, measured: SegmentProfile) -> None:
        self.job.profile.learn(self.segment.name, measured)
        note_measured(self.settings.runs, self.graph.name, self.segment.name, measured)

    def _record_cut(self, number: int) -> None:
        cut = CutRecord(self.graph.steps[number].name, self.cuts[number])
        if cut not in self.record.cuts:
            self.record.cuts.append(cut)
