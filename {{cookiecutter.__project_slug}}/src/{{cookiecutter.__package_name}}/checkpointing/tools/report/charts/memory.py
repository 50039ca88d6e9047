"""Memory over time against the budget, with the segments, their steps and the cuts."""

from __future__ import annotations

from typing import Any

import altair as alt
from markupsafe import Markup

from ....base.units import duration, share, size
from ....run.record import RunRecord
from ....run.timeline import Peaks
from ..phases import Cut, Phase, cuts, joined, segments, steps
from ..runs import MemoryOverTime
from .svg import MARGIN, TOOLTIP, Ceiling, Layers, chart, figure, fitted, held_axis, seconds_axis

_HEIGHT = 320
_LINE = 18  # pixels that a line of names above the plot takes
_TOP = 2 * _LINE + 20
_NARROW = 3  # pixels below which what follows each other is drawn as one


def memory_chart(timeline: MemoryOverTime, run: RunRecord) -> Markup:
    """The chart of a timeline that is not empty."""
    end = max([*timeline.seconds, *(mark.seconds for mark in timeline.marks), 0.001])
    ceiling = Ceiling(max(timeline.held_bytes), run.budget_bytes)

    def layers(width: int) -> Layers:
        held = Peaks(most=width)
        for sample in zip(timeline.seconds, timeline.held_bytes, strict=True):
            held.add(*sample)
        samples = chart([{"at": at, "held": count} for at, count in held.samples()]).encode(
            x=_x(end, width), y=_y(ceiling, width)
        )
        return [
            *_strips(timeline, end, width),
            samples.mark_area(color="var(--held)", opacity=0.2, aria=False),
            samples.mark_line(color="var(--held)", strokeWidth=1.5, aria=False),
            *_cuts(timeline),
            *_budget(ceiling, width),
        ]

    return figure(
        layers,
        _HEIGHT,
        f"Memory over {duration(end)}: it peaks at {size(ceiling.peak)}, "
        f"{share(ceiling.peak, run.budget_bytes)} of the budget of {size(run.budget_bytes)}.",
    )


def _x(end: float, width: int) -> alt.X:
    return alt.X("at:Q", scale=alt.Scale(domain=[0, end], nice=False), axis=seconds_axis(width))


def _y(ceiling: Ceiling, width: int) -> alt.Y:
    scale = alt.Scale(domain=[0, ceiling.bytes], range=[_HEIGHT, _TOP], nice=False, clamp=True)
    return alt.Y("held:Q", scale=scale, axis=held_axis(width))


def _strips(timeline: MemoryOverTime, end: float, width: int) -> Layers:
    """Two lines above the plot: the segments, and their steps. Every second segment is tinted."""
    least = _NARROW * end / (width - MARGIN)
    spans = joined(segments(timeline.marks, end), least)
    tints = [_fact(span, number % 2) for number, span in enumerate(spans)]
    x, x2 = alt.X("at:Q"), alt.X2("until:Q")
    tinted = chart([tint for tint in tints if tint["odd"]]).encode(x=x, x2=x2)
    below = tinted.mark_rect(color="var(--tint)", aria=False)
    return [
        below.encode(y=alt.value(0), y2=alt.value(_HEIGHT)),
        *_strip(spans, 0, "var(--part)", end, width),
        *_strip(joined(steps(timeline.marks, end), least), _LINE, "var(--step)", end, width),
    ]


def _strip(phases: tuple[Phase, ...], top: int, color: str, end: float, width: int) -> Layers:
    facts = [_fact(phase) for phase in phases]
    middle = top + _LINE / 2 - 1
    per_second = (width - MARGIN) / end
    for fact in facts:
        fact["short"] = fitted(fact["name"], (fact["until"] - fact["at"]) * per_second)
    block = chart(facts).mark_rect(color=color, stroke="var(--paper)", strokeWidth=1)
    name = chart(facts).mark_text(fontSize=11, strokeWidth=0)
    return [
        block.encode(
            x=alt.X("at:Q"),
            x2=alt.X2("until:Q"),
            y=alt.value(top),
            y2=alt.value(top + _LINE - 2),
            description=TOOLTIP,
        ),
        name.encode(x=alt.X("middle:Q"), y=alt.value(middle), text="short:N"),
    ]


def _fact(phase: Phase, odd: int = 0) -> dict[str, Any]:
    name = {"part": phase.segment, "commit": "commit"}.get(phase.kind, phase.name)
    took = duration(phase.end - phase.start)
    return {
        "at": phase.start,
        "until": phase.end,
        "middle": (phase.start + phase.end) / 2,
        "name": name,
        "tooltip": f"{name}: {took}, from {duration(phase.start)}",
        "odd": odd,
    }


def _cuts(timeline: MemoryOverTime) -> Layers:
    facts = [
        {"at": cut.seconds, "tooltip": f"{cut.segment}, at {duration(cut.seconds)}: {_became(cut)}"}
        for cut in cuts(timeline.marks)
    ]
    rule = chart(facts).mark_rule(color="var(--cut)", strokeWidth=2, strokeDash=[4, 3])
    y, y2 = alt.value(_TOP), alt.value(_HEIGHT)  # below the names
    return [rule.encode(x=alt.X("at:Q"), y=y, y2=y2, description=TOOLTIP)] if facts else []


def _became(cut: Cut) -> str:
    if cut.is_loss:
        return f"stopped; what ran is lost and runs again, up to {cut.before}"
    return f"a fresh process goes on with {cut.before}"


def _budget(ceiling: Ceiling, width: int) -> Layers:
    if not ceiling.budget:
        return []
    facts = [{"held": ceiling.budget, "label": ceiling.label}]
    rule = chart(facts).mark_rule(color="var(--budget)", strokeWidth=2, aria=False)
    # On the left: a run that fails ends with its highest peak.
    label = chart(facts).mark_text(align="left", baseline="bottom", dy=-4, color="var(--budget)")
    y = _y(ceiling, width) if ceiling.shows_budget else alt.value(_TOP)
    lines = [rule.encode(y=y)] if ceiling.shows_budget else []
    return [*lines, label.encode(x=alt.value(4), y=y, text="label:N")]
