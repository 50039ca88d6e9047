"""fixed_costs: what a run costs when the steps cost nothing."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import first_step
from measure import (
    Bench,
    Row,
    Watched,
    in_turns,
    ratios,
    seconds_of,
    show_ratio,
    show_seconds,
    spread,
    watch,
)
from project import Project, sample_project, write_project

NAME = "fixed_costs"
LENGTHS = (2, 20, 200)
SEGMENT_STEPS = 10
REUSED_SECONDS = 0.5
FIRST_STEP_SECONDS = 0.1
HELP_SECONDS = 0.5

_HEADER = "from ..checkpointing import step\n"
_STEP = """

@step
def step_{number}({parameter}) -> int:
    return {number}
"""


def run(bench: Bench) -> list[Row]:
    """Time whole commands, in turns with bare Python and with the import of the libraries."""
    folder = bench.folder / NAME
    rounds = 2 if bench.quick else 9
    empty = {length: _empty(folder, length) for length in LENGTHS}
    sample = sample_project(folder / "sample")
    sample.command("run").expected()
    found = in_turns(
        rounds,
        bare=lambda: watch([sys.executable, "-c", "pass"], folder).expected(),
        libraries=lambda: watch(
            [sys.executable, "-c", "import pandas, pyarrow"], folder
        ).expected(),
        help=lambda: sample.command("--help").expected(),
        reused=lambda: sample.command("run").expected(),
        **{f"empty {length}": partial(_run_afresh, project) for length, project in empty.items()},
    )
    seconds = {name: seconds_of(runs) for name, runs in found.items()}
    libraries = seconds["libraries"]
    against = f"import pandas, pyarrow {show_seconds(spread(libraries))}"
    rows = [
        Row(
            NAME,
            f"run of {length} empty steps, {-(-length // SEGMENT_STEPS)} segments",
            show_seconds(spread(seconds[f"empty {length}"])),
            against,
            show_ratio(ratios(seconds[f"empty {length}"], libraries)),
        )
        for length in LENGTHS
    ]
    pairs = zip(seconds["reused"], libraries, strict=True)
    beyond = spread([reused - imports for reused, imports in pairs])
    cpu = {name: [run.cpu_seconds for run in found[name]] for name in ("reused", "libraries")}
    first = spread(_seconds_to_first_step(empty[LENGTHS[-1]]))
    helping = spread(seconds["help"])
    return [
        *rows,
        Row(
            NAME,
            "run of the sample, all reused",
            show_seconds(spread(seconds["reused"])),
            against,
            show_ratio(ratios(seconds["reused"], libraries)),
        ),
        Row(
            NAME,
            "that, beyond the import",
            show_seconds(beyond),
            against,
            target=f"≤ {REUSED_SECONDS} s",
            met=beyond.median <= REUSED_SECONDS,
        ),
        Row(
            NAME,
            "the same run: CPU time of all processes",
            show_seconds(spread(cpu["reused"])),
            f"import pandas, pyarrow {show_seconds(spread(cpu['libraries']))}",
            show_ratio(ratios(cpu["reused"], cpu["libraries"])),
        ),
        Row(
            NAME,
            "request of a part to its first step",
            show_seconds(first),
            against,
            f"{first.median / spread(libraries).median:.3f}",
            f"< {FIRST_STEP_SECONDS} s",
            first.median < FIRST_STEP_SECONDS,
        ),
        Row(
            NAME,
            "--help",
            show_seconds(helping),
            f"bare interpreter {show_seconds(spread(seconds['bare']))}",
            show_ratio(ratios(seconds["help"], seconds["bare"])),
            f"< {HELP_SECONDS} s",
            helping.median < HELP_SECONDS,
        ),
    ]


def _seconds_to_first_step(project: Project) -> list[float]:
    script = Path(first_step.__file__)
    found: list[float] = json.loads(project.python(script, project.package).expected().out)
    return found


def _run_afresh(project: Project) -> Watched:
    return project.command("run", "--fresh").expected()


def _empty(folder: Path, length: int) -> Project:
    """A chain of steps that do nothing, cut into segments."""
    segments = {}
    for start in range(1, length + 1, SEGMENT_STEPS):
        numbers = range(start, min(start + SEGMENT_STEPS, length + 1))
        segments[f"s{start:03}"] = _HEADER + "".join(
            _STEP.format(number=n, parameter=f"step_{n - 1}: int" if n > 1 else "") for n in numbers
        )
    return write_project(folder / f"empty{length}", f"empty{length}", segments)
