"""A join that takes many times the budget in pandas completes within it as a step of DuckDB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ..conftest import Project

TABLES = ("lineitem", "orders")
INGEST = """
import duckdb

@step
def lineitem(lineitem_file: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(lineitem_file))

@step
def orders(orders_file: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(orders_file))
"""
JOIN = """
import duckdb

@step
def ordered(
    lineitem: duckdb.DuckDBPyRelation, orders: duckdb.DuckDBPyRelation
) -> duckdb.DuckDBPyRelation:
    return lineitem.join(orders, "l_orderkey = o_orderkey")
"""
REPORT = """
import duckdb

@step
def dearest(ordered: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    return ordered.order("o_totalprice DESC, l_orderkey, l_linenumber")

@step
def totals(dearest: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    return duckdb.sql(
        "SELECT count(*) AS n, sum(o_totalprice)::DOUBLE AS price, sum(l_quantity)::DOUBLE AS qty, "
        "max(row_number) FILTER (o_totalprice >= (SELECT max(o_totalprice) FROM dearest)) AS first "
        "FROM (SELECT *, row_number() OVER () AS row_number FROM dearest)"
    ).df()
"""


@pytest.fixture
def tables(tmp_path: Path, scale: float) -> Path:
    """The tables of TPC-H of a scale: of 1, six million line items."""
    generator = Path(sys.executable).with_name("tpchgen-cli")
    command: list[str | Path] = [
        generator,
        "parquet",
        "-s",
        str(scale),
        "--tables",
        ",".join(TABLES),
    ]
    subprocess.run([*command, "--output-dir", tmp_path], check=True, capture_output=True)
    return tmp_path


@pytest.mark.parametrize(
    ("scale", "budget"),
    [
        pytest.param(0.1, 400_000_000, marks=pytest.mark.slow),
        pytest.param(1, 700_000_000, marks=pytest.mark.exhaustive),
    ],
)
def test_a_join_completes_within_a_part_of_what_it_takes_in_pandas(
    project: Project, tables: Path, budget: int
) -> None:
    project.segments(s01=INGEST, s02=JOIN, s03=REPORT)
    files = "".join(f'{name}_file = "{tables}/{name}.parquet"\n' for name in TABLES)
    project.write("pipeline.toml", f'[inputs]\n{files}[outputs]\ntotals = "totals.parquet"\n')

    record = project.run("--budget", str(budget))

    assert record["exit_code"] == 0, record.get("error")
    assert max(segment["peak_bytes"] for segment in record["segments"]) < budget
    assert all(segment["parts"] == 1 for segment in record["segments"])
    items = pq.read_table(tables / "lineitem.parquet", columns=["l_orderkey", "l_quantity"])
    orders = pq.read_table(tables / "orders.parquet", columns=["o_orderkey", "o_totalprice"])
    prices = orders["o_totalprice"].cast("float64").to_numpy()
    price = dict(zip(orders["o_orderkey"].to_pylist(), prices.tolist(), strict=True))
    prices = np.array([price[key] for key in items["l_orderkey"].to_pylist()])
    [totals] = pq.read_table(project.folder / "totals.parquet").to_pylist()
    assert totals["n"] == items.num_rows
    assert totals["price"] == pytest.approx(prices.sum(), rel=1e-9)
    assert totals["qty"] == pytest.approx(items["l_quantity"].cast("float64").to_numpy().sum())
    assert totals["first"] == (prices == prices.max()).sum()
    assert project.strays() == []
