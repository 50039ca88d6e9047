"""A run for people: a live line on a terminal, plain lines elsewhere, and a closing table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..base.interrupts import held
from ..base.units import short, size
from ..run.events import (
    Noticed,
    Observer,
    PartStarted,
    RunStarted,
    Sampled,
    SampledElsewhere,
    SegmentEnded,
    SegmentStarted,
    SegmentStopped,
    SentElsewhere,
    StepBegan,
    Turned,
)
from ..run.record import RunRecord, SegmentRecord
from ..worker.messages import CommitStarted, StepStarted

_SAMPLES = (Sampled, SampledElsewhere)
"""Of these there are a hundred a second, so they are told from all other events first."""

_STYLES = {"ran": "green", "reused": "cyan", "failed": "red"}


@contextmanager
def progress(console: Console) -> Iterator[Observer]:
    """An observer that shows a run on `console`, live when that is a terminal."""
    lines = _Lines(console)
    if not console.is_terminal:
        yield lines.observe
        return
    gauge = _Gauge()
    live = Live(gauge, console=console, transient=True, refresh_per_second=4)

    def observe(event: Any) -> None:
        gauge.observe(event)
        lines.observe(event)

    try:
        with held():  # an interrupt must not leave a terminal without its cursor
            live.start(refresh=True)
        yield observe
    finally:
        with held():
            live.stop()


def closing_table(record: RunRecord) -> Table:
    """Per segment: what happened, its peak against the budget, time, bytes written."""
    table = Table(title=f"{record.pipeline}: {_budget(record)}", title_justify="left")
    table.add_column("segment")
    table.add_column("status")
    for heading in ("parts", "peak", "of budget", "seconds", "written"):
        table.add_column(heading, justify="right")
    for segment in record.segments:
        style = _STYLES[segment.status]
        where = f" on {escape(segment.executor)}" if segment.executor else ""
        status = f"[{style}]{segment.status}[/]{where}"
        table.add_row(segment.name, status, *_figures(segment, record))
    table.add_section()
    total = SegmentRecord(
        "all",
        "",
        parts=sum(segment.parts for segment in record.segments),
        peak_bytes=record.peak_bytes,
        seconds=record.seconds,
        bytes_written=record.bytes_written,
    )
    table.add_row("all", "", *_figures(total, record))
    return table


@dataclass
class _Running:
    """Where a segment is that runs now."""

    segment: str
    most: int
    """The bytes that it may hold."""

    step: str = ""
    doing: str = ""
    number: int = 0
    """Of the step in its segment, counted from 1."""

    numbers: dict[str, int] = field(default_factory=dict)
    """Of the steps that are left to run, where some do not run."""

    started: float = field(default_factory=time.monotonic)

    def note(self, event: Any) -> None:
        """Follow the segment from one step to the next."""
        if isinstance(event, PartStarted):
            self.number, self.numbers, self.doing = event.number - 1, event.numbers, "starting"
        elif isinstance(event, SentElsewhere):
            self.doing, self.most = f"starting {event.executor}", event.budget_bytes
        elif isinstance(event, StepStarted | StepBegan):
            if not event.item or event.step != self.step:
                self.number = self.numbers.get(event.step, self.number + 1)
            self.step = event.step
            self.doing = f"{event.step}, {event.item}" if event.item else event.step
        elif isinstance(event, CommitStarted):
            self.doing = "writing the checkpoint"


class _Progress:
    """The segments that run now, and the one that the events are of."""

    def __init__(self) -> None:
        self.budget = 1
        self.steps: dict[str, int] = {}
        self.running: dict[str, _Running] = {}
        self.now = _Running("", 1)

    def note(self, event: Any) -> None:
        if isinstance(event, RunStarted):
            self.budget, self.steps = event.budget_bytes, dict(event.segments)
        elif isinstance(event, SegmentStarted):
            self.now = self.running[event.segment] = _Running(event.segment, self.budget)
        elif isinstance(event, Turned | PartStarted | SentElsewhere):
            new = _Running(event.segment, self.budget)
            self.now = self.running.setdefault(event.segment, new)
        elif isinstance(event, SegmentEnded):
            self.running.pop(event.record.name, None)
        elif isinstance(event, SegmentStopped):
            self.running.pop(event.segment, None)
        self.now.note(event)


class _Lines:
    """One line for each event that belongs in a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = _Progress()

    def observe(self, event: Any) -> None:
        if isinstance(event, _SAMPLES):
            return
        self._progress.note(event)
        now = self._progress.now
        if isinstance(event, RunStarted):
            self._print(
                f"{event.pipeline}: budget {size(event.budget_bytes)} ({event.budget_source}); "
                f"log {short(event.log)}"
            )
        elif isinstance(event, SegmentStarted):
            self._print(f"{event.segment}: runs ({'; '.join(event.reasons)})")
        elif isinstance(event, PartStarted) and event.why:
            self._print(f"{event.segment}: new process starting at {event.step} ({event.why})")
        elif isinstance(event, SentElsewhere):
            self._print(
                f"{event.segment}: runs on {event.executor} as {event.place}, budget "
                f"{size(event.budget_bytes)}"
            )
        elif isinstance(event, StepStarted | StepBegan) and not self._console.is_terminal:
            of = f"{now.number}/{self._progress.steps[now.segment]}"
            self._print(f"{now.segment}: step {of} {now.doing}")
        elif isinstance(event, SegmentEnded):
            record = event.record
            ran = f" in {record.seconds:.1f} s, peak {size(record.peak_bytes)}"
            self._print(f"{record.name}: {record.status}{ran if record.status == 'ran' else ''}")
        elif isinstance(event, SegmentStopped):
            self._print(f"{event.segment}: {event.why}")
        elif isinstance(event, Noticed):
            self._print(event.message)

    def _print(self, line: str) -> None:
        self._console.print(escape(line), highlight=False, soft_wrap=True)


