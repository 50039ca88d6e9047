"""Each run leaves a record and a log; the oldest go."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.run import record as history
from flight_delays.checkpointing.run.record import (
    RECORD,
    RunRecord,
    SegmentRecord,
    StepRecord,
    clear_runs,
    new_run,
    retire_runs,
    run_folders,
    write_record,
)

from ..builders import write
from ..tools.report.past_runs import name_of


def test_a_run_has_a_folder_named_by_its_time(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    moment, _, seal = folder.name.partition("-")

    assert folder.is_dir()
    assert datetime.strptime(moment, "%Y%m%dT%H%M%S")
    assert len(seal) == 16


def test_clearing_takes_what_runs_have_left_and_nothing_else(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    for name in (f"{folder.name}/record.json", f"{folder.name}/run.log", "profile.json"):
        write(tmp_path / name, "12345")
    mine = [write(tmp_path / name, "") for name in ("notes.txt", "run.log", "2026/record.json")]
    (tmp_path / f"{folder.name}-copy").symlink_to(folder)
    cleared = clear_runs(tmp_path)

    assert (cleared.bytes, cleared.failures) == (15, [])
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == set(mine)
    assert not folder.exists()


def test_runs_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    assert len({new_run(tmp_path) for _ in range(5)}) == 5


def test_runs_stay_in_their_order_when_the_clock_goes_back(tmp_path: Path) -> None:
    ahead = tmp_path / name_of("20990101T235959-a")
    ahead.mkdir()
    later = [new_run(tmp_path) for _ in range(3)]

    assert run_folders(tmp_path) == [ahead, *later]
    assert later[0].name.startswith("20990102T000000-")


def test_the_oldest_runs_go(tmp_path: Path) -> None:
    former = [tmp_path / name_of(f"2020010{n // 24 + 1}T{n % 24:02}0000-a") for n in range(52)]
    for folder in former:
        write(folder / RECORD, "{}")
    mine = [
        write(tmp_path / "0-notes.txt", "not a run"),
        write(tmp_path / "00000000T000000-notes" / RECORD, "no run's"),
        write(former[0] / "notes.txt", "what I think of this run"),
    ]
    folder = new_run(tmp_path)
    retire_runs(tmp_path)

    assert run_folders(tmp_path) == [former[0], *former[3:], folder]
    assert len(run_folders(tmp_path)) == history._KEPT_RUNS + 1
    assert sorted(former[0].iterdir()) == [mine[2]]
    assert all(path.exists() for path in mine)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    runs = write(tmp_path / "runs", "a file")

    with pytest.raises(
        StorageError, match=r"Making the run's folder in .* failed: Not a directory"
    ):
        new_run(runs)


def test_a_record_is_kept_as_json(tmp_path: Path) -> None:
    step = StepRecord("one", peak_bytes=5, seconds=0.5)
    segment = SegmentRecord("s01", "ran", 1, 5, 0.5, 7, steps=[step])
    record = RunRecord("demo", segments=[segment], outputs={"x": "data/x.parquet"})
    write_record(tmp_path, record)
    kept = json.loads((tmp_path / RECORD).read_text())

    assert kept == record.as_json()
    assert kept["segments"] == [
        {
            "name": "s01",
            "status": "ran",
            "parts": 1,
            "peak_bytes": 5,
            "seconds": 0.5,
            "bytes_written": 7,
            "cuts": [],
            "steps": [asdict(step)],
            "writes": [],
            "executor": "",
            "budget_bytes": 0,
            "applications": [],
            "reused_steps": [],
            "accepted": [],
        }
    ]
    assert datetime.fromisoformat(kept["started_at"]).tzinfo is not None


def test_only_a_run_that_failed_has_an_error(tmp_path: Path) -> None:
    assert "error" not in RunRecord("demo").as_json()
    assert RunRecord("demo", error={"kind": "storage"}).as_json()["error"] == {"kind": "storage"}


def test_a_record_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"Writing the run's record in .* failed"):
        write_record(tmp_path / "missing", RunRecord("demo"))
