"""growth: what commands cost as a pipeline grows in steps, in helper modules, in values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from measure import Bench, Row, seconds_of, show_seconds, spread
from project import Project, write_project

NAME = "growth"
LENGTHS = (20, 200, 2_000)
QUICK_LENGTHS = (20, 60)
SEGMENT_STEPS = 10
MODULES, MODULE_LINES = 10, 400
VALUES = 200
SETS = (5, 50, 200)
QUICK_SETS = (2, 6)
TOUCHED_MB = 1_000

# Seconds of each command at the greatest length: no more than this.
SECONDS = {
    "run --fresh": 18.0,
    "run, all reused": 2.0,
    "status": 2.0,
    "plan": 3.0,
    "report": 5.0,
}
PAGE_BYTES = 3_000_000
MODULES_SECONDS = {"run --fresh": 1.5, "run, all reused": 0.8}
VALUES_SECONDS = 1.0
FLAT = 1.2
"""What a run of the most kept sets of params, or after a touch, may take of the first."""

_HEADER = "from ..checkpointing import step\n"
_STEP = """

@step
def step_{number}({parameters}) -> int:
    return {number}
"""
_OF_A_DAY = f"{_HEADER}\n\n@step\ndef of_day(day: int) -> int:\n    return day\n"
_LARGE = """\
import numpy as np

from ..checkpointing import step


@step
def large() -> np.ndarray:
    return np.arange({count}.0)
"""
_OF_LARGE = """\
import numpy as np

from ..checkpointing import step


@step
def total(large: np.ndarray) -> float:
    return float(large.sum())
