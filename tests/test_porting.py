"""What the page about porting a script shows is one pipeline that runs, and what it says is so."""

from __future__ import annotations

import re
import sqlite3
import warnings
from collections.abc import Callable
from typing import Any

import pandas
import pytest

from .conftest import TEMPLATE, Bakery, Project
from .test_documentation import Block, blocks, type_in

pd: Any = pandas  # whose types know no script of an older pandas

PAGE = TEMPLATE / "docs" / "porting.md"
SAMPLE = ("src/{}/segments/s0*.py", "src/{}/airspace.py", "src/{}/charts.py", "data/raw/*")
SAMPLE_TESTS = [f"tests/test_{name}.py" for name in ("ingest", "plan", "flown", "crowd", "report")]

# The page leaves out what its examples import, and says so.
IMPORTS = '''"""Segment 2: the examples of the page, in their order."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Annotated, NamedTuple
from xml.etree import ElementTree

import pandas as pd
from matplotlib.figure import Figure
from sklearn.linear_model import LinearRegression

from ..checkpointing import Columns, Item, step
'''
PIPELINE = '''"""The order of the segments."""

from .checkpointing import Pipeline
from .segments import s01_orders, s02_ported

PIPELINE = Pipeline(s01_orders, s02_ported, name="shop")
'''
ORDERS = {
    "2024-01": ["Ada,10.0,1,EUR,north,True", "Bea,50.0,5,EUR,south,True"],
    "2024-02": [
        "Ada,20.0,2,USD,north,True",
        "Bea,40.0,4,EUR,south,False",
        "Ada,-5.0,1,EUR,north,True",
        "Cleo,70.0,7,EUR,north,True",
    ],
}


def tables(toml: str) -> dict[str, str]:
    """The text below the name of each table."""
    return dict(re.findall(r"^\[(\w+)\]\n(.*?)(?=^\[|\Z)", toml, re.MULTILINE | re.DOTALL))


@pytest.fixture
def shop(bakery: Bakery) -> Project:
    """A project with all that the page shows in the place of the sample."""
    project = bakery.bake()
    package = project.package
    for pattern in (*SAMPLE, *SAMPLE_TESTS, "scripts/*"):
        for path in project.folder.glob(pattern.format(package.name)):
            path.unlink()
    shown = blocks(project.text("docs/porting.md"))
    examples = [block.text for block in shown if block.language == "python" and not block.path]
    (package / "segments" / "s02_ported.py").write_text("\n\n".join([IMPORTS, *examples]))
    (package / "pipeline.py").write_text(PIPELINE)
    write(project, [block for block in shown if block.path])
    limits = project.folder / "memory_budget.toml"
    limits.write_text(limits.read_text().replace("max_steps = 10", "max_steps = 40"))
    (project.folder / "data" / "raw" / "orders").mkdir()
    for month, rows in ORDERS.items():
        lines = [f"{month}-{day:02},{row}" for day, row in enumerate(rows, start=1)]
        header = "day,customer,amount,items,currency,region,paid"
        text = "\n".join([header, *lines])
        (project.folder / "data" / "raw" / "orders" / f"{month}.csv").write_text(f"{text}\n")
    return project


def write(project: Project, files: list[Block]) -> None:
    """Write the files that the page names; entries of one table of TOML come together."""
    wiring: dict[str, str] = {}
    for block in files:
        path = project.folder / block.path
        if block.path == "pipeline.toml":
            for name, entries in tables(block.text).items():
                wiring[name] = wiring.get(name, "") + entries
        elif block.language == "toml":
            path.write_text(f"{path.read_text()}\n{block.text}")
        else:
            path.write_text(block.text)
    text = "\n".join(f"[{name}]\n{entries}" for name, entries in wiring.items())
    (project.folder / "pipeline.toml").write_text(text)


@pytest.mark.exhaustive
def test_the_examples_of_the_page_are_one_pipeline_that_runs(shop: Project) -> None:
    type_in("uv run flight-delays run", shop)
    type_in("uv run pytest tests/test_orders.py", shop)

    out = shop.folder / "data" / "out"
    assert (out / "by_customer.csv").read_text().splitlines()[1:3] == ["Cleo,70.0", "Bea,50.0"]
    assert (out / "chart.png").read_bytes().startswith(b"\x89PNG")
    assert len(pd.read_parquet(out / "train.parquet")) == 5
    database = sqlite3.connect(out / "shop.db")
    assert database.execute("SELECT count(*) FROM orders").fetchone() == (6,)
    database.close()
    for value, shown in [("listed", "3"), ("refunded", "5.0"), ("split.train", "customer")]:
        type_in(f"uv run flight-delays show {value} | grep -q '{shown}'", shop)
    type_in("uv run flight-delays run --set limit=3 --set is_corrected=false", shop)
    type_in("uv run flight-delays show refunded | grep -q '0.0'", shop)


@pytest.mark.slow
def test_the_examples_of_the_page_pass_the_project_s_own_checks(shop: Project) -> None:
    for command in ("ruff format --check", "ruff check", "mypy", "flight-delays review"):
        type_in(f"uv run {command}", shop)


def test_the_page_answers_each_habit_of_a_script_once() -> None:
    table = section("The script has … write …")
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.MULTILINE)[1:]
    assert len(rows) > 25
    assert len({habit for habit, _ in rows}) == len(rows)


