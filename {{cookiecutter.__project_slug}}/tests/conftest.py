"""What every test may ask for: the project's package, and each segment's module.

The project's tests find the package instead of naming it: it is the one folder under src/ with a
pipeline.py. A test names the segment it is about, and calls its steps as the plain functions that
they are:

    def test_a_flight_without_air_time_is_nowhere(plan: ModuleType) -> None:
        assert plan.planned_times(flights, 30).empty

Where the package's name is known, `from my_package.segments import s02_plan` does as well.
"""

import warnings
from collections.abc import Callable, Iterator
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
def ingest(package: str, request: pytest.FixtureRequest) -> ModuleType:
    """Segment 1, and a session for it if it is written for Spark."""
    module = import_module(f"{package}.segments.s01_ingest")
    if hasattr(module, "SparkSession"):
        request.getfixturevalue("spark")
    return module


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
        if hasattr(table, "toArrow"):  # a DataFrame of Spark
            return pd.DataFrame(table.toArrow().to_pandas())
        if hasattr(table, "df"):  # a relation of DuckDB
            return pd.DataFrame(table.df())
        if hasattr(table, "collect"):  # a lazy frame of polars
            table = table.collect().to_pandas()
        return pd.DataFrame(table)

    return convert


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A small Spark on this machine, for tests of steps that take or return its DataFrames.

    It starts when a test first asks for it, so a project without such steps needs no Spark.
    """
    folder = tmp_path_factory.mktemp("spark")  # pytest removes it, however Spark ends
    quick = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # starts fast
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": f'-Djava.io.tmpdir="{folder}" {quick}',
        "spark.local.dir": str(folder),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
    }
    builder = import_module("pyspark.sql").SparkSession.builder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about pandas 3, which takes no part here
        try:
            session = builder.master("local[2]").config(map=settings).getOrCreate()
        except Exception as error:
            missing = "Spark needs Java 17 or newer: install it, or let JAVA_HOME name its folder"
            raise pytest.fail.Exception(f"{missing} ({error})", pytrace=False) from None
    yield session
    session.stop()