"""
_COMMANDS = {
    "run --fresh": ("run", "--fresh"),
    "run, all reused": ("run",),
    "status": ("status",),
    "plan": ("plan",),
    "report": ("report", "--output", "page.html"),
}


@dataclass(frozen=True)
class Figures:
    """What the commands took of one project, in seconds, and the size of its page in bytes."""

    seconds: dict[str, float]
    page_bytes: int


def run(bench: Bench) -> list[Row]:
    """Time every command on projects that grow, then with helper modules and with many values."""
    folder = bench.folder / NAME
    lengths = QUICK_LENGTHS if bench.quick else LENGTHS
    by_length = {length: _figures(chain(folder, length)) for length in lengths}
    rows = [row for name in _COMMANDS for row in _growth(name, by_length)]
    rows += _page(by_length)
    helped = _figures(with_modules(folder, 3 if bench.quick else 20), tuple(MODULES_SECONDS))
    rows += [
        _within(f"{name}: {MODULES} helper modules of {MODULE_LINES} lines", helped, name, most)
        for name, most in MODULES_SECONDS.items()
    ]
    wide = _figures(with_values(folder, 20 if bench.quick else VALUES))
    rows.append(_within(f"plan: {VALUES} values at a cut", wide, "plan", VALUES_SECONDS))
    rows += _backfill(folder, QUICK_SETS if bench.quick else SETS)
    rows += _touched(folder, 10 if bench.quick else TOUCHED_MB)
    return rows


def _growth(name: str, by_length: dict[int, Figures]) -> list[Row]:
    """Seconds for each length, and what a step more costs against what it costs at first."""
    shortest, *_, longest = by_length
    first = by_length[shortest].seconds[name]
    rows = []
    for length, figures in by_length.items():
        seconds = figures.seconds[name]
        is_longest = length == longest
        each = 1000 * seconds / length
        rows.append(
            Row(
                NAME,
                f"{name}: {length:,} steps",
                f"{seconds:.2f} s, {each:.1f} ms a step",
                f"{shortest} steps {first:.2f} s",
                f"{seconds / first:.2f}",
                f"≤ {SECONDS[name]:.0f} s" if is_longest else "",
                seconds <= SECONDS[name] if is_longest else None,
            )
        )
    return rows


def _page(by_length: dict[int, Figures]) -> list[Row]:
    shortest, *_, longest = by_length
    first = by_length[shortest].page_bytes
    return [
        Row(
            NAME,
            f"report: {length:,} steps",
            f"{figures.page_bytes / 1e6:.2f} MB",
            f"{shortest} steps {first / 1e6:.2f} MB",
            f"{figures.page_bytes / first:.2f}",
            f"≤ {PAGE_BYTES / 1e6:.0f} MB" if length == longest else "",
            figures.page_bytes <= PAGE_BYTES if length == longest else None,
        )
        for length, figures in by_length.items()
    ]


def _within(figure: str, figures: Figures, name: str, most: float) -> Row:
    seconds = figures.seconds[name]
    return Row(
        NAME, figure, show_seconds(spread([seconds])), target=f"≤ {most} s", met=seconds <= most
    )


def _figures(project: Project, names: tuple[str, ...] = tuple(_COMMANDS)) -> Figures:
    """Run the commands in their order, once: each needs what the one before has left."""
    seconds = {
        name: project.command(*_COMMANDS[name], memory=False).expected().seconds for name in names
    }
    page = project.folder / "page.html"
    return Figures(seconds, page.stat().st_size if page.exists() else 0)


def _backfill(folder: Path, sets: tuple[int, ...]) -> list[Row]:
    """What a run that reuses all takes, of a project with checkpoints of so many sets of params."""
    project = write_project(folder / "sets", "sets", {"s1": _OF_A_DAY}, "[params]\nday = 0\n")
    seconds, begun = {}, 0
    for count in sets:
        made = f"from sets.pipeline import PIPELINE\nfor day in range({begun}, {count}):\n"
        made += "    PIPELINE.run(params={'day': day})\n"
        project.python("-c", made).expected()
        begun = count
        runs = [project.command("run").expected() for _ in range(3)]
        seconds[count] = spread(seconds_of(runs)).median
    first = seconds[sets[0]]
    return [
        Row(
            NAME,
            f"run, all reused: {count} kept sets of params",
            f"{each:.2f} s",
            f"{sets[0]} sets {first:.2f} s",
            f"{each / first:.2f}",
            f"≤ {FLAT}" if count == sets[-1] else "",
            each / first <= FLAT if count == sets[-1] else None,
        )
        for count, each in seconds.items()
    ]


def _touched(folder: Path, megabytes: int) -> list[Row]:
    """What a run that reuses all takes, when the times of a large checkpoint have changed."""
    source = _LARGE.format(count=megabytes * 10**6 // 8)
    project = write_project(folder / "touched", "touched", {"s1": source, "s2": _OF_LARGE})
    project.command("run").expected()
    seconds = {"as it was": project.command("run").expected().seconds}
    for file in (project.folder / "checkpoints").rglob("*.npy"):
        file.touch()
    for name in ("touched", "touched, the run after"):
        seconds[name] = project.command("run").expected().seconds
    first = seconds["as it was"]
    return [
        Row(
            NAME,
            f"run, all reused: {megabytes:,} MB {name}",
            f"{each:.2f} s",
            f"as it was {first:.2f} s",
            f"{each / first:.2f}",
            f"≤ {FLAT}" if name.endswith("after") else "",
            each / first <= FLAT if name.endswith("after") else None,
        )
        for name, each in seconds.items()
    ]


def chain(folder: Path, length: int) -> Project:
    """Steps that do nothing, each given the value of the one before, cut into segments."""
    segments = {}
    for start in range(1, length + 1, SEGMENT_STEPS):
        numbers = range(start, min(start + SEGMENT_STEPS, length + 1))
        steps = [_step(n, [n - 1] if n > 1 else []) for n in numbers]
        segments[f"s{start:04}"] = _HEADER + "".join(steps)
    return write_project(folder / f"chain{length}", f"chain{length}", segments)


def with_modules(folder: Path, count: int) -> Project:
    """Segments of one step, each of which uses a function of every helper module."""
    names = [f"helper_{number}" for number in range(MODULES)]
    segments = {}
    for number in range(1, count + 1):
        imports = "".join(f"from .. import {name}\n" for name in names)
        calls = " + ".join(f"{name}.function_{number}(1)" for name in names)
        parameters = f"step_{number - 1}: int" if number > 1 else ""
        segments[f"s{number:03}"] = (
            f"{_HEADER}{imports}\n\n@step\ndef step_{number}({parameters}) -> int:\n"
            f"    return {calls}\n"
        )
    project = write_project(folder / "modules", "modules", segments)
    for name in names:
        (project.folder / "src" / "modules" / f"{name}.py").write_text(_helper())
    return project


def _helper() -> str:
    """A module of many small functions, some of which call the one before."""
    lines = ["import math", "", "LIMIT = 3"]
    number = 0
    while len(lines) < MODULE_LINES:
        number += 1
        former = f"function_{number - 1}(value)" if number % 4 > 1 else "LIMIT"
        lines += [
            "",
            "",
            f"def function_{number}(value: int) -> int:",
            f'    """Add something to a value, as the function number {number} does."""',
            f"    items = [value + {number} * n for n in range({number % 7} + LIMIT)]",
            "    total = math.floor(sum(items) / (1 + len(items)))",
            f"    if total > {number}:",
            f"        return total - {former}",
            "    return total + value",
        ]
    return "\n".join(lines) + "\n"


def with_values(folder: Path, count: int) -> Project:
    """Two segments with so many values at the cut between them, and steps that read all of them."""
    first = [_step(n, []) for n in range(1, count + 1)]
    last = [_step(n, range(1, count + 1)) for n in range(count + 1, count + 11)]
    segments = {"s1": _HEADER + "".join(first), "s2": _HEADER + "".join(last)}
    project = write_project(folder / "values", "values", segments)
    budget = project.folder / "memory_budget.toml"
    budget.write_text(budget.read_text() + f"\n[segment]\nmax_steps = {count}\n")
    return project


def _step(number: int, reads: object) -> str:
    parameters = ", ".join(f"step_{read}: int" for read in reads)  # type: ignore[attr-defined]
    return _STEP.format(number=number, parameters=parameters)
