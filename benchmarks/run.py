"""Measure what the documentation claims, and print it as one table with ratios."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import checkpoint_io
import each
import engines
import fixed_costs
import growth
import planner
import sample
import seed20
import shared_storage
import side_by_side
import streaming
import tpch
import tpch_pipeline
import watching
import wide
from measure import Bench, Row
from rich.console import Console
from rich.markup import escape
from rich.table import Table

BENCHMARKS: dict[str, Callable[[Bench], list[Row]]] = {
    "sample": sample.run,
    "seed20": seed20.run,
    "checkpoint_io": checkpoint_io.run,
    "fixed_costs": fixed_costs.run,
    "growth": growth.run,
    "planner": planner.run,
    "each": each.run,
    "wide": wide.run,
    "shared_storage": shared_storage.run,
    "side_by_side": side_by_side.run,
    "watching": watching.run,
    "engines": engines.run,
    "streaming": streaming.run,
    "tpch": tpch.run,
    "tpch_pipeline": tpch_pipeline.run,
}
CACHE = Path(__file__).resolve().parent.parent / "build" / "bench"
_WIDTH = 160
_HEADINGS = ("figure", "measured", "baseline", "ratio", "target", "met")


def main() -> int:
    """Run the benchmarks that were named, or all; 2 where they cannot run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small data, to see that it works")
    parser.add_argument("--scale", default="", help="of tpch's tables: 1, or 10, say")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark is named {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    if not sys.platform.startswith("linux"):
        parser.error("held memory is read from /proc: the benchmarks need Linux")
    bench = Bench(
        CACHE / ("quick" if arguments.quick else "full"), arguments.quick, arguments.scale
    )
    bench.folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for name in arguments.names or BENCHMARKS:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows += BENCHMARKS[name](bench)
    _print(rows, bench.quick)
    return 0


def _print(rows: list[Row], quick: bool) -> None:
    title = f"Python {platform.python_version()}, {os.cpu_count()} cores; medians with quartiles"
    if quick:
        title += "; quick: targets do not apply"
    table = Table(title=title, title_justify="left")
    for heading in _HEADINGS:
        table.add_column(heading)
    former = ""
    for row in rows:
        if row.benchmark != former:
            table.add_section()
            table.add_row(f"[bold]{row.benchmark}[/]")
            former = row.benchmark
        met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[None if quick else row.met]
        figures = (row.figure, row.value, row.baseline, row.ratio, row.target)
        table.add_row(*map(escape, figures), met)
    Console(width=_WIDTH).print(table)


if __name__ == "__main__":
    sys.exit(main())
