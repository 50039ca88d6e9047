"""The queries of the benchmark tpch answer like DuckDB's SQL, in every engine."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyspark.sql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tpch import ENGINES
from tpch_data import QUERIES, answers, generate, is_answer
from tpch_steps.exact import exact

from .local_spark import local_spark
from .marks import in_exhaustive

Answers = dict[str, list[dict[str, Any]]]
ROWS = 10_000
SPARK = "spark_frames"
OTHERS = [steps for steps in ENGINES.values() if steps != SPARK]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tpch")
    generate(folder, "0.01")
    return folder


@pytest.fixture(scope="module")
def expected(data: Path) -> Answers:
    return answers(data)


@pytest.fixture(scope="module")
def spark() -> Iterator[None]:
    """A session that steps find."""
    with local_spark():
        yield


def answer(steps: str, query: str, data: Path, rows: int = ROWS) -> list[dict[str, Any]]:
    """What a query gives when it is called like any function, with batches of some rows."""
    module = import_module(f"tpch_steps.{steps}.{query}")
    tables = {}
    if query == "join":
        tables["joined"] = called(module.joined, data, rows, {})
    return as_rows(called(getattr(module, query), data, rows, tables))


def called(function: Callable[..., Any], data: Path, rows: int, tables: dict[str, Any]) -> Any:
    annotations = inspect.get_annotations(function, eval_str=True)
    del annotations["return"]
    missing = {name: kind for name, kind in annotations.items() if name not in tables}
    given = {name: table(data / f"{name}.parquet", kind, rows) for name, kind in missing.items()}
    return function(**tables, **given)


def table(file: Path, annotation: Any, rows: int) -> Any:
    """A table of the data as a step gets it."""
    columns = None
    if get_origin(annotation) is Annotated:
        annotation, chosen = get_args(annotation)
        columns = list(chosen.names)
    if annotation is duckdb.DuckDBPyRelation:
        return duckdb.read_parquet(str(file))
    if annotation is pl.LazyFrame:
        return pl.scan_parquet(file)
    if annotation is pyspark.sql.DataFrame:
        return pyspark.sql.SparkSession.active().read.parquet(str(file))
    whole = exact(pq.read_table(file, columns=columns))
    return whole.to_pandas() if annotation is pd.DataFrame else in_batches(whole, rows)


def in_batches(whole: pa.Table, rows: int) -> Iterator[pd.DataFrame]:
    for start in range(0, whole.num_rows, rows):
        yield whole.slice(start, rows).to_pandas()


def as_rows(result: Any) -> list[dict[str, Any]]:
    if isinstance(result, pd.DataFrame):
        return pa.Table.from_pandas(result, preserve_index=False).to_pylist()  # type: ignore[no-any-return]
    if isinstance(result, pl.LazyFrame):
        return result.collect(engine="streaming").to_dicts()
    if isinstance(result, pyspark.sql.DataFrame):
        return result.toArrow().to_pylist()  # type: ignore[no-any-return]
    return result.to_arrow_table().to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("steps", [*OTHERS, *in_exhaustive(SPARK)])
def test_a_query_answers_like_sql(
    steps: str, query: str, data: Path, expected: Answers, request: pytest.FixtureRequest
) -> None:
    if steps == SPARK:
        request.getfixturevalue("spark")
    rows = answer(steps, query, data)
    assert expected[query]
    assert is_answer(rows, expected[query])


@settings(deadline=None, max_examples=10)
@given(query=st.sampled_from(QUERIES), rows=st.integers(1_000, 70_000))
def test_an_answer_does_not_depend_on_the_batches(query: str, rows: int, data: Path) -> None:
    assert answer("pandas_batches", query, data, rows) == answer("pandas_batches", query, data)


def test_an_answer_that_is_a_cent_off_is_another(expected: Answers) -> None:
    rows = [dict(row) for row in expected["q05"]]
    rows[-1]["revenue"] = float(rows[-1]["revenue"]) + 0.01
    assert not is_answer(rows, expected["q05"])
    assert not is_answer(rows[:-1], expected["q05"])
