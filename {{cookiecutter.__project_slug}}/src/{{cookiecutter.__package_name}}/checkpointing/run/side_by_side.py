"""Segments that do not depend on each other run at once, when they fit into the budget together.

A segment may begin when all that it reads is there. While only one may, it runs in the main thread,
as in a pipeline that is a chain. Some wait for others all the same:

- a segment with a sink begins when all segments before it are done, as it would one by one: what a
  sink does outside cannot be undone if an earlier segment fails;
- of those with steps in Spark one runs at a time: an application takes the cores and, on a cluster,
  the memory that it was promised;
- one that an executor runs elsewhere runs alone: to end its infrastructure when there is an
  interrupt is the main thread's work.

When one fails, no other begins. Those at work go on to their end: their checkpoints are reused.
The error of the first of them in the pipeline ends the run, and what others failed of is told.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from ..base.errors import CheckpointingError
from ..disk.manifest import Manifest
from ..disk.store import Damaged
from ..graph.steps import Segment
from ..reuse.bound import Bound
from ..worker.engines import engines_of
from .crew import Crew, Done
from .events import Noticed, Observer, Sampled, SegmentStopped, Turned
from .job import Job
from .record import SegmentRecord

_SPARK = "pyspark.sql.DataFrame"


class Bringing(Protocol):
    """A run, as far as it is needed here."""

    bound: Bound
    observe: Observer
    done: dict[str, Manifest]
    is_beside: bool
    """Whether segments are at work whose values must stay where they are."""

    postponed: list[str]
    """The values that were found damaged meanwhile."""

    def place(self, name: str) -> int: ...
    def bring(self, segment: Segment) -> None: ...
    def begin(self, segment: Segment) -> tuple[Job, SegmentRecord] | None: ...
    def make(self, job: Job, record: SegmentRecord, observe: Observer) -> Manifest: ...
    def end(self, record: SegmentRecord, manifest: Manifest) -> None: ...
    def go_back(self, value: str) -> None: ...


def bring_side_by_side(run: Bringing, most: int) -> None:
    """Bring all segments of a run that are not done; as many as `most` are at work at once.

    Raises as `SegmentRun.run`; of several segments that failed, for the first in the pipeline.
    """
    with Crew[Manifest]() as crew:
        _SideBySide(run, most, crew).go()


class _SideBySide:
    def __init__(self, run: Bringing, most: int, crew: Crew[Manifest]) -> None:
        self._run = run
        self._most = most
        self._crew = crew
        self._relay = _Relay(run.observe)
        self._records: dict[str, SegmentRecord] = {}
        self._failed: dict[str, Exception] = {}

    def go(self) -> None:
        run, crew = self._run, self._crew
        run.observe = self._relay.of("")
        while True:
            if not self._failed and not run.postponed:
                self._start()
            if crew.at_work:
                self._take(crew.next())
            elif self._failed:
                raise self._failure()
            elif run.postponed:
                run.is_beside = False
                self._go_back()
            elif all(segment.name in run.done for segment in run.bound.graph.segments):
                return

    def _start(self) -> None:
        """Begin what may begin now; what is reused is done at once, and others may begin then."""
        run, crew = self._run, self._crew
        while len(crew.at_work) < self._most and not (run.postponed or self._failed):
            ready = list(self._ready())
            run.is_beside = bool(crew.at_work)
            if not ready:
                return
            try:
                self._begin(ready[0], len(ready))
            except Exception as error:
                self._fail(ready[0].name, error)

    def _begin(self, segment: Segment, ready: int) -> None:
        """Begin a segment, which is one of so many that may begin."""
        run, crew = self._run, self._crew
        is_elsewhere = segment.name in run.bound.settings.wiring.run_on
        if not crew.at_work and (ready == 1 or is_elsewhere):
            run.bring(segment)
        elif (work := run.begin(segment)) is not None:
            job, self._records[segment.name] = work
            at_once = min(self._most, len(crew.at_work) + ready)
            job = replace(job, at_once=at_once, lanes=max(1, self._most // at_once))
            crew.start(segment.name, partial(self._make, job))

    def _ready(self) -> Iterator[Segment]:
        """The segments that may begin now, in the order of the pipeline."""
        run, crew = self._run, self._crew
        graph, elsewhere = run.bound.graph, run.bound.settings.wiring.run_on
        at_work = [each for each in graph.segments if each.name in crew.at_work]
        has_spark = any(map(_is_in_spark, at_work))
        are_done = True
        for segment in graph.segments:
            if segment.name in run.done or segment in at_work:
                are_done = are_done and segment.name in run.done
                continue
            has_sink = any(step.is_sink for step in segment.steps)
            reads = {graph.producer(value).name for value in graph.loaded(graph.span(segment))}
            if (
                reads <= run.done.keys()
                and (are_done or not has_sink)
                and not (has_spark and _is_in_spark(segment))
                and not (at_work and segment.name in elsewhere)
            ):
                yield segment
            are_done = False

    def _make(self, job: Job) -> Manifest:
        """Run a segment in a thread. It has a log of its own: the lines of others are not its."""
        name = job.segment.name
        job = replace(job, log=job.log.with_name(f"run.{name}.log"))
        return self._run.make(job, self._records[name], self._relay.of(name))

    def _take(self, done: Done[Manifest]) -> None:
        """Take in how the work on a segment has ended."""
        run, record = self._run, self._records.pop(done.name)
        run.is_beside = bool(self._crew.at_work)
        run.observe(Turned(done.name))
        try:
            if done.error is not None:
                raise done.error
            assert done.result is not None, "a thread has a result or an error"
            run.end(record, done.result)
        except Damaged as damage:
            run.postponed.append(str(damage))
            run.observe(stopped_for(done.name, damage))
        except Exception as error:
            self._fail(done.name, error)

    def _fail(self, name: str, error: Exception) -> None:
        """Note that a segment has failed; the run ends when no other is at work."""
        self._failed[name] = error
        if others := self._crew.at_work:
            why = f"failed; first the end of {', '.join(others)}"
            self._run.observe(SegmentStopped(name, why))

    def _failure(self) -> Exception:
        """The error that ends the run; the others are told, and are in its details."""
        name, *others = sorted(self._failed, key=self._run.place)
        first = self._failed[name]
        more = [(other, self._failed[other]) for other in others]
        for other, error in more:
            self._run.observe(Noticed(f"{other}: failed: {error}"))
        if more and isinstance(first, CheckpointingError):
            first.details["others"] = [
                error.as_json()
                if isinstance(error, CheckpointingError)
                else {"segment": other, "message": str(error)}
                for other, error in more
            ]
        return first

    def _go_back(self) -> None:
        """Have the values made again that were found damaged, those of later segments first.

        Each is set aside: to go back to a segment forgets the checkpoints of all that come after.
        """
        run = self._run
        postponed, run.postponed = list(dict.fromkeys(run.postponed)), []
        producers = {value: run.bound.graph.producer(value).name for value in postponed}
        for value in sorted(postponed, key=lambda v: run.place(producers[v]), reverse=True):
            run.go_back(value)


class _Relay:
    """Passes events of several threads on, one after the other, and tells whose they are."""

    def __init__(self, observe: Observer) -> None:
        self._observe = observe
        self._lock = threading.Lock()
        self._segment = ""

    def of(self, segment: str) -> Observer:
        """An observer of the events of one segment; if it is empty, of those that say whose."""

        def observe(event: Any) -> None:
            with self._lock:
                if segment != self._segment and not isinstance(event, Sampled | Noticed):
                    self._segment = segment
                    if segment:
                        self._observe(Turned(segment))
                self._observe(event)

        return observe


def stopped_for(segment: str, damage: Damaged) -> SegmentStopped:
    """That a segment stops until a damaged value is made again."""
    return SegmentStopped(segment, f"stops: {damage} has to be made again first")


def _is_in_spark(segment: Segment) -> bool:
    return any(_SPARK in engines_of(step) for step in segment.steps)
