"""The lifetimes of values: one bar for each value, with the checkpoints across them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
from markupsafe import Markup

from ....base.units import size
from ..values import Checkpoint, Life, ValueGraph
from .bars import ROW
from .few import MOST_ROWS, spaced, thinned
from .svg import TOOLTIP, Layers, chart, figure, fitted, names_width, rows_axis

_NARROW = 3  # pixels below which lines would run into one
_TOP = 2  # rows above the values: the segments, and what is live at their ends


def values_chart(graph: ValueGraph) -> Markup:
    """One row a value, one column a step; a bar spans the steps in which the value is needed.

    Of many values, those that take the most on disk.
    """
    lives = graph.largest(MOST_ROWS)
    names = ["segment", "live at its end", *(life.value for life in lives)]
    count = len(graph.steps)

    def layers(width: int) -> Layers:
        per_step = (width - names_width(width, names)) / count
        y = rows_axis(width, names, range(_TOP))
        return [
            *_segments(graph, y, per_step),
            *_lives(graph, lives, y),
            *_uses(graph, lives, y),
            *_checkpoints(graph, y, per_step),
        ]

    kept = sum(map(graph.is_kept, graph.lives))
    return figure(
        layers,
        len(names) * ROW,
        f"{count} steps in {len(graph.segments)} segments; {kept} of their values are "
        f"kept on disk.",
    )


def _x(count: int) -> alt.X:
    return alt.X("at:Q", scale=alt.Scale(domain=[0, count], nice=False), axis=None)


def _segments(graph: ValueGraph, y: alt.Y, per_step: float) -> Layers:
    facts = [
        {
            "row": 0,
            "at": start,
            "until": stop,
            "middle": (start + stop) / 2,
            "tooltip": f"{name}: steps {start + 1} to {stop}",
            "name": fitted(name, (stop - start) * per_step),
            "odd": number % 2,
        }
        for number, (name, start, stop) in enumerate(
            spaced(graph.segments, lambda segment: segment[1] * per_step, _NARROW)
        )
    ]
    tinted = chart([fact for fact in facts if fact["odd"]]).mark_rect(
        color="var(--tint)", aria=False
    )
    heads = chart(facts).mark_bar(color="var(--part)", stroke="var(--paper)")
    names = chart(facts).mark_text(fontSize=11, strokeWidth=0)
    x, x2 = _x(len(graph.steps)), alt.X2("until:Q")
    return [
        tinted.encode(x=x, x2=x2),
        heads.encode(x=x, x2=x2, y=y, description=TOOLTIP),
        names.encode(x=alt.X("middle:Q"), y=y, text="name:N"),
    ]


def _lives(graph: ValueGraph, lives: Sequence[Life], y: alt.Y) -> Layers:
    facts = [
        {
            "row": row,
            "at": life.made,
            "until": life.last + 1,
            "color": "var(--kept)" if graph.is_kept(life) else "var(--passing)",
            "tooltip": _life_tooltip(life, graph),
        }
        for row, life in enumerate(lives, _TOP)
        if not life.is_sink
    ]
    x = _x(len(graph.steps))
    color = alt.Color("color:N", scale=None, legend=None)
    bar = chart(facts).mark_bar(cornerRadius=2)
    return [bar.encode(x=x, x2=alt.X2("until:Q"), y=y, color=color, description=TOOLTIP)]


def _uses(graph: ValueGraph, lives: Sequence[Life], y: alt.Y) -> Layers:
    """A ring where a value is made, a point where it is read."""
    made = [
        {"row": row, "at": life.made + 0.5, "tooltip": f"{life.value} runs here"}
        for row, life in enumerate(lives, _TOP)
    ]
    read = [
        {
            "row": row,
            "at": reader + 0.5,
            "tooltip": f"{graph.steps[reader]} reads {life.value}",
        }
        for row, life in enumerate(lives, _TOP)
        for reader in thinned(life.readers, MOST_ROWS)
    ]
    ring = chart(made).mark_point(color="var(--ink)", fill="var(--paper)", size=34, opacity=1)
    point = chart(read).mark_point(color="var(--ink)", fill="var(--ink)", size=22, opacity=1)
    return [
        layer.encode(x=alt.X("at:Q"), y=y, description=TOOLTIP)
        for layer, facts in ((point, read), (ring, made))
        if facts
    ]


def _checkpoints(graph: ValueGraph, y: alt.Y, per_step: float) -> Layers:
    facts: list[dict[str, Any]] = []
    free = 0.0  # where the last label ended, in steps
    for point in spaced(graph.checkpoints, lambda point: point.before * per_step, _NARROW):
        label = "–" if point.live_bytes is None else size(point.live_bytes)
        reach = (len(label) * 6.5 + 8) / per_step
        has_room = not point.why and point.before - reach >= free
        free = float(point.before) if has_room else free
        facts.append(
            {
                "row": 1,
                "at": point.before,
                "color": "var(--cut)" if point.why else "var(--ink)",
                "dash": [4, 3] if point.why else [],
                "top": _TOP * ROW if point.why else 0,  # cuts: below the segments' names and sizes
                "tooltip": _checkpoint_tooltip(point, graph),
                "label": label if has_room else "",
            }
        )
    if not facts:
        return []
    color = alt.Color("color:N", scale=None, legend=None)
    kinds = {(fact["top"], tuple(fact["dash"])) for fact in facts}
    rules = [
        chart([fact for fact in facts if (fact["top"], tuple(fact["dash"])) == (top, dash)])
        .mark_rule(strokeWidth=1.5, strokeDash=[*dash])
        .encode(
            x=alt.X("at:Q"),
            y=alt.value(top),
            y2=alt.value("height"),
            color=color,
            description=TOOLTIP,
        )
        for top, dash in sorted(kinds)
    ]
    label = chart(facts).mark_text(align="right", dx=-4, fontSize=11)
    return [*rules, label.encode(x=alt.X("at:Q"), y=y, text="label:N")]


def _checkpoint_tooltip(point: Checkpoint, graph: ValueGraph) -> str:
    """A checkpoint in words."""
    sizes = "" if point.live_bytes is None else f" ({size(point.live_bytes)} on disk)"
    event = f"cut ({point.why})" if point.why else f"{point.segment} ends"
    return f"{event} before {graph.steps[point.before]}; live: {point.live_names}{sizes}"


def _life_tooltip(life: Life, graph: ValueGraph) -> str:
    known = "" if life.bytes is None else f", {size(life.bytes)}"
    read = f"last read by {graph.steps[life.last]}" if life.readers else "read by no step"
    return f"{life.value}{known}: {read}"
