"""Run records: one JSON file for each run in `runs/`, beside the log of its steps' output."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from ..base.files import replace_text, storage_errors
from ..base.names import is_run_name, moment_of, new_number, run_name
from ..codecs.applications import Application
from ..disk.sweeping import Cleared, sweep_temporaries
from ..memory.profile import JOURNAL, PROFILE

RECORD = "record.json"
LOG = "run.log"
COMPANY = "workers"
"""The numbers of the workers that are at work at once: `memory.company`."""

LOGS = "run.*.log"
"""Those of segments that ran beside others."""

TIMELINE = "timeline.json"
PAGE = "report.html"
COMPARE_LOG = "compare.log"
LEDGER = "ledger.json"
LEDGER_LOCK = "ledger.lock"
_KEPT_RUNS = 50


@dataclass
class ItemRecord:
    """One item of a step that runs for each, in bytes and seconds."""

    key: str
    peak_bytes: int = 0
    seconds: float = 0.0
    written_bytes: int = 0


@dataclass
class StepRecord:
    """One step of a run, in bytes and seconds."""

    name: str

    part: int = 0
    """The part of the segment that ran it, counted from 0."""

    began_bytes: int = 0
    """Held memory of the process tree when the step began."""

    peak_bytes: int = 0
    """The most that the process tree held while the step ran."""

    seconds: float = 0.0

    read_seconds: float = 0.0
    """The share of `seconds` that loading took."""

    input_bytes: int = 0
    """The size of its arguments."""

    value_bytes: int = 0
    """The memory that came with its value."""

    items: list[ItemRecord] = field(default_factory=list)
    """Of a step that runs for each item: those that ran in this part, in order."""

    batches: int = 0
    """How many batches it took of tables; `rows` is how many rows these had."""

    rows: int = 0

    made_batches: int = 0
    """How many batches of its value it made; `made_rows` is how many rows these had."""

    made_rows: int = 0


@dataclass
class WriteRecord:
    """One value that a part committed; memory and time as in a step's record."""

    value: str
    part: int = 0
    began_bytes: int = 0
    peak_bytes: int = 0
    seconds: float = 0.0

    bytes: int = 0
    """The size of its files on disk."""

    ahead: bool = False
    """Whether it was written while further steps computed: its seconds are among theirs."""


@dataclass(frozen=True)
class CutRecord:
    """A cut inside a segment."""

    before: str
    """The step that a new part began with."""

    why: str
    """Such as `planned` or `over budget`; docs/runtime.md of the template lists them."""


@dataclass
class SegmentRecord:
    """One segment of a run."""

    name: str

    status: str
    """`ran`, `reused` or `failed`."""

    parts: int = 0
    """The number of processes that ran it, one after the other."""

    peak_bytes: int = 0
    seconds: float = 0.0
    bytes_written: int = 0
    cuts: list[CutRecord] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    writes: list[WriteRecord] = field(default_factory=list)

    executor: str = ""
    """The table of [executors] where it ran; empty: it ran here."""

    budget_bytes: int = 0
    """The memory that it might hold there; 0: it ran here, under the budget of the run."""

    applications: list[Application] = field(default_factory=list)
    """What the engines of its parts say that they have taken, on other machines too."""

    reused_steps: list[str] = field(default_factory=list)
    """Of a segment that ran: the steps that did not, as former checkpoints had their values."""

    accepted: list[str] = field(default_factory=list)
    """Who declared that edits do not change its values, and why, a sentence each."""


@dataclass
class RunRecord:
    """One run: what `run --json` prints."""

    pipeline: str
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    budget_bytes: int = 0
    budget_source: str = ""
    """The limit that the budget comes from, for people."""

    count: str = "held"
    """How memory was counted."""

    peak_bytes: int = 0
    seconds: float = 0.0
    bytes_written: int = 0

    bytes_pushed: int = 0
    """The size of the files that went to a URL where checkpoints are shared."""

    bytes_fetched: int = 0
    """The size of those that came from there."""

    segments: list[SegmentRecord] = field(default_factory=list)

    outputs: dict[str, str] = field(default_factory=dict)
    """The path of each published file; of an output that is not published, its checkpoint's, or
    the URL of that if the file is not on this machine."""

    environment: dict[str, Any] = field(default_factory=dict)
    """The machine, and the versions that the run worked with."""

    error: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The record as data for JSON, without `error` if the run succeeded."""
        content = asdict(self)
        if self.error is None:
            del content["error"]
        return content


def environment() -> dict[str, Any]:
    """The machine and the library versions of a run."""
    return {
        "python": platform.python_version(),
        # `platform.platform` would start a process, to ask for the processor.
        "platform": f"{platform.system()}-{platform.release()}-{platform.machine()}",
        "cores": os.cpu_count(),
        "ram_bytes": int(psutil.virtual_memory().total),
        **{name: importlib.metadata.version(name) for name in ("pandas", "pyarrow", "numpy")},
    }


def new_run(runs: Path) -> Path:
    """Make a folder for one run, named by its time. Raises StorageError.

    The time in the name is at least a second after that of the last run, also if the clock went
    back: sorted by name, runs are in their order.
    """
    moment = datetime.now(UTC)
    if earlier := run_folders(runs):
        moment = max(moment, moment_of(earlier[-1].name) + timedelta(seconds=1))
    folder = runs / run_name(moment, new_number())
    with storage_errors("Making the run's folder", runs):
        folder.mkdir()
    return folder


def retire_runs(runs: Path) -> None:
    """Remove the oldest runs, and the temporary files of runs that were killed.

    No other run may be at work. Raises StorageError.
    """
    with storage_errors("Removing the oldest runs", runs):
        for former in run_folders(runs)[:-_KEPT_RUNS]:
            _discard_run(former)
        for place in (runs, *run_folders(runs)):
            sweep_temporaries(place)


def run_folders(runs: Path) -> list[Path]:
    """The folders of runs, the oldest first; other folders are left out."""
    if not runs.is_dir():
        return []
    return sorted(
        path
        for path in runs.iterdir()
        if is_run_name(path.name) and path.is_dir() and not path.is_symlink()
    )


def clear_runs(runs: Path) -> Cleared:
    """Remove all files of runs, and return what was removed. Other files stay."""
    cleared = sweep_temporaries(runs)
    for folder in run_folders(runs):
        cleared += _discard_run(folder)
    for name in (PROFILE, JOURNAL, COMPARE_LOG, LEDGER, LEDGER_LOCK):
        cleared += _discard_file(runs / name)
    return cleared


def _discard_run(folder: Path) -> Cleared:
    """Remove our files in a run's folder, and the folder if it is then empty."""
    cleared = sweep_temporaries(folder)
    for name in (RECORD, LOG, TIMELINE, PAGE, COMPANY):
        cleared += _discard_file(folder / name)
    for path in folder.glob(LOGS):
        cleared += _discard_file(path)
    with contextlib.suppress(OSError):  # a person keeps other files in it
        folder.rmdir()
    return cleared


def _discard_file(path: Path) -> Cleared:
    cleared = Cleared()
    if path.is_file() and not path.is_symlink():
        cleared.take(path)
    return cleared


def write_record(folder: Path, record: RunRecord) -> None:
    """Write the record of a run. Raises StorageError."""
    with storage_errors("Writing the run's record", folder):
        replace_text(folder / RECORD, json.dumps(record.as_json(), indent=1))
