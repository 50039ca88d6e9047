"""The peaks of the last runs, each against the budget that it had."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt
from markupsafe import Markup

from ....base.units import day, moment, share, size
from ....run.record import RunRecord
from ..words import verdict
from .svg import TOOLTIP, WIDE, Ceiling, Layers, chart, figure, held_axis, labels

_HEIGHT = 220
_MOST = {True: 40, False: 12}  # runs that a wide and a narrow chart have room for


def history_chart(runs: Sequence[RunRecord]) -> Markup:
    """The chart of runs in which something was measured, the last run first."""

    def layers(width: int) -> Layers:
        shown = [*reversed(runs[: _MOST[width == WIDE]])]
        ceiling = Ceiling(
            max(run.peak_bytes for run in shown), min(run.budget_bytes for run in shown)
        )
        facts: list[dict[str, Any]] = [
            {
                "run": number,
                "at": run.peak_bytes,
                "budget": run.budget_bytes,
                "color": "var(--budget)" if run.error else "var(--held)",
                "shape": "cross" if run.error else "circle",
                "tooltip": _run_tooltip(run),
            }
            for number, run in enumerate(shown)
        ]
        top = max(
            [ceiling.bytes, *(f["budget"] for f in facts if f["budget"] <= 2 * ceiling.bytes)]
        )
        y_scale = alt.Scale(domain=[0, top * 1.08], nice=False)
        x = _runs_axis(shown)
        y = alt.Y("at:Q", scale=y_scale, axis=held_axis(width))
        color = alt.Color("color:N", scale=None, legend=None)
        shape = alt.Shape("shape:N", scale=None, legend=None)
        drawn = [fact for fact in facts if 0 < fact["budget"] <= top]
        budgets = chart(drawn).mark_tick(color="var(--budget)", thickness=2, aria=False)
        peaks = chart(facts)
        return [
            *([budgets.encode(x=x, y=alt.Y("budget:Q"))] if drawn else []),
            peaks.mark_line(color="var(--held)", strokeWidth=1.5, aria=False).encode(x=x, y=y),
            peaks.mark_point(filled=True, size=60, opacity=1).encode(
                x=x, y=y, color=color, shape=shape, description=TOOLTIP
            ),
        ]

    return figure(
        layers,
        _HEIGHT,
        f"Peaks of the last {len(runs)} runs, from {size(min(r.peak_bytes for r in runs))} to "
        f"{size(max(r.peak_bytes for r in runs))}.",
    )


def _run_tooltip(run: RunRecord) -> str:
    """A run in words."""
    of_budget = f"{share(run.peak_bytes, run.budget_bytes)} of {size(run.budget_bytes)}"
    return f"{moment(run.started_at)}: peak {size(run.peak_bytes)}, {of_budget}. {verdict(run)}"


def _runs_axis(shown: Sequence[RunRecord]) -> alt.X:
    """The runs by number, each labelled by its day where that begins."""
    days = [day(run.started_at) for run in shown]
    firsts = [now if now != former else "" for former, now in pairwise(["", *days])]
    axis = alt.Axis(labelExpr=labels(firsts), labelAngle=0, labelOverlap=True, grid=False)
    return alt.X("run:O", axis=axis)
