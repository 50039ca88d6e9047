"""Bars for each step and commit, and for each checkpoint: peak memory, time, bytes on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, groupby

from markupsafe import Markup

from ....base.units import duration, share, size
from ..facts import Measured, Row
from .bars import ROW, Bar, Block, bars, line
from .few import highest
from .svg import Ceiling, Layers, bytes_axis, figure, seconds_axis

MOST_BLOCKS = 20  # of a bar; what is left is the last one


def peaks_chart(rows: Sequence[Row], budget: int) -> Markup:
    """The peak of each step: what was resident when it began, and what it added."""
    ceiling = Ceiling(max(row.peak_bytes for row in rows), budget)
    drawn = highest(rows, lambda row: row.peak_bytes)
    shown = _under_segments(drawn, lambda row: _peak(row, budget))

    def layers(width: int) -> Layers:
        over = [line(budget, "var(--budget)", ceiling.label)] if ceiling.shows_budget else []
        return bars(shown, bytes_axis(width), ceiling.bytes, width, over)

    most = max(rows, key=lambda row: row.peak_bytes)
    return figure(
        layers,
        len(shown) * ROW,
        f"Peaks of {len(rows)} steps and commits; the highest is "
        f"{most.label} of {most.segment} with "
        f"{size(most.peak_bytes)}, {share(most.peak_bytes, budget)} of the budget.",
    )


def times_chart(rows: Sequence[Row]) -> Markup:
    """The time of each step: reading, computing, writing."""
    shown = _under_segments(highest(rows, lambda row: row.seconds), _time)
    longest = max(rows, key=lambda row: row.seconds)
    return figure(
        lambda width: bars(shown, seconds_axis(width), longest.seconds, width),
        len(shown) * ROW,
        f"Times of {len(rows)} steps and commits; the longest is "
        f"{longest.label} of {longest.segment} with "
        f"{duration(longest.seconds)}.",
    )


def disk_chart(segments: Sequence[Measured], kept: Mapping[str, Mapping[str, int]]) -> Markup:
    """The bytes that each segment wrote, by value where that is known (`kept`)."""
    drawn = highest(segments, lambda segment: segment.facts.bytes_written)
    shown = [_written(segment, kept.get(segment.name, {})) for segment in drawn]
    most = max(segment.facts.bytes_written for segment in segments)
    return figure(
        lambda width: bars(shown, bytes_axis(width), most, width),
        len(shown) * ROW,
        "Bytes written by each segment: "
        + ", ".join(f"{s.name} {size(s.facts.bytes_written)}" for s in drawn),
    )


def _under_segments(rows: Sequence[Row], bar: Callable[[Row], Bar]) -> list[Bar]:
    """A bar for each row, under the name of its segment."""
    return [
        shown
        for segment, members in groupby(rows, key=lambda row: row.segment)
        for shown in (Bar(segment), *map(bar, members))
    ]


def _peak(row: Row, budget: int) -> Bar:
    tooltip = (
        f"{row.label}: peak {size(row.peak_bytes)}, {share(row.peak_bytes, budget)} of the budget"
    )
    if not row.began_bytes:
        blocks = [Block("var(--held)", 0, row.peak_bytes, tooltip)]
    else:
        began = min(row.began_bytes, row.peak_bytes)
        tooltip += f"; it began with {size(began)} and added {size(row.peak_bytes - began)}"
        blocks = [
            Block("var(--began)", 0, began, tooltip),
            Block("var(--held)", began, row.peak_bytes, tooltip),
        ]
    return Bar(row.label, tuple(blocks), size(row.peak_bytes), row.is_earlier)


def _time(row: Row) -> Bar:
    stages = (
        ("var(--read)", row.read_seconds, "reading"),
        ("var(--compute)", row.compute_seconds, "computing"),
        ("var(--write)", row.write_seconds, "writing"),
    )
    ends = [*accumulate(seconds for _, seconds, _ in stages)]
    blocks = (
        Block(color, end - seconds, end, f"{row.label}: {duration(seconds)} {doing}")
        for (color, seconds, doing), end in zip(stages, ends, strict=True)
        if seconds
    )
    return Bar(row.label, tuple(blocks), duration(row.seconds), row.is_earlier)


def _written(segment: Measured, kept: Mapping[str, int]) -> Bar:
    total = segment.facts.bytes_written
    parts = sorted(kept.items(), key=lambda item: -item[1]) or [("everything", total)]
    if others := parts[MOST_BLOCKS:]:
        parts = [*parts[:MOST_BLOCKS], (f"{len(others)} others", sum(n for _, n in others))]
    ends = [*accumulate(count for _, count in parts)]
    blocks = (
        Block("var(--write)", end - count, end, f"{segment.name}, {value}: {size(count)}", value)
        for (value, count), end in zip(parts, ends, strict=True)
    )
    return Bar(segment.name, tuple(blocks), size(max(total, *ends)), segment.is_earlier)
