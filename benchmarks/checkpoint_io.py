"""checkpoint_io: commit and load of a 500 MB table, against raw files, pickle and Parquet."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import loading
import pandas as pd
from flight_delays.checkpointing.base.files import sync_folder
from flight_delays.checkpointing.codecs import codec_named, format_named
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.manifest import FileRecord, Manifest
from lineitem import lineitem, lineitem_with_gaps
from loading import LOADERS, Load
from measure import (
    Bench,
    Row,
    Spread,
    in_turns,
    ratios,
    show_bytes,
    show_ratio,
    show_seconds,
    spread,
    timed,
)

NAME = "checkpoint_io"
COMMIT_SPEED = 0.55  # of a raw write
LOAD_SECONDS = 0.1
LOAD_HELD = 0.05  # of the table's size

_CODEC = codec_named("DataFrame")
_FORMAT = format_named("arrow")


def run(bench: Bench) -> list[Row]:
    """Measure the table as it is, and with values missing in every column."""
    rows = []
    for variant, made in (("as it is", lineitem), ("with NaN and NaT", lineitem_with_gaps)):
        rows += _rows(f"{NAME}, {variant}", made(bench), bench)
    return rows


def _rows(name: str, frame: pd.DataFrame, bench: Bench) -> list[Row]:
    rounds = 3 if bench.quick else 8  # every kind of write twice in every place
    folder = bench.folder / NAME
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    frozen = _CODEC.freeze(frame)
    freezing = spread([timed(lambda: _CODEC.freeze(frame)) for _ in range(rounds)])
    kept, record = commit(folder / "kept", frozen)
    content = memoryview((kept / record.file).read_bytes())
    writes = in_turns(
        rounds,
        raw=partial(_timed_write, folder / "raw", lambda path: _write_raw(path, content)),
        commit=partial(_timed_write, folder / "commit", lambda path: commit(path, frozen)),
        pickle=partial(_timed_write, folder / "pickle", lambda path: _dump(frame.to_pickle, path)),
        parquet=partial(
            _timed_write, folder / "parquet", lambda path: _dump(frame.to_parquet, path)
        ),
    )
    _write_raw(folder / "raw", content)
    _dump(frame.to_pickle, folder / "pickle")
    _dump(frame.to_parquet, folder / "parquet")
    (folder / "record.json").write_text(json.dumps(asdict(record)))
    loads = in_turns(rounds, **{kind: partial(_load_apart, kind, folder) for kind in LOADERS})
    shutil.rmtree(folder)
    return [
        *_rows_of_writing(name, record.bytes, freezing, writes),
        *_rows_of_loading(name, record.bytes, loads),
    ]


def commit(folder: Path, frozen: Any) -> tuple[Path, FileRecord]:
    """Commit one value as a worker does: its file, the manifest, all durable."""
    made = Commit(folder, allowance=1 << 60)
    record = made.write("table", frozen, _CODEC, _FORMAT)
    made.finish(
        Manifest(
            pipeline="bench",
            segment="bench",
            key="bench",
            steps=("table",),
            ingredients={},
            values={"table": record},
            outputs={},
            committed_at="",
            seconds=0.0,
        )
    )
    return folder, record


def _write_raw(path: Path, content: memoryview) -> None:
    with open(path, "wb", buffering=0) as file:
        rest = content
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    sync_folder(path.parent)


def _dump(dump: Callable[[Any], Any], path: Path) -> None:
    with open(path, "wb") as file:
        dump(file)
        file.flush()
        os.fsync(file.fileno())


def _timed_write(path: Path, write: Callable[[Path], object]) -> float:
    os.sync()  # what others wrote is not to be waited for
    seconds = timed(lambda: write(path))
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return seconds


def _load_apart(kind: str, folder: Path) -> Load:
    command: list[str | Path] = [sys.executable, loading.__file__, kind, folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Load(**json.loads(done.stdout))


def _rows_of_writing(
    name: str, size: int, freezing: Spread, found: dict[str, list[float]]
) -> list[Row]:
    raw = f"raw {show_seconds(spread(found['raw']))}"
    rows = [Row(name, "freeze, before a commit", show_seconds(freezing), raw)]
    for kind in ("commit", "pickle", "parquet"):
        speed = ratios(found["raw"], found[kind])
        best = min(found["raw"]) / min(found[kind])
        gigabytes = size / spread(found[kind]).median / 1e9
        target, met = "", None
        if kind == "commit":
            target, met = f"≥ {COMMIT_SPEED}", speed.median >= COMMIT_SPEED
        rows.append(
            Row(
                name,
                f"{kind}, fsynced: {gigabytes:.2f} GB/s",
                show_seconds(spread(found[kind])),
                raw,
                f"{show_ratio(speed)} of its speed, best {best:.2f}",
                target,
                met,
            )
        )
    return rows


def _rows_of_loading(name: str, size: int, found: dict[str, list[Load]]) -> list[Row]:
    raw = [one.seconds for one in found["raw"]]
    against = f"raw {show_seconds(spread(raw))}"
    ours = found["checkpoint"]
    checking = [one.verify_seconds for one in ours]
    rows = [
        Row(
            name,
            "verify the checkpoint (checksum)",
            show_seconds(spread(checking)),
            against,
            f"{show_ratio(ratios(raw, checking))} of its speed",
        )
    ]
    for kind in ("checkpoint", "pickle", "parquet"):
        loads = found[kind]
        seconds = spread([one.seconds for one in loads])
        held = spread([one.held_bytes for one in loads]).median
        after = spread([one.held_after_sum_bytes for one in loads]).median
        is_ours = kind == "checkpoint"
        rows += [
            Row(
                name,
                f"{kind}: load, verified before" if is_ours else f"{kind}: load",
                show_seconds(seconds),
                against,
                f"{seconds.median / spread(raw).median:.3f} of its time",
                f"< {LOAD_SECONDS} s" if is_ours else "",
                seconds.median < LOAD_SECONDS if is_ours else None,
            ),
            Row(
                name,
                f"{kind}: held memory, and after the sum of a column",
                f"{show_bytes(held)}, {show_bytes(after)}",
                f"file {show_bytes(size)}",
                f"{held / size:.3f}, {after / size:.3f}",
                f"< {LOAD_HELD} by loading" if is_ours else "",
                held < LOAD_HELD * size if is_ours else None,
            ),
        ]
    return rows
