"""The step that the page `adapting.md` moves to Spark gives what it gave before."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flight_delays.checkpointing import step

from ..conftest import TEMPLATE
from ..java import java_variables
from ..local_spark import local_spark
from .conftest import Project

PAGE = (TEMPLATE / "docs" / "adapting.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## From one machine to a cluster")[2].partition("\n## ")[0]
FLIGHTS = """
@step
def flights() -> pd.DataFrame:
    number = np.arange(3_000)
    places = np.array(["EWR", "JFK", "LGA", "BOS", "ORD"])
    return pd.DataFrame(
        {
            "origin": places[number % 3],
            "dest": places[number * 7919 % 5],
            "delay": np.where(number % 11 == 0, np.nan, number % 60 - 20.0),
        }
    )
"""
BUSIEST = """
@step
def busiest(routes: pd.DataFrame) -> pd.DataFrame:
    return routes[routes["flights"] > routes["flights"].median()]
"""


def examples() -> tuple[str, str]:
    """The step as the page has it for pandas, and for Spark."""
    of_pandas, of_spark = re.findall(r"^```python\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    return of_pandas, of_spark


def defined(source: str) -> dict[str, Any]:
    """What a segment of this source defines."""
    names: dict[str, Any] = {"np": np, "pd": pd, "step": step}
    exec(source, names)
    return names


@pytest.mark.slow
def test_the_step_of_the_page_counts_the_same_in_spark() -> None:
    of_pandas, of_spark = (defined(FLIGHTS + source) for source in examples())
    flights = of_pandas["flights"]()
    expected = of_pandas["routes"](flights)
    assert len(expected) > 10
    assert expected["late"].sum() > 0
    with local_spark() as spark:
        rows = flights.astype(object).where(flights.notna(), None).to_numpy().tolist()
        given = spark.createDataFrame(rows, "origin string, dest string, delay double")
        counted = of_spark["routes"](given).toArrow().to_pandas()
    pd.testing.assert_frame_equal(counted, expected)


@pytest.mark.exhaustive
def test_later_steps_publish_the_same_bytes_when_the_step_of_the_page_moves_to_spark_and_back(
    project: Project,
) -> None:
    project.write("pipeline.toml", '[outputs]\nbusiest = "busiest.parquet"\n')
    published = []
    of_pandas, of_spark = examples()
    for source in (of_pandas, of_spark, of_pandas):
        project.segments(s01=FLIGHTS, s02=source, s03=BUSIEST)
        record = project.run(**java_variables())
        assert record["exit_code"] == 0, record.get("error")
        published.append((project.folder / "busiest.parquet").read_bytes())
    assert published == [published[0]] * 3
    assert [segment["status"] for segment in record["segments"]][::2] == ["reused"] * 2
