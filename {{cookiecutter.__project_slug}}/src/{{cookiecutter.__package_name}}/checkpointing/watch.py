"""What the parent knows of a running part: the step it is in, its peaks, the values it holds."""

from __future__ import annotations

import time
from typing import Any

from .events import CommitStarted, Observer, Sampled, StepEnded, StepStarted, ValueLoaded
from .history import SegmentRecord, StepRecord


class PartWatch:
    """Fills the record of a segment from a worker's messages and the memory samples between them.

    A sample counts for the step that the worker was last heard to be in, and for the segment.
    """

    def __init__(self, record: SegmentRecord, observe: Observer) -> None:
        self._record = record
        self._observe = observe
        self._current: StepRecord | None = None
        self._started = time.monotonic()
        self.live: dict[str, int] = {}
        self.committing = False

    @property
    def step(self) -> str | None:
        """The step that is running; None before the first and after the last."""
        return self._current.name if self._current else None

    def on_message(self, message: Any) -> None:
        if isinstance(message, StepStarted):
            self._current = StepRecord(message.step)
            self._record.steps.append(self._current)
            self.live = message.live
        elif isinstance(message, ValueLoaded):
            self.live = {**self.live, message.value: message.bytes}
        elif isinstance(message, StepEnded):
            assert self._current is not None, "a step ends after it started"
            self._current.seconds = message.seconds
            self.on_sample(message.held_bytes)
        elif isinstance(message, CommitStarted):
            self._current, self.live, self.committing = None, message.live, True
        self._observe(message)

    def on_sample(self, held: int) -> None:
        self._record.peak_bytes = max(self._record.peak_bytes, held)
        if self._current is not None:
            self._current.peak_bytes = max(self._current.peak_bytes, held)
        self._record.seconds = time.monotonic() - self._started
        self._observe(Sampled(held))