class _Gauge:
    """The running steps and the held memory against the budget, as lines that are redrawn.

    Of segments that run side by side each has a line; the memory is that of all.
    """

    def __init__(self) -> None:
        self._progress = _Progress()
        self._held = 0

    def observe(self, event: Any) -> None:
        if isinstance(event, _SAMPLES):
            self._held = event.held_bytes
        else:
            self._progress.note(event)

    def __rich__(self) -> Table | Text:
        running = list(self._progress.running.values())
        if not running:
            return Text("")
        rows = Table.grid(padding=(0, 1))
        for each in running:
            share = self._held / each.most
            style = "red" if share > 0.9 else "yellow" if share > 0.7 else "green"
            is_last = each is running[-1]
            bar = ProgressBar(total=1, completed=min(share, 1), width=24, complete_style=style)
            rows.add_row(
                f"[bold]{escape(each.segment)}[/] {each.number}/"
                f"{self._progress.steps[each.segment]}",
                escape(each.doing),
                bar if is_last else "",
                f"{size(self._held)} of {size(each.most)}" if is_last else "",
                f"{time.monotonic() - each.started:.0f} s",
            )
        return rows


def _figures(segment: SegmentRecord, record: RunRecord) -> tuple[str, ...]:
    if segment.status == "reused":
        return ("",) * 5
    budget = segment.budget_bytes or record.budget_bytes
    share = segment.peak_bytes / budget if budget else 0.0
    return (
        str(segment.parts),
        size(segment.peak_bytes) if segment.peak_bytes else "",
        f"{share:.0%}" if segment.peak_bytes else "",
        f"{segment.seconds:.1f}",
        size(segment.bytes_written) if segment.bytes_written else "",
    )


def _budget(record: RunRecord) -> str:
    return f"budget {size(record.budget_bytes)} ({escape(record.budget_source)})"
