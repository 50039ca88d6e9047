"""Rows of bars: a name, blocks side by side, a figure behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from .svg import TOOLTIP, WIDE, Layers, chart, fitted, names_width, rows_axis

ROW = 22  # pixels that a row takes
_EARLIER = 0.45  # opacity of what an earlier run measured


@dataclass(frozen=True)
class Block:
    """A stretch of a bar, in the units of the chart; `tooltip` is shown where the mouse rests."""

    color: str
    start: float
    end: float
    tooltip: str
    name: str = ""


@dataclass(frozen=True)
class Bar:
    """One row. A row without blocks and figure is a heading."""

    name: str
    blocks: tuple[Block, ...] = ()
    figure: str = ""
    is_earlier: bool = False


def bars(
    rows: Sequence[Bar], axis: alt.Axis, most: float, width: int, lines: Layers = ()
) -> Layers:
    """The layers of rows of bars.

    Args:
        axis: of the figures.
        most: the value that the axis must reach.
        lines: drawn over the bars and under the figures.
    """
    room = 1.14 if width == WIDE else 1.4  # for the figures behind the bars
    x = alt.X("at:Q", scale=alt.Scale(domain=[0, most * room or 1], nice=False), axis=axis)
    headings = [number for number, row in enumerate(rows) if not row.blocks and not row.figure]
    names = [row.name for row in rows]
    y = rows_axis(width, names, headings)
    per_unit = (width - names_width(width, names)) / (most * room or 1)
    blocks = [
        {
            "row": number,
            "at": block.start,
            "until": block.end,
            "color": block.color,
            "tooltip": block.tooltip,
            "middle": (block.start + block.end) / 2,
            "name": fitted(block.name, (block.end - block.start) * per_unit),
            "opacity": _EARLIER if row.is_earlier else 1,
            "ink": "var(--ink)" if row.is_earlier else "var(--paper)",
        }
        for number, row in enumerate(rows)
        for block in row.blocks
    ]
    figures = [
        {"row": number, "at": max((b.end for b in row.blocks), default=0), "figure": row.figure}
        for number, row in enumerate(rows)
        if row.figure
    ]
    drawn = chart(blocks).mark_bar(stroke="var(--paper)", strokeWidth=0.5)
    behind = chart(figures).mark_text(align="left", dx=5, fontSize=11, color="var(--muted)")
    inside = chart(blocks).mark_text(fontSize=11, strokeWidth=0)
    return [
        drawn.encode(
            x=x,
            x2=alt.X2("until:Q"),
            y=y,
            color=alt.Color("color:N", scale=None, legend=None),
            opacity=alt.Opacity("opacity:Q", scale=None, legend=None),
            description=TOOLTIP,
        ),
        *lines,
        inside.encode(
            x=alt.X("middle:Q"),
            y=y,
            text="name:N",
            color=alt.Color("ink:N", scale=None, legend=None),
        ),
        behind.encode(x=x, y=y, text="figure:N"),
    ]


def line(at: float, color: str, tooltip: str) -> alt.Chart:
    """A line across all rows."""
    rule = chart([{"at": at, "tooltip": tooltip}]).mark_rule(color=color, strokeWidth=2)
    across: alt.Chart = rule.encode(x=alt.X("at:Q"), description=TOOLTIP)
    return across
