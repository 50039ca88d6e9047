"""Items of one step, several at once: each lane is a worker, with a share of the budget.

A lane asks before each item whether it may run it, so each item has one lane, and one that is done
sooner takes more. All of them note what they made in one journal, and commit nothing: when they
have ended, a last worker finds every item done, and makes the checkpoint of it.

What a lane cannot do for want of memory or disk is left, and runs alone afterwards, as it would
with one lane. So does what remains when one is killed: it costs the item that it was at.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..base.errors import StorageError
from ..codecs.several import key_of
from ..disk.commit import Commit
from ..disk.manifest import FileRecord, Manifest
from ..graph.steps import Step
from ..memory.forecast import Forecast
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


@dataclass(frozen=True)
class Lane:
    """A lane that has ended."""

    worked: Worked
    watch: PartWatch
    record: SegmentRecord

    @property
    def has_failed(self) -> bool:
        """Whether it ended otherwise than with its items, or for want of room."""
        is_done = isinstance(getattr(self.worked.ending, "last", None), LaneEnded)
        return not is_done and not self.lacks_room

    @property
    def lacks_room(self) -> bool:
        """Whether it ended for want of memory or disk, so that its item may run alone."""
        match self.worked.ending:
            case Finished(PartFailed(kind=StorageError.kind)):
                return True
        return self.worked.exceeded is not None


def may_have_lanes(job: Job, step: Step, seconds: float, alone: frozenset[str]) -> bool:
    """Whether it would pay to run the items of a step several at once.

    Not those of a sink, whose effects keep their order, nor of a step that takes as much memory as
    there is.

    Args:
        seconds: what its items took, as far as they were measured.
        alone: the steps of which a lane lacked room.
    """
    is_apart = bool(step.each) and not step.is_sink and not is_elastic(step)
    return job.lanes > 1 and seconds >= PAYS_SECONDS and is_apart and step.name not in alone


def lanes_for(job: Job, order: Order, forecast: Forecast, alone: frozenset[str]) -> int:
    """How many lanes a part may have; at most 1 if it has to run as any other part."""
    step = order.steps[0]
    measure = forecast.measures.get(step.name)
    if measure is None or not may_have_lanes(job, step, measure.seconds, alone):
        return 1
    return min(job.lanes, len(_waiting(order)))


def _waiting(order: Order) -> tuple[EachItem, ...]:
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
        self._items = _waiting(order)
        self._order = order
        self._allotting = allotting
        self._needed = allotting.needed(forecast.part(order.part))
        self._rise = forecast.rise(step, (), 0)
        self._observe = observe
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._waiting = {item.name for item in self._items}
        self._is_over = False

    def run(self, count: int, record: SegmentRecord) -> list[Lane]:
        """Run the items in `count` lanes until none is left, or a lane ends without its item.

        What they have done is in the segment's record then, as the work of one part. Raises what
        keeps a lane from its work.
        """
        job, order, part = self._job, self._order, record.parts
        self._tell(
            Noticed(f"{order.segment.name}: {count} processes run the items of `{self._step.name}`")
        )
        commit = Commit(job.bound.store.path(order.segment.name, order.key), order.allowance)
        journal = commit.open_journal(order.manifest())
        commit.close()
        self._order = replace(
            order,
            items={self._step.name: self._items},
            journal=journal,
            at_once=max(count, order.at_once),
        )
        errors: list[Exception] = []
        lanes: list[Lane] = []
        with Crew[Lane]() as crew:
            for number in range(1, count + 1):
                crew.start(str(number), partial(self._run_lane, number, part))
            while crew.at_work:
                done = crew.next()
                if done.result is not None:
                    lanes.append(done.result)
                elif done.error is not None:
                    errors.append(done.error)
                    self._end()
        if errors:
            raise errors[0]
        record.parts += 1
        _absorb(record, lanes, [key_of(item.name) for item in self._items])
        return lanes

    def settled(self, noted: Manifest, lanes: list[Lane], seconds: float) -> Manifest:
        """What the segment has on disk after `lanes`, as one process would have left it.

        `noted` has what their journal says, in the order of time; `seconds` is how long they took.
        """
        further = noted.further
        for lane in lanes:
            match lane.worked.ending:
                case Finished(LaneEnded(found)):
                    further = further | found
        places = {item.name: place for place, item in enumerate(self._items)}

        def ordered(records: dict[str, FileRecord]) -> dict[str, FileRecord]:
            return {n: records[n] for n in sorted(records, key=lambda n: places.get(n, -1))}

        return replace(
            noted,
            further=further,
            seconds=noted.seconds + seconds,
            values=ordered(noted.values),
            outputs=ordered(noted.outputs),
        )

    def _run_lane(self, number: int, part: int) -> Lane:
        job, name = self._job, f"{self._order.segment.name}-{number}"
        record = SegmentRecord(self._order.segment.name, "ran")
        watch = PartWatch(record, part, job.identity, job.budget.count, self._tell)

        def order(share: Share) -> Order:
            return replace(
                self._order,
                beside=name,
                log=job.log.with_name(f"run.{name}.log"),
                spill=spill_of(self._order.spill.parent),
                allotment=self._allotting.of(self._order.steps, {}, share),
            )

        worked = work(job, watch, self._needed, order, partial(self._answer, watch))
        lane = Lane(worked, watch, record)
        if lane.has_failed or lane.lacks_room:
            self._end()
        return lane

    def _answer(self, watch: PartWatch, message: Any, share: Share) -> Next | None:
        """Record a message; whether a lane may run the item that it asks for."""
        if isinstance(message, Noticed):
            self._tell(message)
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
