"""The report as one HTML page: no script, nothing to load, light, dark and in print.

`page.html` is its template with all its text; `page.css` is its style. This module draws the charts
and chooses the rows of the tables.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ...base.units import duration, moment, share, short, size
from .charts.few import MOST_ROWS
from .charts.history import history_chart
from .charts.memory import memory_chart
from .charts.steps import disk_chart, peaks_chart, times_chart
from .charts.svg import Ceiling
from .charts.values import values_chart
from .content import Content
from .facts import disk_bytes
from .phases import cuts
from .words import statuses, verdict, what_counts

_FOLDER = Path(__file__).parent
_FILTERS = (duration, moment, share, short, size, statuses, verdict, what_counts)


def page(content: Content) -> str:
    """The page's HTML. Whatever comes from the project is text in it, never markup."""
    run, timeline, timeline_run = content.run, content.timeline, content.timeline_run
    peaks = [row for row in content.rows if row.peak_bytes]
    times = [row for row in content.rows if row.seconds]
    written = [segment for segment in content.segments if segment.facts.bytes_written]
    sizes = disk_bytes(written)
    measured_runs = [past.record for past in content.runs if past.record.peak_bytes]
    held_peak = max(timeline.held_bytes, default=0)
    here = [row for row in peaks if not row.where]  # others are on another scale
    step_peak = max((row.peak_bytes for row in here), default=0)
    template = _environment().get_template("page.html")
    return template.render(
        style=Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),
        content=content,
        run=run,
        peaks=peaks,
        times=times,
        in_batches=[row for row in content.rows if row.is_in_batches],
        written=written,
        values_on_disk=[
            (segment, value, count)
            for segment, values in sizes.items()
            for value, count in sorted(values.items(), key=lambda item: -item[1])
        ],
        most_rows=MOST_ROWS,
        has_cuts=bool(cuts(timeline.marks)),
        memory_budget=Ceiling(held_peak, timeline_run.budget_bytes).label,
        peaks_budget=Ceiling(step_peak, run.budget_bytes).label,
        memory_chart=memory_chart(timeline, timeline_run) if timeline.seconds else None,
        peaks_chart=peaks_chart(here, run.budget_bytes) if here else None,
        times_chart=times_chart(times) if times else None,
        values_chart=values_chart(content.graph),
        disk_chart=disk_chart(written, sizes) if written else None,
        history_chart=history_chart(measured_runs) if measured_runs else None,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,  # an undefined name is an error, not an empty text
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {function.__name__: function for function in _FILTERS}
    return environment
