"""The content of a report, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...disk.place import runs_place
from ...reuse.bound import Project
from ...run.record import RunRecord
from .executors import ExecutorRow, executor_rows
from .facts import Measured, Row, measured, rows
from .runs import MemoryOverTime, PastRun, later_without_record, memory_over_time, past_runs
from .small_tables import SmallTable, small_tables
from .values import ValueGraph, value_graph
from .words import has_run


@dataclass(frozen=True)
class Content:
    """The last run, and the earlier runs that a report shows beside it.

    `runs` are the recorded ones, the last first. `timeline` is that of the last run or, if nothing
    ran in it, of `timeline_run`; empty if none was kept. `notes` are sentences for the reader.
    """

    runs: tuple[PastRun, ...]
    segments: tuple[Measured, ...]
    rows: tuple[Row, ...]
    executors: tuple[ExecutorRow, ...]
    timeline: MemoryOverTime
    timeline_run: RunRecord
    graph: ValueGraph
    tables: tuple[SmallTable, ...]
    notes: tuple[str, ...]

    @property
    def run(self) -> RunRecord:
        return self.runs[0].record

    @property
    def folder(self) -> Path:
        return self.runs[0].folder


def read_content(project: Project) -> Content:
    """Read the records that the runs of a pipeline left.

    Raises as `past_runs` does, and ConfigurationError if the records belong to another project.
    """
    runs_place(project.settings).is_ours()
    runs = past_runs(project.settings.runs, project.graph.name)
    segments = measured(runs)
    timeline_run, timeline = _last_timeline(runs)
    return Content(
        runs=runs,
        segments=segments,
        rows=rows(segments),
        executors=tuple(executor_rows(segments)),
        timeline=timeline,
        timeline_run=timeline_run,
        graph=value_graph(project.graph, segments),
        tables=tuple(small_tables(project, runs[0].record, segments)),
        notes=tuple(_notes(project, runs[0])),
    )


def _last_timeline(runs: tuple[PastRun, ...]) -> tuple[RunRecord, MemoryOverTime]:
    """The last run in which anything ran, with its memory over time."""
    for run in runs:
        if has_run(run.record):
            return run.record, memory_over_time(run)
    return runs[0].record, MemoryOverTime()


def _notes(project: Project, run: PastRun) -> Iterator[str]:
    for segment in run.record.segments:
        yield from (f"{segment.name}: {sentence}." for sentence in segment.accepted)
        if segment.reused_steps:
            reused = ", ".join(segment.reused_steps)
            yield f"{segment.name}: taken over from former checkpoints: {reused}."
    if later := later_without_record(project.settings.runs, run):
        yield f"A later run, {later}, has left no record: it is still at work, or was killed."
    now = {
        segment.name: {step.name for step in segment.steps} for segment in project.graph.segments
    }
    then = {s.name: {step.name for step in s.steps} for s in run.record.segments}
    if changed := [name for name, steps in then.items() if not steps <= now.get(name, set())]:
        yield (
            f"The steps of {', '.join(changed)} have changed since this run; the graph is drawn "
            f"as the code is now."
        )
