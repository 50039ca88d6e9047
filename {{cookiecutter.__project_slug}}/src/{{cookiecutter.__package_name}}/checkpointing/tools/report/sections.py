"""The sections of the page: a heading, what it shows, a chart with its keys, its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from markupsafe import Markup

from ...base.units import moment, size
from ...run.record import RunRecord
from . import tables
from .charts.history import history_chart
from .charts.memory import memory_chart
from .charts.steps import disk_chart, peaks_chart, times_chart
from .charts.svg import Ceiling
from .charts.values import values_chart
from .content import Content
from .facts import disk_bytes
from .phases import cuts

_SECTION = Markup("<section>\n<h2>{}</h2>\n<p>{}</p>\n{}\n</section>\n")
_FIGURE = Markup("<figure>\n{}\n<figcaption>{}</figcaption>\n</figure>\n")
_DETAILS = Markup("<details>\n<summary>The figures</summary>\n{}\n</details>")

_EARLIER = "Paler bars were measured in an earlier run: this one reused their segments."

Key = tuple[str, str, str]  # form, colour, meaning


def sections(content: Content) -> Iterator[Markup]:
    """The sections of the page, in order."""
    parts: tuple[Callable[[Content], Markup], ...] = (
        _segments,
        _memory,
        _peaks,
        _times,
        _values,
        _disk,
        _history,
        _outputs,
        _environment,
    )
    for part in parts:
        yield part(content)


def _segments(content: Content) -> Markup:
    told = "What became of each segment. Each part is a process of its own, which starts empty."
    return _section("Segments", told, tables.segments(content) if content.segments else "")


def _memory(content: Content) -> Markup:
    title = "Memory over time"
    if not content.timeline.seconds:
        return _section(title, "No memory over time was kept of this run.")
    told = "Held memory of the whole process tree. A process's end gives all its memory back."
    if content.timeline_run is not content.run:
        when = moment(content.timeline_run.started_at)
        told = f"Nothing ran this time; this is the run of {when}. {told}"
    peak = max(content.timeline.held_bytes)
    keys = [("", "--held", "held memory"), _budget(peak, content.timeline_run)]
    keys.append(("", "--part", "process of a segment"))
    keys.append(("", "--step", "step"))
    if cuts(content.timeline.marks):
        keys.append(("dash", "--cut", "cut"))
    return _section(
        title, told, _figure(memory_chart(content.timeline, content.timeline_run), keys)
    )


def _peaks(content: Content) -> Markup:
    title, rows = "Peak memory per step", [row for row in content.rows if row.peak_bytes]
    if not rows:
        return _section(title, "No step was measured.")
    told, keys = ["What is held at the peak of each step."], [("", "--held", "peak")]
    if any(row.began_bytes for row in rows):
        told = ["What was held when a step began, and what it added at its peak, reads included."]
        keys = [("", "--began", "held when it began"), ("", "--held", "added by the step")]
    told += [_EARLIER] if any(row.is_earlier for row in rows) else []
    budget = _budget(max(row.peak_bytes for row in rows), content.run)
    chart = _figure(peaks_chart(rows, content.run.budget_bytes), [*keys, budget])
    figures = tables.steps(rows, content.run.budget_bytes)
    return _section(title, " ".join(told), chart, _DETAILS.format(figures))


def _times(content: Content) -> Markup:
    title, rows = "Time per step", [row for row in content.rows if row.seconds]
    if not rows:
        return _section(title, "No step was measured.")
    told = ["Reading what a step needs, computing, and, at a part's end, writing its checkpoint."]
    told += [_EARLIER] if any(row.is_earlier for row in rows) else []
    keys = [("", "--read", "read"), ("", "--compute", "compute"), ("", "--write", "write")]
    figures = _DETAILS.format(tables.times(rows))
    return _section(title, " ".join(told), _figure(times_chart(rows), keys), figures)


def _values(content: Content) -> Markup:
    told = (
        "One row a value, one column a step: a bar spans the steps in which the value is needed. "
        "A value that crosses a checkpoint is kept on disk; all others go with their process."
    )
    keys = [
        ("", "--kept", "kept in a checkpoint"),
        ("", "--passing", "in memory only"),
        ("ring", "--ink", "made"),
        ("dot", "--ink", "read"),
        ("line", "--ink", "end of a segment"),
    ]
    if any(point.why for point in content.graph.checkpoints):
        keys.append(("dash", "--cut", "cut"))
    figures = tables.checkpoints(content.graph) + tables.values(content.graph)
    chart = _figure(values_chart(content.graph), keys)
    return _section("Values and checkpoints", told, chart, _DETAILS.format(figures))


def _disk(content: Content) -> Markup:
    title = "Bytes on disk"
    written = [s for s in content.segments if s.facts.bytes_written]
    if not written:
        return _section(title, "Nothing was written.")
    kept = disk_bytes(written)
    total = size(sum(segment.facts.bytes_written for segment in written))
    told = f"What the checkpoints of these segments take: {total}."
    figures = _DETAILS.format(tables.disk(kept)) if any(kept.values()) else ""
    keys = [("", "--write", "one block a value" if figures else "checkpoint")]
    return _section(title, told, _figure(disk_chart(written, kept), keys), figures)


def _history(content: Content) -> Markup:
    title, past = "Peaks of the last runs", [run.record for run in content.runs]
    runs = [run for run in past if run.peak_bytes]
    if not runs:
        return _section(title, "No run was measured.")
    told = "Runs in which something ran, the last one on the right."
    keys = [("dot", "--held", "peak"), ("cross", "--budget", "peak of a run that failed")]
    keys.append(("line", "--budget", "budget then"))
    figures = _DETAILS.format(tables.history(past))
    return _section(title, told, _figure(history_chart(runs), keys), figures)


def _outputs(content: Content) -> Markup:
    outputs = content.run.outputs
    if not outputs:
        return Markup()
    return _section("Outputs", "Where the results are.", tables.outputs(outputs))


def _environment(content: Content) -> Markup:
    found = content.run.environment
    if not found:
        return Markup()
    return _section("Environment", "Where this ran.", tables.environment(found))


def _section(title: str, told: str, *content: str) -> Markup:
    return _SECTION.format(title, told, Markup("").join(content))


def _budget(peak: int, run: RunRecord) -> Key:
    return ("line", "--budget", Ceiling(peak, run.budget_bytes).label)


def _figure(chart: Markup, keys: list[Key]) -> Markup:
    """A chart and the meaning of its colours."""
    told = (
        Markup('<span class="key {}" style="--swatch: var({})">{}</span>').format(*key)
        for key in keys
    )
    return _FIGURE.format(chart, Markup("\n").join(told))
