"""The plain script from its parent process: watch it, stop it in time, and judge its end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ...base.errors import CheckpointingError
from ...base.units import size
from ...graph.steps import Segment
from ...memory.budget import EffectiveBudget
from ...memory.limits import Limit, oom_kills
from ...run.ceilings import Fixed
from ...run.events import Observer, PartStarted, SegmentEnded, SegmentStarted
from ...run.processes import Ending, Finished, OverBudget, run_worker
from ...run.record import SegmentRecord
from ...run.verdicts import LogTail, exceedance, failure
from ...run.watch import PartWatch
from ...worker.messages import PartFailed, StepEnded, StepStarted
from .figures import PlainFigures
from .script import OutputsHashed, ScriptEnded, ScriptOrder, run_script

_PERCENT = 80  # of the available memory: the rest is for other programs on the machine


@dataclass
class PlainRun:
    """The result of the plain script.

    `identities` are those of its outputs, None if they are unknown; `made` are the paths of those
    that are files which a step made; `error` is set if the script
    failed for another reason than memory.
    """

    figures: PlainFigures = field(default_factory=PlainFigures)
    identities: dict[str, str] | None = None
    made: dict[str, Path] = field(default_factory=dict)
    error: CheckpointingError | None = None


class _OverLimit(Exception):
    """The script uses more memory than its limit as a step begins; raised to end the script."""


def script_limit(machine: Iterable[Limit], requested: int | None) -> Limit:
    """The memory that the plain script may use: most of what is available, or what `--limit` says.

    Args:
        machine: the limits of the machine and the container, as for a budget.
        requested: bytes, from `--limit`; they can only lower the limit.
    """
    available = Limit(int(psutil.virtual_memory().available), "the memory that is available")
    limits = [
        Limit(limit.bytes * _PERCENT // 100, f"{_PERCENT} % of {limit.source}")
        for limit in (available, *machine)
    ]
    if requested is not None:
        limits.append(Limit(requested, "--limit"))
    return min(limits, key=lambda limit: limit.bytes)


def run_plain(
    order: ScriptOrder, budget: EffectiveBudget, limit: Limit, observe: Observer, run: PlainRun
) -> None:
    """Run the script to its end or to the limit; `run` shows its progress at any time."""
    figures = run.figures
    watch = _ScriptWatch(order, budget.bytes, limit.bytes, observe, figures)
    log, kills = LogTail(order.log, order.secrets), oom_kills()
    ending: Ending | None = None
    with suppress(_OverLimit), log.masked():
        ending = run_worker(
            run_script,
            (order,),
            is_last=lambda message: isinstance(message, OutputsHashed | PartFailed),
            on_message=watch.on_message,
            on_sample=watch.on_sample,
            limit=Fixed(limit.bytes),
            count=order.count,
            alone=True,
        )
    if isinstance(ending, Finished) and isinstance(ending.last, OutputsHashed):
        run.identities, run.made = ending.last.identities, ending.last.made
    if watch.ended:
        return
    figures.ended_in = watch.part.step
    if ending is None or isinstance(ending, OverBudget):
        reason = f"the limit on this machine is {size(limit.bytes)} ({limit.source})"
        figures.status, figures.why = "stopped", reason
    elif exceeded := exceedance(ending, log, struck=oom_kills() > kills):
        figures.status, figures.why = "stopped", exceeded.phrase
    else:
        run.error = failure(ending, watch.segment, watch.part, log)
        run.error.details["run"] = "plain"


class _ScriptWatch:
    """Fills the figures of a plain run, with one PartWatch after the other, one for each segment.

    Only the memory of the script's own process and its children counts, because a script has no
    process that watches it and none that it is forked from.
    """

    def __init__(
        self,
        order: ScriptOrder,
        budget: int,
        limit: int,
        observe: Observer,
        figures: PlainFigures,
    ) -> None:
        self.ended = False
        self._order = order
        self._budget = budget
        self._limit = limit
        self._observe = observe
        self._figures = figures
        self._started = time.monotonic()
        self._waiting = list(order.segments)
        self._begin_segment()

    def on_message(self, message: Any) -> None:
        match message:
            case StepStarted():
                if message.held_bytes > self._limit:  # the step did not allocate it
                    self._note(message.held_bytes)
                    raise _OverLimit
                if message.step not in {step.name for step in self.segment.steps}:
                    self._begin_segment()
                self.part.on_message(message)
            case StepEnded():
                self.part.on_message(message)
                self._note(message.held_bytes)
                if message.step == self.segment.steps[-1].name:
                    self._record.status = "ran"
                    self._observe(SegmentEnded(self._record))
            case ScriptEnded():
                self.ended = True
                self._figures.status = "ran"

    def on_sample(self, held: int, beside: int) -> None:
        if not self.ended:
            self.part.on_sample(held)
            self._note(held)

    def _begin_segment(self) -> None:
        self.segment: Segment = self._waiting.pop(0)
        self._record = SegmentRecord(self.segment.name, "failed", parts=1)
        self.part = PartWatch(self._record, 0, "", self._order.count, self._observe)
        self._figures.segments.append(self._record)
        self._observe(SegmentStarted(self.segment.name, ("as a plain script",)))
        self._observe(PartStarted(self.segment.name, self.segment.steps[0].name))

    def _note(self, held: int) -> None:
        """Add the memory that is in use now to the figures."""
        figures = self._figures
        figures.seconds = time.monotonic() - self._started
        figures.peak_bytes = max(figures.peak_bytes, held)
        if held > self._budget and figures.over_budget_in is None:
            figures.over_budget_in = self.part.step
