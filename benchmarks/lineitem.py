"""The table that checkpoint_io commits and loads: TPC-H's lineitem, made once and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from measure import Bench


def lineitem(bench: Bench) -> pd.DataFrame:
    """TPC-H's lineitem, 3 M rows of scale 1: decimals as floats, dates as timestamps."""
    folder = bench.folder / "tpch"
    file = folder / "lineitem.parquet"
    if not file.exists():
        scripts = [sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
        generator = shutil.which("tpchgen-cli", path=os.pathsep.join(scripts))
        if generator is None:
            raise SystemExit("checkpoint_io needs tpchgen-cli: pip install tpchgen-cli")
        scale = "0.05" if bench.quick else "1"
        unfinished = folder.with_name("tpch.unfinished")
        command: list[str | Path] = [
            generator,
            "parquet",
            "-s",
            scale,
            "--tables=lineitem",
            "-o",
            unfinished,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(folder)
    table = pq.read_table(file).slice(0, 3_000_000)
    columns = [_as_pandas_has_it(column) for column in table.columns]
    frame: pd.DataFrame = pa.table(columns, names=table.column_names).to_pandas()
    return frame


def lineitem_with_gaps(bench: Bench) -> pd.DataFrame:
    """The same with one value in a hundred missing in every column; integers become floats."""
    frame = lineitem(bench)
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            name: (column.astype("float64") if column.dtype.kind == "i" else column).mask(
                random.random(len(frame)) < 0.01
            )
            for name, column in frame.items()
        }
    )


def _as_pandas_has_it(column: Any) -> Any:
    if pa.types.is_decimal(column.type):
        return column.cast(pa.float64())
    if pa.types.is_date(column.type):
        return column.cast(pa.timestamp("us"))
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column
