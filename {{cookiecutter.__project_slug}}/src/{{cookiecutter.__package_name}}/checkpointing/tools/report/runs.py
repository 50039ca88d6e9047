"""The records of runs in `runs/`: the last run, earlier runs, and memory over time.

Records of an earlier runtime lack some keys, which are then 0 or empty.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from ...base.errors import ConfigurationError, StorageError
from ...base.reading import read_json
from ...run.record import RECORD, TIMELINE, RunRecord, run_folders
from ...run.timeline import Mark


@dataclass(frozen=True)
class PastRun:
    """The record of a run, and the folder that contains it."""

    folder: Path
    record: RunRecord


@dataclass(frozen=True)
class MemoryOverTime:
    """Held memory in bytes at moments in seconds after the run's start, and what happened when."""

    seconds: tuple[float, ...] = ()
    held_bytes: tuple[int, ...] = ()
    marks: tuple[Mark, ...] = ()


Read = TypeVar("Read")

_RECORD = TypeAdapter(RunRecord)
_TIMELINE = TypeAdapter(MemoryOverTime)


def past_runs(runs: Path, pipeline: str) -> tuple[PastRun, ...]:
    """The runs of a pipeline that left a record, the last one first.

    A damaged record is skipped, except that of the last run.

    Raises:
        ConfigurationError: no run has left a record.
        StorageError: the last run's record is damaged.
    """
    past: list[PastRun] = []
    folders = [folder for folder in run_folders(runs) if os.path.lexists(folder / RECORD)]
    for folder in sorted(folders, key=_age, reverse=True):
        try:
            run = PastRun(folder, _read(folder / RECORD, _RECORD))
        except (OSError, ValidationError) as error:
            if not past:
                raise StorageError(
                    f"{folder / RECORD} is damaged: {_first_line(error)}. Remove that folder to "
                    f"report on the run before, or run again."
                ) from None
            continue
        if run.record.pipeline == pipeline:
            past.append(run)
    if not past:
        raise ConfigurationError(
            f"no run of `{pipeline}` has left a record in {runs}. Type `run` first."
        )
    return tuple(past)


def memory_over_time(run: PastRun) -> MemoryOverTime:
    """The timeline of a run; empty if nothing ran, or if it was not kept or is damaged."""
    try:
        timeline = _read(run.folder / TIMELINE, _TIMELINE)
    except (OSError, ValidationError):
        return MemoryOverTime()
    return timeline if len(timeline.seconds) == len(timeline.held_bytes) else MemoryOverTime()


def later_without_record(runs: Path, run: PastRun) -> str | None:
    """The last folder of a run that started in a later second and has left no record, if any."""
    names = [folder.name for folder in run_folders(runs)]
    later = [name for name in names if _second(name) > _second(run.folder.name)]
    return max((n for n in later if not (runs / n / RECORD).exists()), default=None)


def _read(path: Path, kind: TypeAdapter[Read]) -> Read:
    """A file of a run. Raises OSError or ValidationError if it is not as a run wrote it.

    A path that is no UTF-8 is read as text for people, with question marks.
    """
    return kind.validate_json(
        json.dumps(read_json(path), ensure_ascii=False).encode("utf-8", "replace")
    )


def _age(folder: Path) -> tuple[str, int]:
    """Sorts runs by their start, and those of one second by their end."""
    return _second(folder.name), (folder / RECORD).lstat().st_mtime_ns


def _second(name: str) -> str:
    return name.partition("-")[0]


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg']}" if where else first["msg"]
    return str(getattr(error, "strerror", None) or error)
