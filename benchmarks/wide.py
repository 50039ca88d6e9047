"""wide: frames of 2,000 columns, and columns of dates and decimals, beside a plain script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from measure import Bench, Row, in_turns, ratios, show_ratio, show_seconds, spread
from project import Project, write_project

NAME = "wide"
ROUNDS = 7
QUICK_ROUNDS = 1
STEPS = 20

_HEAD = """
import datetime as dt
import numpy as np
import pandas as pd

from ..checkpointing import step
"""
_MADE = """
@step
def made() -> pd.DataFrame:
    values = np.random.default_rng(0).random(({rows}, {columns}))
    return pd.DataFrame(values, columns=[f"c{{n}}" for n in range({columns})])
"""
_SCALED = """
@step
def scaled{number}({before}: pd.DataFrame) -> pd.DataFrame:
    return {before} * 1.01
"""
_STANDARDISED = """
@step
def standardised{number}({before}: pd.DataFrame) -> pd.DataFrame:
    return ({before} - {before}.mean()) / {before}.std()
"""
_TOTALLED = """
@step
def totalled{number}({before}: pd.DataFrame) -> pd.DataFrame:
    return {before}.assign(total{number}={before}.mean(axis=1))
"""
_DAYS = """
@step
def days() -> pd.DataFrame:
    numbers = np.random.default_rng(0).integers(0, 3000, {rows})
    days = (np.datetime64("2013-01-01") + numbers).astype(object)
    return pd.DataFrame({{"day": pd.Series(days, dtype=object), "x": numbers}})
"""
_AMOUNTS = """
from decimal import Decimal

@step
def amounts() -> pd.DataFrame:
    cents = np.random.default_rng(0).integers(0, 10**9, {rows}).tolist()
    amounts = [Decimal(number).scaleb(-2) for number in cents]
    return pd.DataFrame({{"amount": pd.Series(amounts, dtype=object), "x": cents}})
"""
_LATER = """
@step
def later{number}({before}: pd.DataFrame) -> pd.DataFrame:
    month = {before}["day"].between(dt.date(2014, 1, {number} + 1), dt.date(2014, 2, {number} + 1))
    return {before}.assign(month=month)
"""
_DOUBLED = """
@step
def doubled{number}({before}: pd.DataFrame) -> pd.DataFrame:
    return {before}.assign(double={before}["amount"] * 2, number={number})
"""
_COUNTED = """
@step
def counted({before}: pd.DataFrame) -> float:
    return float({before}.iloc[:, -1].sum())
"""

_PLAIN = """
import inspect, json, sys, time, types

runtime = types.ModuleType("plain.checkpointing")
runtime.step = lambda function: function
sys.modules |= {{"plain": types.ModuleType("plain"), "plain.checkpointing": runtime}}
value, seconds = None, []
for text in {texts!r}:
    names = {{"__package__": "plain.segments"}}
    exec(text, names)
    started = time.perf_counter()
    for name, function in names.items():
        if inspect.isfunction(function):
            taken = [value] if inspect.signature(function).parameters else []
            value = None
            value = function(*taken)
            taken.clear()
    seconds.append(time.perf_counter() - started)
print(json.dumps(seconds))
"""


def run(bench: Bench) -> list[Row]:
    """Run each chain as a script and as a project, in turns."""
    rows: list[Row] = []
    for figure, segments, target in _chains(bench.quick):
        project = chain_project(bench.folder / NAME, segments)
        seconds = in_turns(
            QUICK_ROUNDS if bench.quick else ROUNDS,
            plain=partial(_plain_seconds, project),
            project=partial(_project_seconds, project),
        )
        ratio = ratios(seconds["project"], seconds["plain"])
        rows.append(
            Row(
                NAME,
                figure,
                show_seconds(spread(seconds["project"])),
                f"plain: {show_seconds(spread(seconds['plain']))}",
                show_ratio(ratio),
                f"{target}" if target else "",
                ratio.median <= target if target else None,
            )
        )
    return rows


def chain_project(folder: Path, segments: Mapping[str, str]) -> Project:
    """A project of these segments, and the plain script beside it."""
    project = write_project(folder, "wide", segments)
    with (folder / "memory_budget.toml").open("a") as file:
        file.write(f"[segment]\nmax_steps = {STEPS + 2}\n")
    (folder / "plain.py").write_text(_PLAIN.format(texts=list(segments.values())))
    return project


def _chains(quick: bool) -> list[tuple[str, Mapping[str, str], float | None]]:
    """What each chain is called, its segments, of which the last is measured, and the target."""
    part = 20 if quick else 1
    made = _HEAD + _MADE.format(rows=5_000 // part, columns=2_000)
    return [
        (
            "2,000 columns, all standardised in each step",
            {"s01": made + _chain("made", _STANDARDISED)},
            1.5,
        ),
        (
            "2,000 columns, all multiplied in each step",
            {"s01": made + _chain("made", _SCALED)},
            None,
        ),
        (
            "2,000 columns, loaded, one more in each step",
            {"s01": made, "s02": _HEAD + _chain("made", _TOTALLED)},
            None,
        ),
        (
            "5 million dates, compared twice in each step",
            {"s01": _HEAD + _DAYS.format(rows=5_000_000 // part) + _chain("days", _LATER)},
            1.3,
        ),
        (
            "5 million dates, loaded, compared twice in each step",
            {
                "s01": _HEAD + _DAYS.format(rows=5_000_000 // part),
                "s02": _HEAD + _chain("days", _LATER),
            },
            1.3,
        ),
        (
            "1 million decimals, doubled in each step",
            {"s01": _HEAD + _AMOUNTS.format(rows=1_000_000 // part) + _chain("amounts", _DOUBLED)},
            None,
        ),
    ]


def _chain(before: str, step: str) -> str:
    """The source of steps that each take the value before, and of the last, which counts."""
    texts = []
    for number in range(STEPS if "{number}" in step else 1):
        texts.append(step.format(number=number, before=before))
        before = texts[-1].partition("def ")[2].partition("(")[0]
    return "".join([*texts, _COUNTED.format(before=before)])


def _plain_seconds(project: Project) -> float:
    return float(json.loads(project.python("plain.py").expected().out)[-1])


def _project_seconds(project: Project) -> float:
    """The seconds of the last segment, its processes and checkpoint included."""
    done = project.command("run", "--fresh", "--json").expected()
    return float(json.loads(done.out)["segments"][-1]["seconds"])
