"""watching: what it costs to watch a worker, against a sum that knows nothing of sharing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import watch_one
from measure import Bench, Row, Spread, ratios, show_bytes, show_ratio, spread, watch

NAME = "watching"
WORK = (
    ("one that holds", "hold", 50_000_000),
    ("one that holds", "hold", 2_000_000_000),
    ("one that takes and frees memory all the time, holding", "churn", 50_000_000),
    ("one and four forks that share", "share", 320_000_000),
)
QUICK_BYTES = 20_000_000


def run(bench: Bench) -> list[Row]:
    """Watch each kind of worker in both ways, in turns, from a process of its own."""
    rows = []
    for told, work, size in WORK:
        size = min(size, QUICK_BYTES) if bench.quick else size
        seconds, rounds = ("0.2", "2") if bench.quick else ("2", "7")
        script = Path(watch_one.__file__)
        # -B: what it imports may be linked to the template, where no bytecode must be left.
        command: list[str | Path] = [sys.executable, "-B", script, work, str(size), seconds, rounds]
        done = watch(command, bench.folder)
        found = json.loads(done.expected().out)
        ratio = ratios(found["gauge"], found["sum"])
        is_single = work != "share"
        rows.append(
            Row(
                NAME,
                f"watching {told} {show_bytes(size)}",
                _show(spread(found["gauge"])),
                f"the sum {_show(spread(found['sum']))}",
                show_ratio(ratio),
                "≤ 1" if is_single else "",
                ratio.median <= 1 if is_single else None,
            )
        )
    return rows


def _show(found: Spread) -> str:
    low, median, high = (100 * part for part in (found.low, found.median, found.high))
    return f"{median:.2f} % [{low:.2f}–{high:.2f}]"
