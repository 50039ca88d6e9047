"""side_by_side: two independent halves of seed20, at once under one budget and as plain scripts."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import seed20_frames
from measure import (
    Bench,
    Row,
    Watched,
    in_turns,
    ratios,
    seconds_of,
    show_bytes,
    show_seconds,
    show_times,
    spread,
    watch,
)
from project import Project, write_project
from seed20 import bits

NAME = "side_by_side"
HALVES = {"left": range(1, 10), "right": range(11, 20)}
BOTH = 0.7
"""What both at once may take of the time of one after the other."""

NO_SLOWER = 1.1

_FRAME = """

@step
def frame_{number}(rows: int) -> pd.DataFrame:
    return frame({number}, rows)
"""
_HALF = """

@step
def {name}({parameters}) -> pd.DataFrame:
    return summary([{frames}])
"""
_HEADER = """\
import pandas as pd

from ..checkpointing import step
from ..frames import frame, summary
"""
_WHOLE = """\
import pandas as pd

from ..checkpointing import step


@step
def result(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([left, right], ignore_index=True)
"""
_SCRIPT = """\
import sys

from frames import frame, summary

name, first, last, rows = sys.argv[1], *map(int, sys.argv[2:])
summary([frame(number, rows) for number in range(first, last)]).to_pickle(f"{name}.pickle")
"""
_SCRIPTS = """\
import subprocess
import sys

at_once, *commands = sys.argv[1:]
running = []
for command in commands:
    running.append(subprocess.Popen([sys.executable, "script.py", *command.split()]))
    if at_once == "no":
        running[-1].wait()
sys.exit(any(process.wait() for process in running))
"""


def run(bench: Bench) -> list[Row]:
    """Run both halves one by one and at once, with a budget for both and one for one of them."""
    rows = (20 if bench.quick else 60) * 10**6 // seed20_frames.ROW_BYTES
    folder = bench.folder / NAME
    project = _project(folder / "project", rows)
    _write_scripts(folder / "plain")
    for _ in range(2):  # the first run measures
        alone = _run(project, 1)
    peak = max(segment["peak_bytes"] for segment in json.loads(alone.out)["segments"])
    for_both, for_one = round(2.6 * peak), round(1.3 * peak)
    found = in_turns(
        1 if bench.quick else 9,
        plain=lambda: _scripts(folder / "plain", rows, at_once=False),
        plain_at_once=lambda: _scripts(folder / "plain", rows, at_once=True),
        serial=lambda: _run(project, 1, for_both, memory=False),
        at_once=lambda: _run(project, 2, for_both, memory=False),
        serial_in_one=lambda: _run(project, 1, for_one, memory=False),
        at_once_in_one=lambda: _run(project, 2, for_one, memory=False),
    )
    halves = [pd.read_pickle(folder / "plain" / f"{name}.pickle") for name in HALVES]
    expected = bits(pd.concat(halves, ignore_index=True))
    same = bits(pd.read_parquet(project.folder / "result.parquet")) == expected
    times = 1 if bench.quick else 3
    return [
        _row("plain scripts", found["plain_at_once"], found["plain"]),
        _row("a budget for both", found["at_once"], found["serial"], BOTH),
        _row_of_run(found["at_once"], found["serial"]),
        _row("a budget for one", found["at_once_in_one"], found["serial_in_one"], NO_SLOWER),
        *(
            _row_of_peak(figure, [_run(project, 2, budget) for _ in range(times)], budget)
            for figure, budget in (("a budget for both", for_both), ("a budget for one", for_one))
        ),
        Row(
            NAME,
            "result",
            "the same" if same else "different",
            "plain scripts",
            target="every bit the same",
            met=same,
        ),
    ]


def _row(
    figure: str, found: list[Watched], serial: list[Watched], target: float | None = None
) -> Row:
    ratio = ratios(seconds_of(found), seconds_of(serial))
    return Row(
        NAME,
        f"two halves at once, {figure}",
        show_seconds(spread(seconds_of(found))),
        f"one by one {show_seconds(spread(seconds_of(serial)))}",
        show_times(seconds_of(found), seconds_of(serial)),
        f"≤ {target}" if target else "",
        ratio.median <= target if target else None,
    )


def _row_of_run(found: list[Watched], serial: list[Watched]) -> Row:
    at_once, one_by_one = (
        [json.loads(run.out)["seconds"] for run in runs] for runs in (found, serial)
    )
    return Row(
        NAME,
        "that, as the run itself counts it",
        show_seconds(spread(at_once)),
        f"one by one {show_seconds(spread(one_by_one))}",
        show_times(at_once, one_by_one),
    )


def _row_of_peak(figure: str, found: list[Watched], budget: int) -> Row:
    peak = max(each.peak_bytes for each in found)
    return Row(
        NAME,
        f"the highest peak, {figure}",
        show_bytes(peak),
        f"budget {show_bytes(budget)}",
        f"{peak / budget:.2f}",
        "≤ 1",
        peak <= budget,
    )


def _run(project: Project, jobs: int, budget: int | None = None, *, memory: bool = True) -> Watched:
    limit = () if budget is None else ("--budget", str(budget))
    run = ("run", "--fresh", "--json", "--jobs", str(jobs), *limit)
    return project.command(*run, memory=memory).expected()


def _scripts(folder: Path, rows: int, *, at_once: bool) -> Watched:
    """Run a plain script of each half."""
    calls = [f"{name} {half.start} {half.stop} {rows}" for name, half in HALVES.items()]
    command = [sys.executable, "scripts.py", "yes" if at_once else "no", *calls]
    return watch(command, folder, memory=False).expected()


def _write_scripts(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(seed20_frames.__file__, folder / "frames.py")
    (folder / "script.py").write_text(_SCRIPT)
    (folder / "scripts.py").write_text(_SCRIPTS)


def _project(folder: Path, rows: int) -> Project:
    segments = {}
    for name, numbers in HALVES.items():
        parameters = ", ".join(f"frame_{number}: pd.DataFrame" for number in numbers)
        frames = ", ".join(f"frame_{number}" for number in numbers)
        segments[f"s_{name}"] = (
            _HEADER
            + "".join(_FRAME.format(number=number) for number in numbers)
            + _HALF.format(name=name, parameters=parameters, frames=frames)
        )
    wiring = f'[params]\nrows = {rows}\n\n[outputs]\nresult = "result.parquet"\n'
    project = write_project(folder, "halves", segments | {"s_whole": _WHOLE}, wiring)
    shutil.copy(seed20_frames.__file__, project.folder / "src" / "halves" / "frames.py")
    return project
