"""TPC-H's tables as Parquet, made once and kept, and the answers of DuckDB's SQL on them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from datetime import date, datetime
from decimal import Decimal
from math import isclose
from pathlib import Path
from typing import Any

import duckdb
from measure import Bench

TABLES = ("lineitem", "orders", "customer", "supplier", "nation", "region")
QUERIES = ("q01", "q03", "q05", "q10", "q12", "join")
"""Five of TPC-H's, and a join of which every column is kept."""

_TEXTS = Path(__file__).parent / "tpch_steps" / "answers"
_HALF_A_CENT = Decimal("0.005")


def scale_of(bench: Bench) -> str:
    """The scale factor of the data: 1 is 1 GB as text."""
    return bench.scale or ("0.05" if bench.quick else "1")


def tables(bench: Bench) -> Path:
    """The folder with one Parquet file for each of TABLES; see `generate`."""
    folder = bench.folder / f"tpch-{scale_of(bench)}"
    if not folder.exists():
        unfinished = folder.with_name(folder.name + ".unfinished")
        generate(unfinished, scale_of(bench))
        unfinished.rename(folder)
    return folder


def generate(folder: Path, scale: str) -> None:
    """Write TABLES to a folder; raises SystemExit where tpchgen-cli is not installed."""
    command: list[str | Path] = [
        *(_generator(), "parquet", "-s", scale),
        *("--tables", ",".join(TABLES), "-o", folder),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _generator() -> str:
    scripts = [sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
    generator = shutil.which("tpchgen-cli", path=os.pathsep.join(scripts))
    if generator is None:
        raise SystemExit("tpch needs tpchgen-cli: pip install tpchgen-cli")
    return generator


def answers(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What DuckDB's SQL answers to each of QUERIES, on the files themselves: rows by column."""
    with duckdb.connect() as connection:
        for table in TABLES:
            file = folder / f"{table}.parquet"
            connection.execute(f"create view {table} as from '{file}'")
        return {
            query: connection.sql((_TEXTS / f"{query}.sql").read_text())
            .to_arrow_table()
            .to_pylist()
            for query in QUERIES
        }


def is_answer(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """Whether rows are those that are expected, in their order, with all columns.

    Numbers may be of another type: they agree to the cent, and to a millionth of themselves.
    """
    return len(rows) == len(expected) and all(
        row.keys() == right.keys() and all(_agree(row[name], right[name]) for name in right)
        for row, right in zip(rows, expected, strict=True)
    )


def _agree(value: Any, right: Any) -> bool:
    if isinstance(right, (int, float, Decimal)):
        difference = abs(Decimal(value) - Decimal(right))
        return difference < _HALF_A_CENT and isclose(value, right, rel_tol=1e-6)
    if isinstance(right, date) and isinstance(value, datetime):
        return value == datetime(right.year, right.month, right.day)
    return bool(value == right)
