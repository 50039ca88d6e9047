"""What every test may ask for: the project's package, and each segment's module.

The project's tests find the package instead of naming it: it is the one folder under src/ with a
pipeline.py. A test names the segment it is about, and calls its steps as the plain functions that
they are:

    def test_a_flight_without_air_time_is_nowhere(plan: ModuleType) -> None:
        assert plan.planned_times(flights, 30).empty

Where the package's name is known, `from my_package.segments import s02_plan` does as well.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def package(pytestconfig: pytest.Config) -> str:
    """The name of the project's package."""
    [pipeline] = pytestconfig.rootpath.glob("src/*/pipeline.py")
    return pipeline.parent.name


@pytest.fixture(scope="session")
def ingest(package: str) -> ModuleType:
    """Segment 1."""
    return import_module(f"{package}.segments.s01_ingest")


@pytest.fixture(scope="session")
def plan(package: str) -> ModuleType:
    """Segment 2."""
    return import_module(f"{package}.segments.s02_plan")


@pytest.fixture(scope="session")
def flown(package: str) -> ModuleType:
    """Segment 3."""
    return import_module(f"{package}.segments.s03_flown")


@pytest.fixture(scope="session")
def crowd(package: str) -> ModuleType:
    """Segment 4."""
    return import_module(f"{package}.segments.s04_crowd")


@pytest.fixture(scope="session")
def report(package: str) -> ModuleType:
    """Segment 5."""
    return import_module(f"{package}.segments.s05_report")


@pytest.fixture(scope="session")
def frame() -> Callable[[Any], pd.DataFrame]:
    """Turns a step's table into a DataFrame, whichever library it is of.

    So a test stays as it is when its step is written for another one.
    """

    def convert(table: Any) -> pd.DataFrame:
        if hasattr(table, "df"):  # a relation of DuckDB
            return pd.DataFrame(table.df())
        if hasattr(table, "collect"):  # a lazy frame of polars
            table = table.collect().to_pandas()
        return pd.DataFrame(table)

    return convert
