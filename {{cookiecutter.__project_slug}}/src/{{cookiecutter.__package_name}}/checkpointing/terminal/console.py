"""A run for people: a live line on a terminal, plain lines elsewhere, and a closing table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    SentElsewhere,
    StepBegan,
)
from ..run.record import RunRecord, SegmentRecord
from ..worker.messages import CommitStarted, StepStarted

_STYLES = {"ran": "green", "reused": "cyan", "failed": "red"}


@contextmanager
def progress(console: Console) -> Iterator[Observer]:
    """An observer that shows a run on `console`, live when that is a terminal."""
    lines = _Lines(console)
    if not console.is_terminal:
        yield lines.observe
        return
    gauge = _Gauge()
    live = Live(gauge, console=console, transient=True, refresh_per_second=8)

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


class _Lines:
    """One line for each event that belongs in a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = {"": 0}
        self._number = 0
        self._numbers: dict[str, int] = {}
        self._segment = self._step = ""

    def observe(self, event: Any) -> None:
        if isinstance(event, RunStarted):
            self._steps = dict(event.segments)
            self._print(
                f"{event.pipeline}: budget {size(event.budget_bytes)} ({event.budget_source}); "
                f"log {short(event.log)}"
            )
        elif isinstance(event, SegmentStarted):
            self._print(f"{event.segment}: runs ({'; '.join(event.reasons)})")
        elif isinstance(event, PartStarted):
            self._segment, self._number = event.segment, event.number - 1
            self._numbers = event.numbers
            if event.why:
                self._print(f"{event.segment}: new process starting at {event.step} ({event.why})")
        elif isinstance(event, SentElsewhere):
            self._segment = event.segment
            self._print(
                f"{event.segment}: runs on {event.executor} as {event.place}, budget "
                f"{size(event.budget_bytes)}"
            )
        elif isinstance(event, StepStarted | StepBegan):
            if not event.item or event.step != self._step:
                self._number = self._numbers.get(event.step, self._number + 1)
            self._step = event.step
            if not self._console.is_terminal:
                of = f"{self._number}/{self._steps[self._segment]}"
                item = f", {event.item}" if event.item else ""
                self._print(f"{self._segment}: step {of} {event.step}{item}")
        elif isinstance(event, SegmentEnded):
            record = event.record
            ran = f" in {record.seconds:.1f} s, peak {size(record.peak_bytes)}"
            self._print(f"{record.name}: {record.status}{ran if record.status == 'ran' else ''}")
        elif isinstance(event, Noticed):
            self._print(event.message)

    def _print(self, line: str) -> None:
        self._console.print(escape(line), highlight=False, soft_wrap=True)


class _Gauge:
    """The running step and the held memory against the budget, as one line that is redrawn."""

    def __init__(self) -> None:
        self._budget = self._most = 1
        self._steps: dict[str, int] = {}
        self._segment = self._doing = self._step = ""
        self._number = self._held = 0
        self._numbers: dict[str, int] = {}
        self._started = time.monotonic()

    def observe(self, event: Any) -> None:
        if isinstance(event, RunStarted):
            self._budget, self._steps = event.budget_bytes, dict(event.segments)
        elif isinstance(event, SegmentStarted):
            self._segment, self._most, self._number = event.segment, self._budget, 0
            self._started = time.monotonic()
        elif isinstance(event, PartStarted):
            self._number, self._doing = event.number - 1, "starting"
            self._numbers = event.numbers
        elif isinstance(event, SentElsewhere):
            self._doing, self._most = f"starting {event.executor}", event.budget_bytes
        elif isinstance(event, StepStarted | StepBegan):
            if not event.item or self._step != event.step:
                self._number = self._numbers.get(event.step, self._number + 1)
            self._step = event.step
            self._doing = f"{event.step}, {event.item}" if event.item else event.step
        elif isinstance(event, CommitStarted):
            self._doing = "writing the checkpoint"
        elif isinstance(event, Sampled | SampledElsewhere):
            self._held = event.held_bytes
        elif isinstance(event, SegmentEnded):
            self._segment = ""

    def __rich__(self) -> Table | Text:
        if not self._segment:
            return Text("")
        share = self._held / self._most
        style = "red" if share > 0.9 else "yellow" if share > 0.7 else "green"
        row = Table.grid(padding=(0, 1))
        row.add_row(
            f"[bold]{escape(self._segment)}[/] {self._number}/{self._steps[self._segment]}",
            escape(self._doing),
            ProgressBar(total=1, completed=min(share, 1), width=24, complete_style=style),
            f"{size(self._held)} of {size(self._most)}",
            f"{time.monotonic() - self._started:.0f} s",
        )
        return row


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
