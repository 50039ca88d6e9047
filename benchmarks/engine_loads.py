"""Load one table in an engine, in a process of its own, and print as JSON what that took."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq
from flight_delays.checkpointing.codecs import codec_named, format_named
from loading import COLUMN
from measure import mapped_bytes

CHECKPOINT, PARQUET = "checkpoint.arrow", "plain.parquet"


@dataclass(frozen=True)
class Reader:
    """How one engine reads: the codec of a step's parameter, its own reader, and a sum."""

    codec: str
    plain: Callable[[Path], Any]
    total: Callable[[Any], float]


@dataclass(frozen=True)
class Load:
    """One load: seconds, and held memory above what the process held before it, in bytes."""

    seconds: float
    held_bytes: int
    seconds_with_sum: float
    held_after_sum_bytes: int
    total: float


READERS = {
    "pandas": Reader("DataFrame", pd.read_parquet, lambda frame: frame[COLUMN].sum()),
    "Arrow": Reader("Table", pq.read_table, lambda table: pc.sum(table[COLUMN]).as_py()),
    "polars": Reader("polars.DataFrame", pl.read_parquet, lambda frame: frame[COLUMN].sum()),
    "polars, lazy": Reader(
        "polars.LazyFrame",
        pl.scan_parquet,
        lambda scan: scan.select(pl.col(COLUMN).sum()).collect(engine="streaming").item(),
    ),
    "DuckDB": Reader(
        "DuckDBPyRelation",
        lambda path: duckdb.read_parquet(str(path)),
        lambda relation: relation.sum(COLUMN).fetchall()[0][0],
    ),
}
"""The readers, by what the report calls them."""


def load(engine: str, kind: str, folder: Path) -> Load:
    """Load the file of one kind, CHECKPOINT or PARQUET, and sum up one column."""
    reader = READERS[engine]
    codec, form = codec_named(reader.codec), format_named("arrow")
    duckdb.execute("select 1").fetchall()  # its connection, which is there before a step begins
    before = mapped_bytes(os.getpid())
    started = time.perf_counter()
    if kind == CHECKPOINT:
        loaded = codec.thaw(form.read(folder / kind, None))
    else:
        loaded = reader.plain(folder / kind)
    seconds = time.perf_counter() - started
    held = mapped_bytes(os.getpid()) - before
    total = reader.total(loaded)
    with_sum = time.perf_counter() - started
    return Load(seconds, held, with_sum, mapped_bytes(os.getpid()) - before, float(total))


if __name__ == "__main__":
    print(json.dumps(asdict(load(sys.argv[1], sys.argv[2], Path(sys.argv[3])))))
