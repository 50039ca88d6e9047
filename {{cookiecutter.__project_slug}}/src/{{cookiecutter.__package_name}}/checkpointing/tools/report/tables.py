"""The tables of the page: what the charts show, in figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ...base.units import duration, moment, share, short, size
from ...run.record import RunRecord
from .content import Content
from .facts import Measured, Row
from .values import Life, ValueGraph
from .words import cut, verdict

Cell = str | Markup
_UNKNOWN = "–"


def segments(content: Content) -> Markup:
    """What became of each segment."""
    budget = content.run.budget_bytes
    rows = [
        (
            segment.name,
            _status(segment),
            str(segment.facts.parts or _UNKNOWN),
            _size(segment.facts.peak_bytes),
            share(segment.facts.peak_bytes, budget) if segment.facts.peak_bytes else _UNKNOWN,
            duration(segment.facts.seconds) if segment.facts.seconds else _UNKNOWN,
            _size(segment.facts.bytes_written),
            Markup("<br>").join(cut(found) for found in segment.facts.cuts),
        )
        for segment in content.segments
    ]
    headings = ("Segment", "Status", "SegmentRun", "Peak", "Of budget", "Time", "Written", "Cut")
    return table("Segments", headings, rows, numbers=range(2, 7))


def steps(rows: Iterable[Row], budget: int) -> Markup:
    """Memory of each step and commit."""
    cells = [
        (
            row.label,
            row.segment,
            _size(row.began_bytes),
            _size(row.peak_bytes),
            share(row.peak_bytes, budget),
            _size(row.value_bytes),
        )
        for row in rows
    ]
    headings = ("Step", "Segment", "Began with", "Peak", "Of budget", "Its value")
    return table("Memory per step", headings, cells, numbers=range(2, 6))


def times(rows: Iterable[Row]) -> Markup:
    """Time of each step and commit."""
    cells = [
        (
            row.label,
            row.segment,
            *(
                duration(seconds)
                for seconds in (
                    row.read_seconds,
                    row.compute_seconds,
                    row.write_seconds,
                    row.seconds,
                )
            ),
        )
        for row in rows
    ]
    headings = ("Step", "Segment", "Read", "Compute", "Write", "In all")
    return table("Time per step", headings, cells, numbers=range(2, 6))


def values(graph: ValueGraph) -> Markup:
    """Each value: who makes it, who reads it last, how large it is."""
    cells = [
        (
            life.value,
            life.segment,
            _last_reader(life, graph),
            _UNKNOWN if life.is_sink or life.bytes is None else size(life.bytes),
            _size(life.bytes_on_disk),
        )
        for life in graph.lives
    ]
    headings = ("Value", "Made in", "Last read by", "In memory", "On disk")
    return table("Values", headings, cells, numbers=range(3, 5))


def checkpoints(graph: ValueGraph) -> Markup:
    """What is live at each checkpoint."""
    cells = [
        (
            f"before {graph.steps[point.before]}",
            f"cut: {point.why}" if point.why else f"{point.segment} ends",
            ", ".join(life.value for life in point.live) or "nothing",
            _UNKNOWN if point.live_bytes is None else size(point.live_bytes),
        )
        for point in graph.checkpoints
    ]
    headings = ("Checkpoint", "Why there", "Live", "On disk")
    return table("Checkpoints", headings, cells, numbers=(3,))


def disk(kept: Mapping[str, Mapping[str, int]]) -> Markup:
    """The values that each segment wrote."""
    cells = [
        (value, segment, size(count))
        for segment, values in kept.items()
        for value, count in sorted(values.items(), key=lambda item: -item[1])
    ]
    return table("Values on disk", ("Value", "Segment", "On disk"), cells, numbers=(2,))


def history(runs: Iterable[RunRecord]) -> Markup:
    """Earlier runs."""
    cells = [
        (
            moment(run.started_at),
            verdict(run),
            _size(run.peak_bytes),
            size(run.budget_bytes),
            share(run.peak_bytes, run.budget_bytes),
            duration(run.seconds),
        )
        for run in runs
    ]
    headings = ("Run", "How it ended", "Peak", "Budget", "Of budget", "Time")
    return table("Runs", headings, cells, numbers=range(2, 6))


def outputs(paths: Mapping[str, str]) -> Markup:
    """Where each output is."""
    cells = [
        (value, Markup("<code>{}</code>").format(short(path))) for value, path in paths.items()
    ]
    return table("Outputs", ("Output", "Path"), cells)


def environment(found: Mapping[str, Any]) -> Markup:
    """The machine and the libraries."""
    cells = [
        ("RAM", size(value))
        if name == "ram_bytes" and isinstance(value, int | float)
        else (name, str(value))
        for name, value in found.items()
    ]
    return table("Environment", ("What", "Which"), cells)


def table(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    numbers: Iterable[int] = (),
) -> Markup:
    """A table whose first column names its rows. A narrow window scrolls it, not the page.

    Args:
        numbers: the columns that hold figures.
    """
    right = {*numbers}
    kinds = [Markup(' class="number"') if n in right else "" for n in range(len(headings))]
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(kind, heading)
        for kind, heading in zip(kinds, headings, strict=True)
    )
    body = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            row[0],
            Markup("").join(
                Markup("<td{}>{}</td>").format(kind, cell)
                for kind, cell in zip(kinds[1:], row[1:], strict=True)
            ),
        )
        for row in rows
    )
    return Markup(
        '<div class="scroll" role="region" tabindex="0" aria-label="{0}"><table>\n'
        "<caption>{0}</caption>\n<thead><tr>{1}</tr></thead>\n<tbody>\n{2}\n</tbody></table></div>"
    ).format(title, head, body)


def _status(segment: Measured) -> Markup:
    when = ""
    if segment.is_earlier:
        when = Markup(" <small>measured {}</small>").format(moment(segment.run.started_at))
    return Markup('<span class="status {0}">{0}</span>{1}').format(segment.status, when)


def _last_reader(life: Life, graph: ValueGraph) -> str:
    if life.is_sink:
        return "nothing: a sink"
    return graph.steps[life.last] if life.readers else "no step: an output"


def _size(count: int) -> str:
    return size(count) if count else _UNKNOWN
