"""The parent's view of a running part: its current step, its peaks, its live values."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ..base.units import Count
from ..memory import meter
from ..memory.profile import ELASTIC_BYTES, SegmentProfile, StepMeasure
from ..memory.residency import Shared
from ..worker.messages import (
    ApplicationSeen,
    CommitStarted,
    PartFailed,
    StepEnded,
    StepRaised,
    StepStarted,
    ValueLoaded,
    WriteEnded,
    WriteStarted,
)
from .events import Observer, Sampled
from .record import ItemRecord, SegmentRecord, StepRecord, WriteRecord


class PartWatch:
    """Fills the record of a segment from a worker's messages and the memory samples between them.

    A sample counts for the segment, and for the step that the worker reported last, or the value
    that it is writing.

    Args:
        part: the number of the part in its segment, counted from 0.
        identity: of the code, params and inputs behind the segment, for the profile.
        count: how memory is counted.

    Attributes:
        held: the peak so far of the current step or write, in bytes.
        sampled: what was held last, in bytes.
        item: the item for which a step runs now, if it runs for each.
        items: how many items have ended.
        is_elastic: whether the step that runs takes as much memory as there is.
        raised: how a step failed, if the worker has told that before it ended.
    """

    def __init__(
        self, record: SegmentRecord, part: int, identity: str, count: Count, observe: Observer
    ) -> None:
        self._record = record
        self._part = part
        self._identity = identity
        self._count = count
        self._observe = observe
        self._current: StepRecord | WriteRecord | None = None
        self._together: StepRecord | None = None
        self._began = StepStarted("", {})
        self._loaded = self._beside = self.sampled = 0
        self._began_at = time.monotonic()
        self._started = self._began_at - record.seconds
        self._baseline = self._parent = 0
        self._measures: dict[str, StepMeasure] = {}
        self._loads: dict[str, int] = {}
        self._writes: dict[str, int] = {}
        self._shared: tuple[Shared, ...] = ()
        self.item = ""
        self.is_elastic = False
        self.items = 0
        self.live: dict[str, int] = {}
        self.ended: list[str] = []
        self.largest_rise = 0
        self.held = 0
        self.committing = False
        self.raised: PartFailed | None = None

    @property
    def seconds(self) -> float:
        """How long ago the part began."""
        return time.monotonic() - self._began_at

    @property
    def items_seconds(self) -> float:
        """What the items of the step have taken so far, if it runs for each."""
        return self._together.seconds if self._together is not None else 0.0

    @property
    def loaded(self) -> set[str]:
        """The values that the part has read from disk."""
        return set(self._loads)

    @property
    def step(self) -> str | None:
        """The step that is running; None before the first and after the last."""
        return self._current.name if isinstance(self._current, StepRecord) else None

    @property
    def writing(self) -> bool:
        """Whether values are written: at the end of the part, or with `keep_all` after a step."""
        return self.committing or isinstance(self._current, WriteRecord)

    def on_message(self, message: Any) -> None:
        match message:
            case StepStarted():
                self._begin(message)
            case ValueLoaded():
                self.live = {**self.live, message.value: message.bytes}
                self._loads[message.value] = message.held_bytes
                self._loaded += message.held_bytes
                if isinstance(self._current, StepRecord):
                    self._current.read_seconds += message.seconds
            case StepEnded():
                self._end(message)
            case StepRaised(failure):
                self.raised = failure
                self._measures |= self._stopped()
            case ApplicationSeen(application):
                others = [a for a in self._record.applications if a.name != application.name]
                self._record.applications = [*others, application]
            case CommitStarted():
                self._current, self.live, self.committing = None, message.live, True
                self.on_sample(message.held_bytes)
            case WriteStarted(value, held):
                self._current = self._write(value, held)
            case WriteEnded(value, count, seconds, ahead=True):
                write = self._write(value, self.sampled)
                write.bytes, write.seconds, write.ahead = count, seconds, True
                self._record.bytes_written += count
            case WriteEnded(value, count, seconds):
                assert isinstance(self._current, WriteRecord), "a write ends after it started"
                self._current.bytes, self._current.seconds = count, seconds
                self._record.bytes_written += count
                self._writes[value] = self._current.peak_bytes - self._current.began_bytes
        self._observe(message)

    def on_sample(self, held: int, beside: int | None = None) -> None:
        """Take in what is held for this part, and by workers beside it, of their own."""
        self._beside = self._beside if beside is None else beside
        self.sampled = held
        self._record.peak_bytes = max(self._record.peak_bytes, held)
        if self._current is not None:
            self._current.peak_bytes = max(self._current.peak_bytes, held)
        self.held = held if self._current is None else self._current.peak_bytes
        self._record.seconds = time.monotonic() - self._started
        self._observe(Sampled(held + self._beside))

    def profile(self, input_bytes: int) -> SegmentProfile:
        """The measurements of the part so far, with those of a step that was stopped."""
        return SegmentProfile(
            input_bytes,
            self._baseline,
            self._measures | self._stopped(),
            self._loads,
            self._writes,
            self._shared,
            self._parent,
            self._count,
        )

    def _stopped(self) -> dict[str, StepMeasure]:
        """The measure of the current step, if it has not ended."""
        if not isinstance(self._current, StepRecord) or self._current.name in self.ended:
            return {}
        measure = self._measure(finished=False, stopped_bytes=self._rise())
        return {self._current.name: measure}

    def _write(self, value: str, held: int) -> WriteRecord:
        """The new record of a value's write, in the place of one that an earlier attempt made."""
        self._record.writes = [write for write in self._record.writes if write.value != value]
        self._record.writes.append(write := WriteRecord(value, self._part, held, held))
        return write

    def _begin(self, message: StepStarted) -> None:
        held = message.held_bytes
        self._current = StepRecord(message.step, self._part, held, held)
        self.item, self.is_elastic = message.item, message.is_elastic
        if self._together is None or not message.item:
            former = [s for s in self._record.steps if s.name == message.step and not s.items]
            for step in former:  # an earlier attempt ran it and was stopped
                self._record.steps.remove(step)
            self._record.steps.append(self._current)
            self._together = self._current if message.item else None
        self._began, self._loaded, self.live = message, 0, message.live
        if not self.ended:
            self._baseline = held - message.live_bytes
            self._parent = meter.process_bytes(os.getpid(), self._count)

    def _end(self, message: StepEnded) -> None:
        assert isinstance(self._current, StepRecord), "a step ends after it started"
        self._current.seconds = message.seconds
        self._current.input_bytes = message.input_bytes
        self._current.value_bytes = message.value_bytes
        _count_batches(self._current, message)
        self.on_sample(message.held_bytes)
        self.item = ""
        if not message.more:
            self.ended.append(message.step)
        self._shared = message.shared
        rise = min(self._rise(), ELASTIC_BYTES) if self.is_elastic else self._rise()
        self.largest_rise = max(self.largest_rise, rise)
        grown = message.held_bytes - self._began.held_bytes
        measure = self._measure(
            transient_bytes=self._rise(),
            drift_bytes=grown - (message.live_bytes - self._began.live_bytes),
            file_bytes=message.file_bytes,
            row_bytes=message.row_bytes,
        )
        self._measures[message.step] = self._of_all(measure, message) if message.item else measure

    def _of_all(self, measure: StepMeasure, message: StepEnded) -> StepMeasure:
        """Record an item with those before it; the measure of all of them together."""
        current, together = self._current, self._together
        assert isinstance(current, StepRecord), "an item ends after it started"
        assert together is not None, "its step has begun"
        self.items += 1
        self._record.bytes_written += message.written_bytes
        together.items.append(
            ItemRecord(message.item, current.peak_bytes, current.seconds, message.written_bytes)
        )
        if together is not current:
            together.peak_bytes = max(together.peak_bytes, current.peak_bytes)
            together.seconds += current.seconds
            together.read_seconds += current.read_seconds
            together.input_bytes = max(together.input_bytes, current.input_bytes)
            _count_batches(together, message)
        former = self._measures.get(message.step, measure)
        is_first = message.step not in self._measures
        return replace(
            measure,
            seconds=together.seconds,
            peak_bytes=together.peak_bytes,
            transient_bytes=max(former.transient_bytes, measure.transient_bytes),
            value_bytes=0,  # it is on disk, and no longer in memory
            row_bytes=max(former.row_bytes, measure.row_bytes),
            file_bytes=measure.file_bytes + (0 if is_first else former.file_bytes),
        )

    def _rise(self) -> int:
        """The rise of memory since the current step began, without the values that it loaded."""
        assert isinstance(self._current, StepRecord)
        return max(0, self._current.peak_bytes - self._current.began_bytes - self._loaded)

    def _measure(self, **figures: Any) -> StepMeasure:
        step = self._current
        assert isinstance(step, StepRecord)
        return StepMeasure(
            datetime.now(UTC).isoformat(timespec="seconds"),
            self._identity,
            seconds=step.seconds,
            input_bytes=step.input_bytes,
            began_bytes=step.began_bytes,
            peak_bytes=step.peak_bytes,
            value_bytes=step.value_bytes,
            is_elastic=self.is_elastic,
            **figures,
        )


def _count_batches(record: StepRecord, message: StepEnded) -> None:
    record.batches += message.batches
    record.rows += message.rows
    record.made_batches += message.made_batches
    record.made_rows += message.made_rows
