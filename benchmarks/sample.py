"""sample: what the generated project's own pipeline needs, as one script and in segments.

It also draws the picture of the README, so that picture and figures come from one measurement.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
from measure import Bench, Row, ratios, show_bytes, show_ratio, show_seconds, spread
from project import Project, sample_project

NAME = "sample"
BUDGET = "600MB"
PEAK_RATIO = 0.35
TIME_RATIO = 1.5
PLAIN_BYTES = 1e9
REUSED_SECONDS = 1.0
PICTURE = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "sample.svg"

Comparison = dict[str, Any]


def run(bench: Bench) -> list[Row]:
    """Compare both ways to run the sample, several times; then time a run that reuses all."""
    project = sample_project(bench.folder / NAME)
    day = ("--set", "last_day=2013-01-01") if bench.quick else ()
    rounds = 1 if bench.quick else 5
    made: list[Comparison] = [
        json.loads(project.command("compare", "--json", "--budget", BUDGET, *day).expected().out)
        for _ in range(rounds)
    ]
    if not bench.quick:
        draw(made[0], PICTURE)
    plain, checkpoints = (
        {figure: [c[run][figure] for c in made] for figure in ("peak_bytes", "seconds")}
        for run in ("plain", "checkpoints")
    )
    peak = ratios(checkpoints["peak_bytes"], plain["peak_bytes"])
    time = ratios(checkpoints["seconds"], plain["seconds"])
    least = spread(plain["peak_bytes"]).median
    is_same = all(all(comparison["same_results"].values()) for comparison in made)
    first_over = made[0]["plain"]["over_budget_in"]
    return [
        Row(
            NAME,
            f"one script, peak; above {BUDGET} in step {first_over}",
            show_bytes(least),
            target=f"≥ {show_bytes(PLAIN_BYTES)}",
            met=least >= PLAIN_BYTES,
        ),
        Row(
            NAME,
            "in segments, peak",
            show_bytes(spread(checkpoints["peak_bytes"]).median),
            f"one script {show_bytes(least)}",
            show_ratio(peak),
            f"≤ {PEAK_RATIO}",
            peak.median <= PEAK_RATIO,
        ),
        Row(
            NAME,
            "in segments, time",
            show_seconds(spread(checkpoints["seconds"])),
            f"one script {show_seconds(spread(plain['seconds']))}",
            show_ratio(time),
            f"≤ {TIME_RATIO}",
            time.median <= TIME_RATIO,
        ),
        Row(NAME, "results", "the same bytes" if is_same else "differ", met=is_same),
        _reused(project, day),
    ]


def _reused(project: Project, changes: tuple[str, ...]) -> Row:
    """The whole command, when nothing has changed since the run before."""
    first = project.command("run", "--budget", BUDGET, *changes).expected()
    again = project.command("run", "--budget", BUDGET, *changes).expected()
    return Row(
        NAME,
        "run, when everything is reused",
        f"{again.seconds:.2f} s",
        f"first run {first.seconds:.1f} s",
        f"{again.seconds / first.seconds:.2f}",
        f"≤ {REUSED_SECONDS} s",
        again.seconds <= REUSED_SECONDS,
    )


def draw(comparison: Comparison, path: Path) -> None:
    """Write the picture: what either run held at most in each step, against the budget."""
    names = {"plain": "one script", "checkpoints": "in segments"}
    rows = [
        {"run": names[run], "step": step["name"], "number": number, "MB": step["peak_bytes"] / 1e6}
        for run in names
        for number, step in enumerate(
            (step for segment in comparison[run]["segments"] for step in segment["steps"]), start=1
        )
    ]
    budget = comparison["budget_bytes"] / 1e6
    steps = pd.DataFrame(rows).assign(fits=lambda table: table["MB"] <= budget)
    order = list(steps.sort_values("number")["step"].unique())
    bars = (
        alt.Chart(steps)
        .mark_bar()
        .encode(
            alt.X("step:N", sort=order, title=None).axis(labelAngle=-40, labelFontSize=11),
            alt.Y("MB:Q", title="MB held", axis=alt.Axis(tickCount=5)),
            alt.Color("fits:N", legend=None).scale(
                domain=[True, False], range=["#4c78a8", "#e45756"]
            ),
        )
    )
    once = alt.Chart(steps).transform_filter(alt.datum.number == 1)
    line = once.mark_rule(strokeDash=[5, 3], color="#444").encode(alt.YDatum(budget))
    label = once.mark_text(align="left", dy=-7, color="#444").encode(
        alt.XDatum(order[0]), alt.YDatum(budget), text=alt.datum(f"budget {budget:.0f} MB")
    )
    (bars + line + label).properties(width=720, height=130).facet(
        row=alt.Row("run:N", sort=list(names.values()), title=None)
    ).configure(
        background="white",
        font="sans-serif",
        # The foot has room for a browser's letters, wider than those measured here.
        padding={"left": 5, "top": 5, "right": 5, "bottom": 17},
    ).save(path)
