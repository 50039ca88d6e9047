"""Run records: what each run did, as JSON in `runs/`, beside the log of what its steps printed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from .files import TEMPORARY, new_token, remove, replace_text, storage_errors

RECORD = "record.json"
LOG = "run.log"
_KEPT_RUNS = 50


@dataclass
class StepRecord:
    """One step of a run, in bytes and seconds. Peaks are held memory of the process tree.

    `part` counts the segment's parts from 0; `began_bytes` is what was held when the step began,
    `read_seconds` the share of `seconds` that loading took, `input_bytes` the size of its
    arguments, `value_bytes` the memory that came with its value.
    """

    name: str
    part: int = 0
    began_bytes: int = 0
    peak_bytes: int = 0
    seconds: float = 0.0
    read_seconds: float = 0.0
    input_bytes: int = 0
    value_bytes: int = 0


@dataclass
class WriteRecord:
    """One value that a part committed: as a step's record, `bytes` on disk."""

    value: str
    part: int = 0
    began_bytes: int = 0
    peak_bytes: int = 0
    seconds: float = 0.0
    bytes: int = 0


@dataclass(frozen=True)
class CutRecord:
    """A cut inside a segment: the step that a new part began with, and why."""

    before: str
    why: str


@dataclass
class SegmentRecord:
    """One segment of a run; `status` is ran, reused or failed, `parts` the processes it took."""

    name: str
    status: str
    parts: int = 0
    peak_bytes: int = 0
    seconds: float = 0.0
    bytes_written: int = 0
    cuts: list[CutRecord] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    writes: list[WriteRecord] = field(default_factory=list)


@dataclass
class RunRecord:
    """One run: what `run --json` prints.

    `outputs` are the published files, and for outputs that are not published their checkpoints.
    `environment` says on what machine and with which versions it ran.
    """

    pipeline: str
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    budget_bytes: int = 0
    budget_source: str = ""
    count: str = "held"
    peak_bytes: int = 0
    seconds: float = 0.0
    bytes_written: int = 0
    segments: list[SegmentRecord] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The record as JSON-able data; `error` is left out of a run that went well."""
        content = asdict(self)
        if self.error is None:
            del content["error"]
        return content


def environment() -> dict[str, Any]:
    """The machine that a run is on, and the versions that it runs with."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "cores": os.cpu_count(),
        "ram_bytes": int(psutil.virtual_memory().total),
        **{name: importlib.metadata.version(name) for name in ("pandas", "pyarrow", "numpy")},
    }


def new_run(runs: Path) -> Path:
    """A folder for one run, named by its time; the oldest runs go. Raises StorageError.

    What a run left that was killed while it wrote its record or the profile goes as well.
    """
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{new_token()}"
    with storage_errors("Making the run's folder", runs):
        (runs / name).mkdir(parents=True)
        for former in sorted(p for p in runs.iterdir() if p.is_dir())[:-_KEPT_RUNS]:
            shutil.rmtree(former, ignore_errors=True)
        for left in runs.rglob(f".*{TEMPORARY}"):
            remove(left)
    return runs / name


def write_record(folder: Path, record: RunRecord) -> None:
    """Keep the record of a run. Raises StorageError."""
    with storage_errors("Writing the run's record", folder):
        replace_text(folder / RECORD, json.dumps(record.as_json(), indent=1))
