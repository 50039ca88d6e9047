"""each: what an item costs of a step that runs for each, and that the cost stays flat."""

from __future__ import annotations

import json
from itertools import pairwise

from measure import Bench, Row, show_ratio, show_seconds, spread
from project import Project, write_project

NAME = "each"
COUNTS = (10, 100, 1_000)
QUICK_COUNTS = (5, 20, 50)
ROUNDS = 3
FLAT = 1.3

_SEGMENTS = {
    "s01": """
from ..checkpointing import step

@step(each="items")
def squares(items: int) -> int:
    return items * items
"""
}


def run(bench: Bench) -> list[Row]:
    """Run a step for 10, 100 and 1,000 items, then again with one item more."""
    counts = QUICK_COUNTS if bench.quick else COUNTS
    first: dict[int, list[float]] = {count: [] for count in counts}
    one_more: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(1 if bench.quick else ROUNDS):
        for count in counts:
            project = write_project(bench.folder / NAME, "each", _SEGMENTS, _wiring(count))
            first[count].append(_seconds(project, items=count))
            (project.folder / "pipeline.toml").write_text(_wiring(count + 1))
            one_more[count].append(_seconds(project, items=1))
    rows = [
        Row(
            NAME,
            f"{count:,} items, by item",
            show_seconds(spread([seconds / count for seconds in first[count]])),
        )
        for count in counts
    ]
    further = [
        [(m - f) / (many - few) for m, f in zip(first[many], first[few], strict=True)]
        for few, many in pairwise(counts)
    ]
    growth = spread([later / early for early, later in zip(*further, strict=True)])
    rows.append(
        Row(
            NAME,
            f"each further item, from {counts[1]:,} to {counts[2]:,}",
            show_seconds(spread(further[1])),
            f"from {counts[0]:,} to {counts[1]:,}: {show_seconds(spread(further[0]))}",
            show_ratio(growth),
            f"{FLAT}",
            growth.median <= FLAT,
        )
    )
    for count in counts:
        share = [m / f for m, f in zip(one_more[count], first[count], strict=True)]
        rows.append(
            Row(
                NAME,
                f"one item more, after {count:,}",
                show_seconds(spread(one_more[count])),
                f"all {count:,}",
                show_ratio(spread(share)),
            )
        )
    return rows


def _wiring(count: int) -> str:
    return f"[params]\nitems = {list(range(count))}\n"


def _seconds(project: Project, items: int) -> float:
    """The seconds of a run's only segment, which has to run so many items."""
    done = project.command("run", "--json").expected()
    [segment] = json.loads(done.out)["segments"]
    ran = [item for step in segment["steps"] for item in step["items"]]
    if len(ran) != items:
        raise RuntimeError(f"{len(ran)} items ran in place of {items}")
    return float(segment["seconds"])
