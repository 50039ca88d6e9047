"""engines: what it takes to read a mapped checkpoint in each engine, against its plain Parquet."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from math import isclose
from pathlib import Path

import engine_loads
import pandas as pd
from engine_loads import CHECKPOINT, PARQUET, READERS, Load
from flight_delays.checkpointing.codecs import codec_named, format_named
from lineitem import lineitem
from measure import Bench, Row, in_turns, ratios, show_bytes, show_ratio, show_seconds, spread

NAME = "engines"
HELD = 0.05  # of the table's size
VIEW_BYTES = 16  # of each text in polars, beside the mapped text itself


def run(bench: Bench) -> list[Row]:
    """Read the table of checkpoint_io in every engine, each load in a process of its own."""
    frame = lineitem(bench)
    folder = bench.folder / NAME
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    frame.to_parquet(folder / PARQUET)
    with open(folder / CHECKPOINT, "wb") as file:
        format_named("arrow").write(codec_named("DataFrame").freeze(frame), file)
    size = (folder / CHECKPOINT).stat().st_size
    rows = []
    for engine in READERS:
        loads = in_turns(
            2 if bench.quick else 6,
            checkpoint=partial(_apart, engine, CHECKPOINT, folder),
            parquet=partial(_apart, engine, PARQUET, folder),
        )
        rows += _rows_of(engine, size, _views(frame) if engine == "polars" else 0, loads)
    shutil.rmtree(folder)
    return rows


def _views(frame: pd.DataFrame) -> int:
    """The bytes that polars makes of the text, whatever is mapped; see `VIEW_BYTES`."""
    return VIEW_BYTES * len(frame) * frame.select_dtypes("str").shape[1]


def _rows_of(engine: str, size: int, views: int, loads: dict[str, list[Load]]) -> list[Row]:
    ours, plain = loads["checkpoint"], loads["parquet"]
    held, plain_held = (spread([load.held_bytes for load in all]).median for all in (ours, plain))
    after, plain_after = (
        spread([load.held_after_sum_bytes for load in all]).median for all in (ours, plain)
    )
    with_sum, plain_with_sum = ([load.seconds_with_sum for load in all] for all in (ours, plain))
    same = all(isclose(load.total, plain[0].total, rel_tol=1e-12) for load in [*ours, *plain])
    beside = f" beside {show_bytes(views)} of views" if views else ""
    return [
        Row(
            NAME,
            f"{engine}: held memory by loading, and after the sum of a column",
            f"{show_bytes(held)}, {show_bytes(after)}",
            f"Parquet {show_bytes(plain_held)}, {show_bytes(plain_after)}",
            f"{held / size:.3f}, {after / size:.3f} of {show_bytes(size)}",
            f"< {HELD} by loading{beside}",
            held - views < HELD * size,
        ),
        Row(
            NAME,
            f"{engine}: load and sum of a column" + ("" if same else ", another sum"),
            show_seconds(spread(with_sum)),
            f"Parquet {show_seconds(spread(plain_with_sum))}",
            show_ratio(ratios(with_sum, plain_with_sum)),
        ),
    ]


def _apart(engine: str, kind: str, folder: Path) -> Load:
    command: list[str | Path] = [sys.executable, engine_loads.__file__, engine, kind, folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Load(**json.loads(done.stdout))
