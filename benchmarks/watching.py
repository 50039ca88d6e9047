"""watching: what it costs to watch a worker, against a sum that knows nothing of sharing; what a
run takes while its step waits; and how well its time is kept while all processors are busy."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import watch_busy
import watch_one
from measure import (
    Bench,
    Row,
    Spread,
    in_turns,
    ratios,
    show_bytes,
    show_ratio,
    show_seconds,
    spread,
    watch,
)
from project import write_project

NAME = "watching"
FIXED = 4  # processes: the parent, the fork server, Python's tracker of resources, the worker
WORK = (  # what it does, as a sentence and as a function; bytes; children; the share aimed at
    ("one that holds", "hold", 50_000_000, 0, 0.01),
    ("one that holds", "hold", 2_000_000_000, 0, 0.01),
    ("one that computes, holding", "compute", 50_000_000, 0, 0.01),
    ("one that takes and frees memory all the time, holding", "churn", 50_000_000, 0, None),
    ("one and four forks that share", "share", 320_000_000, 4, None),
    ("16 processes, a pool of which shares", "hold", 320_000_000, 16 - FIXED, None),
    ("64 processes, a pool of which shares", "hold", 320_000_000, 64 - FIXED, None),
)
QUICK_BYTES = 20_000_000
RUN_SHARE = 0.01
_WAITS = """\
import os
import time
from pathlib import Path

from ..checkpointing import step


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def spent(pid: int) -> float:
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


@step
def share(seconds: float) -> float:
    run = parent(os.getppid())  # the fork server is between them
    time.sleep(1)  # what comes with the beginning of a step is over
    began, before = time.monotonic(), spent(run)
    time.sleep(seconds)
    return (spent(run) - before) / (time.monotonic() - began)
"""
_TO_WAKE = """\
import time

began, before = time.monotonic(), time.process_time()
while time.monotonic() < began + {seconds}:
    time.sleep(0.01)
print((time.process_time() - before) / (time.monotonic() - began))
"""
BUSY_THREADS = 8
MEDIAN_SECONDS, LATE_SECONDS = 0.0105, 0.015


def run(bench: Bench) -> list[Row]:
    """Watch each kind of worker in both ways, in turns, from a process of its own."""
    return [*_costs(bench), _whole(bench), *_times(bench)]


def _costs(bench: Bench) -> list[Row]:
    rows = []
    seconds, rounds = ("0.2", "2") if bench.quick else ("2", "7")
    for told, work, size, children, most in WORK:
        size = min(size, QUICK_BYTES) if bench.quick else size
        found = _printed(bench, watch_one.__file__, work, str(size), str(children), seconds, rounds)
        ratio, share = ratios(found["gauge"], found["sum"]), spread(found["gauge"])
        rows.append(
            Row(
                NAME,
                f"watching {told} {show_bytes(size)}",
                _show(share),
                f"the sum {_show(spread(found['sum']))}; to wake alone "
                f"{_show(spread(found['wake']))}",
                show_ratio(ratio),
                f"≤ {100 * most:.0f} %" if most else "≤ 1 × the sum",
                share.median <= most if most else ratio.median <= 1,
            )
        )
    return rows


def _whole(bench: Bench) -> Row:
    """What a run takes while its only step sleeps: the watch, its record and what a person sees."""
    seconds, rounds = (0.5, 2) if bench.quick else (10.0, 5)
    wiring = f'[params]\nseconds = {seconds}\n\n[outputs]\nshare = "share.json"\n'
    project = write_project(bench.folder / NAME, "waits", {"waits": _WAITS}, wiring)

    def share() -> float:
        project.command("run", "--fresh", memory=False).expected()
        return float((project.folder / "share.json").read_text())

    def wake() -> float:
        text = _TO_WAKE.format(seconds=seconds)
        return float(watch([sys.executable, "-c", text], bench.folder, memory=False).expected().out)

    found = in_turns(rounds, share=share, wake=wake)
    ours = spread(found["share"])
    return Row(
        NAME,
        "a whole run while its step waits",
        _show(ours),
        f"to wake alone {_show(spread(found['wake']))}",
        show_ratio(ratios(found["share"], found["wake"])),
        f"≤ {100 * RUN_SHARE:.0f} %",
        ours.median <= RUN_SHARE,
    )


def _times(bench: Bench) -> list[Row]:
    """How long it is from one sample to the next beside threads that compute all the time."""
    seconds, rounds = ("0.5", "2") if bench.quick else ("5", "7")
    found = _printed(bench, watch_busy.__file__, str(BUSY_THREADS), seconds, rounds)
    rows = []
    for told, figure, most in (
        ("median", statistics.median, MEDIAN_SECONDS),
        ("99th percentile", _late, LATE_SECONDS),
    ):
        ours, loop = ([figure(each) for each in found[way]] for way in ("run", "loop"))
        rows.append(
            Row(
                NAME,
                f"from sample to sample beside {BUSY_THREADS} busy threads, {told}",
                show_seconds(spread(ours)),
                f"sleeping after each sum {show_seconds(spread(loop))}",
                show_ratio(ratios(ours, loop)),
                f"≤ {1000 * most:g} ms",
                spread(ours).median <= most,
            )
        )
    return rows


def _printed(bench: Bench, script: str, *arguments: str) -> Any:
    # -B: what it imports may be linked to the template, where no bytecode must be left.
    command: list[str | Path] = [sys.executable, "-B", Path(script), *arguments]
    return json.loads(watch(command, bench.folder, memory=False).expected().out)


def _late(intervals: list[float]) -> float:
    return statistics.quantiles(intervals, n=100)[-1]


def _show(found: Spread) -> str:
    low, median, high = (100 * part for part in (found.low, found.median, found.high))
    return f"{median:.2f} % [{low:.2f}–{high:.2f}]"