def section(title: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    text = PAGE.read_text(encoding="utf-8")
    level = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert level, title
    rest = text[level.end() :]
    end = re.search(rf"^#{{1,{len(level[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def frame(**columns: Any) -> Any:
    return pd.DataFrame(columns)


def chained() -> Any:
    df = frame(a=[1, 2])
    df["a"][0] = 9
    df[df["a"] > 1]["a"] = 9
    return df["a"].tolist()


def filled_in_place() -> Any:
    df = frame(a=[1.0, None])
    df["a"].fillna(0, inplace=True)  # noqa: PD002 (what the page warns of)
    df["a"].update(pd.Series([5.0, 6.0]))
    return df["a"].isna().tolist()


def through_a_part() -> Any:
    df = frame(a=[1, 2])
    part = df["a"]
    part[0] = 9
    return df["a"].tolist()


def row_by_row() -> Any:
    df = frame(a=[1, 2])
    for _, row in df.iterrows():
        row["a"] = 9
    return df["a"].tolist()


def through_an_array() -> Any:
    array = pd.Series([1.0, 2.0]).to_numpy(copy=True)
    series = pd.Series(array)
    array[0] = 9
    return series.tolist()


KINDS = pd.Categorical(["x"], categories=["x", "y"])
NIGHT = pd.Timestamp("2024-03-30 12:00", tz="Europe/Madrid")

# For the first words of each row: what the script computes, and what it gets.
SILENT: dict[str, tuple[Callable[[], Any], Any]] = {
    '`df["a"][0] = 9`': (chained, [1, 2]),
    '`df["a"].fillna(0, inplace=True)`': (filled_in_place, [False, True]),
    '`part = df["a"]`': (through_a_part, [1, 2]),
    "`for _, row in df.iterrows()": (row_by_row, [1, 2]),
    '`df["name"].dtype == object`': (lambda: frame(name=["x"])["name"].dtype == object, False),
    '`df["a"].astype(str)`': (
        lambda: pd.Series([1.0, None]).astype(str).fillna("nan").tolist(),
        ["1.0", "nan"],
    ),
    '`df["day"].astype("int64")': (
        lambda: int(pd.Series(pd.to_datetime(["1970-01-02"])).astype("int64")[0] // 10**9),
        86,
    ),
    '`df.groupby("category")`': (
        lambda: [
            len(frame(k=KINDS, v=[1]).groupby("k", **options).sum())
            for options in ({}, {"observed": False})
        ],
        [1, 2],
    ),
    '`df["flag"].fillna(False)`': (
        lambda: [
            pd.Series([True, None], dtype=object).fillna(False).dtype == object,
            pd.Series(["yes", "no"]).replace({"yes": 1, "no": 0}).dtype == object,
            str(pd.Series(["yes", "no"]).map({"yes": 1, "no": 0}).dtype),
        ],
        [True, True, "int64"],
    ),
    '`a.merge(b, how="outer")`': (
        lambda: frame(k=[2, 1]).merge(frame(k=[3]), how="outer")["k"].tolist(),
        [1, 2, 3],
    ),
    '`df["a"].value_counts()': (
        lambda: list(frame(a=[1])["a"].value_counts().reset_index()),
        ["a", "count"],
    ),
    "`time + pd.offsets.Day(1)`": (lambda: (NIGHT + pd.offsets.Day(1)).hour, 12),
    "`pd.Series(array)`": (through_an_array, [1.0, 2.0]),
}


@pytest.mark.parametrize("words", sorted(SILENT))
def test_pandas_changes_in_silence_what_the_page_says(words: str) -> None:
    compute, result = SILENT[words]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert compute() == result


def test_each_silent_change_on_the_page_is_tried_here() -> None:
    page = section("First make the script run on pandas 3")
    rows = re.findall(r"^\| (`.+?)(?: \| .*)$", page, re.MULTILINE)
    assert len(rows) == len(SILENT)
    for words in SILENT:
        assert sum(row.startswith(words) for row in rows) == 1, words


def test_an_assignment_without_effect_is_an_error_once_the_page_s_line_is_there() -> None:
    page = section("First make the script run on pandas 3")
    [line] = re.findall(r"`(warnings\.simplefilter\(.*?\))`", page)
    with warnings.catch_warnings():
        exec(line, {"warnings": warnings, "pd": pd})
        with pytest.raises(pd.errors.ChainedAssignmentError):
            chained()


STOPS: list[Callable[[], Any]] = [
    lambda: frame(a=[1]).append,
    lambda: frame(a=[1]).iteritems,
    lambda: frame(a=[1]).applymap,
    lambda: pd.Series([1.0, None]).fillna(method="ffill"),
    lambda: pd.Series(pd.to_datetime(["2024-01-01"])).dt.week,
    lambda: pd.Series([1], index=["x"])[0],
    lambda: pd.date_range("2024-01-01", periods=1, freq="M"),
    lambda: pd.date_range("2024-01-01", periods=1, freq="H"),
    lambda: pd.Series([1]).__setitem__(0, "x"),
    lambda: pd.Series([1]).__setitem__(0, 1.5),
    lambda: frame(a=[1], b=["x"]).mean(),
    lambda: frame(a=[1])["a"].to_numpy().__setitem__(0, 9),
    lambda: pd.to_datetime(["01/02/2024", "13/02/2024"]),
]


@pytest.mark.parametrize("number", range(len(STOPS)))
def test_pandas_stops_where_the_page_says(number: int) -> None:
    with pytest.raises((AttributeError, TypeError, ValueError, KeyError)):
        STOPS[number]()
