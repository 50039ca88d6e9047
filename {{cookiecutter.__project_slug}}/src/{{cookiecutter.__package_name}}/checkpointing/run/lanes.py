"""Items of one step, several at once: each lane is a worker, with a share of the budget.

A lane asks before each item whether it may run it, so each item has one lane, and one that is done
sooner takes more. All of them note what they made in one journal, and commit nothing: when they
have ended, a last worker finds every item done, and makes the checkpoint of it.

What a lane cannot do for want of memory or disk is left, and runs alone afterwards, as it would
with one lane. So does what remains when one is killed: it costs the item that it was at.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..base.errors import StorageError
from ..codecs.several import key_of
from ..disk.commit import Commit
from ..disk.manifest import FileRecord, Manifest
from ..graph.steps import Step
from ..memory.forecast import Forecast
from ..memory.profile import SegmentProfile
from ..reuse.each import EachItem
from ..worker.engines import is_elastic
from ..worker.messages import ItemWanted, LaneEnded, Next, Order, PartFailed
from .allotting import Allotting
from .crew import Crew
from .events import Noticed, Observer
from .job import Job
from .processes import Finished
from .record import SegmentRecord
from .shares import Share
from .spilling import spill_of
from .watch import PartWatch
from .working import Worked, work

PAYS_SECONDS = 0.3
"""A step whose items took less altogether, as far as they were measured, has one lane."""

_ADDED = ("seconds", "read_seconds", "batches", "rows", "made_batches", "made_rows")


@dataclass
class Lane:
    """A lane, and how it has ended."""

    name: str
    watch: PartWatch
    record: SegmentRecord
    worked: Worked | None = None

    @property
    def is_done(self) -> bool:
        """Whether it ended because it got no other item."""
        ending = self.worked.ending if self.worked is not None else None
        return isinstance(ending, Finished) and isinstance(ending.last, LaneEnded)

    @property
    def lacks_room(self) -> bool:
        """Whether it ended for want of memory or disk, so that its item may run alone."""
        if self.worked is None:
            return False
        match self.worked.ending:
            case Finished(PartFailed(kind=StorageError.kind)):
                return True
        return self.worked.exceeded is not None


def may_have_lanes(
    job: Job, step: Step, seconds: float, waiting: int, alone: frozenset[str]
) -> bool:
    """Whether it would pay to run the items of a step several at once.

    Not those of a sink, whose effects keep their order, nor of a step that takes as much memory as
    there is.

    Args:
        seconds: what its items took, as far as they were measured.
        waiting: how many are left.
        alone: the steps of which a lane lacked room.
    """
    is_apart = bool(step.each) and not step.is_sink and not is_elastic(step)
    pays = job.lanes > 1 and waiting > 1 and seconds >= PAYS_SECONDS
    return pays and is_apart and step.name not in alone


def lanes_for(job: Job, order: Order, forecast: Forecast, alone: frozenset[str]) -> int:
    """How many lanes a part may have; at most 1 if it has to run as any other part."""
    step, waiting = order.steps[0], len(waiting_items(order))
    measure = forecast.measures.get(step.name)
    if measure is None or not may_have_lanes(job, step, measure.seconds, waiting, alone):
        return 1
    return min(job.lanes, waiting)


def waiting_items(order: Order) -> tuple[EachItem, ...]:
    """The items of a part that are not done."""
    done = order.before.item_keys if order.before else {}
    return tuple(i for items in order.items.values() for i in items if done.get(i.name) != i.key)


class Lanes:
    """The lanes of one part.

    Args:
        order: of the part.
        forecast: with what is known of the step by now.
    """

    def __init__(
        self, job: Job, order: Order, allotting: Allotting, forecast: Forecast, observe: Observer
    ) -> None:
        [step] = order.steps
        self._job = job
        self._step = step
        self._items = waiting_items(order)
        self._order = order
        self._allotting = allotting
        self._needed = allotting.needed(forecast.part(order.part))
        self._rise = forecast.rise(step, (), 0)
        self._observe = observe
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._waiting = {item.name for item in self._items}
        self._is_over = False
        self.seconds = 0.0

    @property
    def is_all_given(self) -> bool:
        """Whether each item was given to a lane: else none had room for one."""
        return not self._waiting

    def run(self, count: int, record: SegmentRecord) -> list[Lane]:
        """Run the items in `count` lanes until none is left, or a lane ends without its item.

        What they have done is in the segment's record then, as the work of one part, also after an
        interrupt. Raises what keeps a lane from its work.
        """
        job, order = self._job, self._order
        name = order.segment.name
        self._tell(Noticed(f"{name}: {count} processes run the items of `{self._step.name}`"))
        commit = Commit(job.bound.store.path(name, order.key), order.allowance)
        journal = commit.open_journal(order.manifest())
        commit.close()
        self._order = replace(
            order,
            items={self._step.name: self._items},
            journal=journal,
            at_once=count * order.at_once,
            allowance=order.allowance // count,
        )
        lanes = [self._lane(number, record.parts) for number in range(1, count + 1)]
        began = time.monotonic()
        try:
            with Crew[None]() as crew:
                for lane in lanes:
                    crew.start(lane.name, partial(self._run_lane, lane))
                failed = [crew.next() for _ in lanes]
        finally:
            self.seconds = time.monotonic() - began
            record.seconds += self.seconds
            record.parts += 1
            _absorb(record, lanes, [key_of(item.name) for item in self._items])
        for error in (done.error for done in failed):
            if error is not None:
                raise error
        return lanes

    def profile(self, lanes: list[Lane], input_bytes: int) -> SegmentProfile:
        """What the lanes have measured, as one process would have that ran all of their items."""
        profiles = [lane.watch.profile(input_bytes) for lane in lanes]
        found = [p.steps[self._step.name] for p in profiles if self._step.name in p.steps]
        first, *others = profiles
        for other in others:
            first = other.merged_with(first)
        if not found:
            return first
        ended = [measure for measure in found if measure.finished] or found
        measure = replace(
            max(ended, key=lambda measure: measure.needed_bytes),
            seconds=sum(measure.seconds for measure in found),
            file_bytes=sum(measure.file_bytes for measure in found),
            peak_bytes=max(measure.peak_bytes for measure in found),
            stopped_bytes=max(measure.stopped_bytes for measure in found),
            row_bytes=max(measure.row_bytes for measure in found),
        )
        return replace(first, steps={self._step.name: measure})

    def settled(self, noted: Manifest) -> Manifest:
        """What the segment has on disk, as one process would have left it.

        `noted` has what the journal says, in the order of time.
        """
        places = {item.name: place for place, item in enumerate(self._items)}

        def ordered(records: dict[str, FileRecord]) -> dict[str, FileRecord]:
            return {n: records[n] for n in sorted(records, key=lambda n: places.get(n, -1))}

        return replace(
            noted,
            seconds=noted.seconds + self.seconds,
            values=ordered(noted.values),
            outputs=ordered(noted.outputs),
        )

    def _lane(self, number: int, part: int) -> Lane:
        job, segment = self._job, self._order.segment.name
        record = SegmentRecord(segment, "ran")
        watch = PartWatch(record, part, job.identity, job.budget.count, self._tell)
        return Lane(f"{segment}+{number}", watch, record)  # no segment has such a name

    def _run_lane(self, lane: Lane) -> None:
        def order(share: Share) -> Order:
            return replace(
                self._order,
                beside=lane.name,
                log=self._job.log.with_name(f"run.{lane.name}.log"),
                spill=spill_of(self._order.spill.parent),
                allotment=self._allotting.of(self._order.steps, {}, share),
            )

        try:
            answer = partial(self._answer, lane.watch)
            lane.worked = work(self._job, lane.watch, self._needed, order, answer)
        finally:
            if not lane.is_done:
                self._end()

    def _answer(self, watch: PartWatch, message: Any, share: Share) -> Next | None:
        """Record a message; whether a lane may run the item that it asks for."""
        if isinstance(message, Noticed):
            self._tell(Noticed(f"{self._order.segment.name}: {message.message}"))
        elif isinstance(message, ItemWanted):
            return self._give(message.item, share, watch.sampled)
        else:
            watch.on_message(message)
        return None

    def _give(self, item: str, share: Share, held: int) -> Next:
        with self._lock:
            if self._is_over:
                return Next.COMMIT
            if item not in self._waiting:
                return Next.SKIP
            if not share.widen(held + self._rise):
                return Next.COMMIT  # a lane with more room runs it, or the part that comes after
            self._waiting.remove(item)
            return Next.HAND_OVER

    def _end(self) -> None:
        """Give out no other item."""
        with self._lock:
            self._is_over = True

    def _tell(self, event: Any) -> None:
        with self._telling:
            self._observe(event)


def _absorb(record: SegmentRecord, lanes: list[Lane], keys: list[str]) -> None:
    """Count what lanes have done as the work of one part, in a segment's record.

    `keys` are those of the items, in their order.
    """
    steps = [step for lane in lanes for step in lane.record.steps]
    for lane in lanes:
        record.peak_bytes = max(record.peak_bytes, lane.record.peak_bytes)
        record.bytes_written += lane.record.bytes_written
    if not steps:
        return
    items = [item for step in steps for item in step.items]
    record.steps.append(
        replace(
            steps[0],
            peak_bytes=max(step.peak_bytes for step in steps),
            input_bytes=max(step.input_bytes for step in steps),
            items=sorted(items, key=lambda item: keys.index(item.key)),
            **{name: sum(getattr(step, name) for step in steps) for name in _ADDED},
        )
    )
