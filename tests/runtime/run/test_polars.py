"""Frames of polars in real runs: from pandas and back, computed late, within the budget."""

from __future__ import annotations

from typing import Any

import pytest

from ...marks import in_exhaustive, in_slow
from ..conftest import Project

HEADER = """
from collections.abc import Iterator
import os
from pathlib import Path
import polars as pl
from ..checkpointing import Batches
"""
MIXED = """
@step
def made() -> pd.DataFrame:
    frame = pd.DataFrame({
        "late": [5.0, None, -3.0, 40.0], "way": [1, 2, 3, 4], "who": ["AA", "B6", None, "AA"],
        "kind": pd.Categorical(["jet", "prop", "jet", None], ["prop", "jet"], ordered=True),
        "left": pd.to_datetime(["2013-01-01", None, "2013-01-02", "2013-01-03"]),
    })
    return frame.set_index(pd.Index(["a", "b", "c", "d"], name="flight"))

@step
def lazy(made: pl.LazyFrame) -> pl.LazyFrame:
    ran("lazy")
    return made.filter(pl.col("way") > 1).with_columns(
        double=pl.col("late") * 2, carrier=pl.col("who").cast(pl.Categorical)
    )
"""
EAGER = """
@step
def eager(lazy: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    assert lazy.schema["carrier"] == pl.Categorical
    assert lazy.schema["kind"] == made.schema["kind"] == pl.Enum(["prop", "jet"])
    return made.join(lazy.select("flight", "double", "carrier"), on="flight", how="left")

@step
def back(eager: pd.DataFrame) -> pd.DataFrame:
    return eager.set_index("flight")
"""


@pytest.mark.parametrize("form", ["arrow", *in_slow("parquet")])
def test_a_table_goes_from_pandas_through_polars_and_back(project: Project, form: str) -> None:
    budget = (project.folder / "memory_budget.toml").read_text()
    project.write("memory_budget.toml", f'{budget}\n[checkpoints]\nformat = "{form}"\n')
    project.segments(s01=HEADER + MIXED, s02=HEADER + EAGER)

    record = project.run("--keep-all")

    assert record["exit_code"] == 0, record.get("error")
    shown = project.python(
        "from demo.pipeline import PIPELINE; t = PIPELINE.load('back'); "
        "print(list(t.index), t.late.tolist(), t.double.tolist(), t.kind.tolist(), "
        "t.kind.cat.categories.tolist(), t.kind.cat.ordered, t.carrier.tolist(), t.left.dtype)"
    )
    assert (
        shown.split()
        == (
            "['a', 'b', 'c', 'd'] [5.0, nan, -3.0, 40.0] [nan, nan, -6.0, 80.0] "
            "['jet', 'prop', 'jet', nan] ['prop', 'jet'] True [nan, 'B6', nan, 'AA'] datetime64[us]"
        ).split()
    )
    assert project.strays() == []


GONE = """
@step
def lines(workdir: Path) -> pl.LazyFrame:
    source = workdir / "lines.csv"
    source.write_text("a,b\\n1,2\\n")
    plan = pl.scan_csv(source)
    source.unlink()
    return plan

@step
def seen(lines: pl.DataFrame) -> int:
    return lines.height
"""


def test_a_lazy_frame_whose_file_is_gone_is_a_failure_of_its_step(project: Project) -> None:
    project.segments(s01=HEADER + GONE)

    record = project.run()

    assert record["exit_code"] == 1
    error = record["error"]
    assert (error["kind"], error["step"]) == ("step_failed", "lines")
    assert error["message"].startswith("FileNotFoundError: No such file or directory")
    assert "lines.csv" in error["message"]
    assert project.strays() == []


WRONG = """
@step
def plan(how: str) -> pl.LazyFrame:
    frame = pl.DataFrame({"a": [1, 2]})
    if how == "an eager frame":
        return frame
    if how == "a frame of pandas":
        return pd.DataFrame({"a": [1]})
    if how == "a panic":
        raise pl.exceptions.PanicException("of some assumption")
    return frame.lazy().with_columns(b=pl.col("a").cast(pl.Int128))

@step
def seen(plan: pl.LazyFrame) -> int:
    return plan.collect().height
"""


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("an eager frame", 5, "`plan`: the step promised a polars.LazyFrame and "),
        pytest.param(
            *("a panic", 1, "polars panicked: of some assumption"), marks=pytest.mark.slow
        ),
        pytest.param(
            *("a frame of pandas", 5, "return pl.from_pandas(result).lazy()"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("a wide integer", 5, "column 'b' holds integers of 128 bits"), marks=pytest.mark.slow
        ),
    ],
)
def test_what_is_no_lazy_frame_of_a_table_is_told(
    project: Project, how: str, code: int, said: str
) -> None:
    project.segments(s01=HEADER + WRONG)
    project.write("pipeline.toml", f'[params]\nhow = "{how}"\n')

    record = project.run()

    assert record["exit_code"] == code
    assert record["error"]["step"] == "plan"
    assert said in record["error"]["message"]


LARGE = """
@step
def flights(rows: int) -> Iterator[pl.DataFrame]:
    for start in range(0, rows, 50_000):
        numbers = pl.int_range(start, min(start + 50_000, rows), eager=True)
        yield pl.DataFrame({
            "late": numbers * 7919 % 1000, "way": numbers / 3, "carrier": numbers % 12,
            "tail": numbers.cast(pl.String) + "-registration",
        })
"""
COMPUTED = """
@step
def late(flights: pl.LazyFrame) -> pl.LazyFrame:
    return flights.filter(pl.col("late") > 100).with_columns(hours=pl.col("late") / 60)

@step
def ordered(late: pl.LazyFrame) -> pl.LazyFrame:
    return late.select("late", "way").sort("way", descending=True)

@step
def per_carrier(late: pl.LazyFrame) -> pl.DataFrame:
    return late.group_by("carrier").agg(pl.len(), pl.col("hours").sum()).sort("carrier").collect()
"""


@pytest.mark.parametrize(
    "case",
    [*in_slow((4_000_000, 260)), *in_exhaustive((16_000_000, 340), (100_000_000, 600))],
)
def test_a_table_larger_than_the_budget_is_filtered_sorted_and_aggregated(
    project: Project, case: tuple[int, int]
) -> None:
    rows, megabytes = case
    project.segments(s01=HEADER + LARGE, s02=HEADER + COMPUTED)
    project.write("pipeline.toml", f"[params]\nrows = {rows}\n")

    record = project.run("--budget", f"{megabytes}MB", "--keep-all")

    assert record["exit_code"] == 0, record.get("error")
    assert record["peak_bytes"] <= megabytes * 10**6
    assert sum_of(project, "per_carrier", "t['len'].sum()") == rows * 899 // 1000
    assert sum_of(project, "ordered", "int((np.diff(t['way']) <= 0).all()) * len(t)") == (
        rows * 899 // 1000
    )
    assert project.strays() == []


def sum_of(project: Project, value: str, expression: str) -> Any:
    """A whole number that is computed of a loaded value."""
    return int(
        project.python(
            "import numpy as np; from demo.pipeline import PIPELINE; "
            f"t = PIPELINE.load({value!r}); t = t.collect() if hasattr(t, 'collect') else t; "
            f"print({expression})"
        )
    )
