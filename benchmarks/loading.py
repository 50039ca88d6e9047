"""Load one file in a process of its own, and print as JSON what that took."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset  # noqa: F401  a worker has it imported when it starts
from flight_delays.checkpointing.codecs import codec_named, format_named
from flight_delays.checkpointing.disk.hashed import is_sound
from flight_delays.checkpointing.disk.manifest import FileRecord
from measure import mapped_bytes, timed

COLUMN = "l_extendedprice"


@dataclass(frozen=True)
class Load:
    """One load: seconds, and held memory above what the process held before it, in bytes."""

    verify_seconds: float
    seconds: float
    held_bytes: int
    held_after_sum_bytes: int


def _load_checkpoint(folder: Path) -> pd.DataFrame:
    record = _record(folder)
    frozen = format_named(record.format).read(folder / "kept" / record.file, None)
    loaded: pd.DataFrame = codec_named(record.codec).thaw(frozen)
    return loaded


def _record(folder: Path) -> FileRecord:
    return FileRecord(**json.loads((folder / "record.json").read_text()))


def _verify(folder: Path) -> None:
    assert is_sound(folder / "kept", _record(folder))


LOADERS: dict[str, Callable[[Path], Any]] = {
    "raw": lambda folder: (folder / "raw").read_bytes(),
    "checkpoint": _load_checkpoint,
    "pickle": lambda folder: pd.read_pickle(folder / "pickle"),
    "parquet": lambda folder: pd.read_parquet(folder / "parquet"),
}


def load(kind: str, folder: Path) -> Load:
    """Load what checkpoint_io has written, as one of LOADERS."""
    verifying = timed(lambda: _verify(folder)) if kind == "checkpoint" else 0.0
    before = mapped_bytes(os.getpid())
    started = time.perf_counter()
    loaded = LOADERS[kind](folder)
    seconds = time.perf_counter() - started
    held = mapped_bytes(os.getpid())
    if isinstance(loaded, pd.DataFrame):
        loaded[COLUMN].sum()
    return Load(verifying, seconds, held - before, mapped_bytes(os.getpid()) - before)


if __name__ == "__main__":
    print(json.dumps(asdict(load(sys.argv[1], Path(sys.argv[2])))))
