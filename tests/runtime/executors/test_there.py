"""The process that runs a segment elsewhere: its end, its result, and what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flight_delays.checkpointing.executors.storage import RESULT, open_storage
from flight_delays.checkpointing.run.errand import Outcome, outcome_of
from flight_delays.checkpointing.run.record import SegmentRecord
from flight_delays.checkpointing.run.there import TIMED_OUT, Teller, write_result

from ..conftest import until

LIMITED = """
import time
from flight_delays.checkpointing.run import there
there._LAST_WORD_SECONDS = 0.1
there.end_after(0.01)
time.sleep(60)
"""


@pytest.mark.parametrize("listener", ["none", "full"])
def test_the_time_limit_holds_when_nobody_takes_the_last_word(listener: str) -> None:
    reading, writing = os.pipe()
    if listener == "none":
        os.close(reading)
    else:
        os.set_blocking(writing, False)
        for count in (1 << 16, 1):  # not a byte more fits
            try:
                while True:
                    os.write(writing, b"x" * count)
            except BlockingIOError:
                continue
        os.set_blocking(writing, True)
    done = subprocess.run([sys.executable, "-c", LIMITED], stdout=writing, timeout=50, check=False)
    assert done.returncode == TIMED_OUT
    os.close(writing)
    if listener != "none":
        os.close(reading)


def outcome(*, failed: bool, seconds: float = 0.0) -> Outcome:
    record = SegmentRecord("s01", "failed" if failed else "ran", seconds=seconds)
    return Outcome("key", record, error={"kind": "step_failed"} if failed else None)


@pytest.mark.parametrize(
    ("former", "latter", "kept"),
    [
        (outcome(failed=True), outcome(failed=False), 1),
        (outcome(failed=True), outcome(failed=True, seconds=1), 1),
        (outcome(failed=False), outcome(failed=False, seconds=1), 1),
        (outcome(failed=False), outcome(failed=True), 0),
    ],
    ids=["success after failure", "failures", "successes", "failure after success"],
)
def test_of_an_errand_that_was_started_twice_no_success_is_lost(
    tmp_path: Path, former: Outcome, latter: Outcome, kept: int
) -> None:
    storage = (tmp_path / "storage").as_uri()
    for each in (former, latter):
        write_result(storage, each)
    assert outcome_of(open_storage(storage).read(RESULT)[0]) == (former, latter)[kept]


def test_a_result_that_was_cut_short_makes_room(tmp_path: Path) -> None:
    storage = (tmp_path / "storage").as_uri()
    open_storage(storage).create(RESULT, outcome(failed=False).text().encode()[:50])
    write_result(storage, outcome(failed=True))
    assert outcome_of(open_storage(storage).read(RESULT)[0]) == outcome(failed=True)


def test_what_steps_print_comes_once_and_in_order_also_without_line_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, came = tmp_path / "run.log", list[str]()

    def text() -> str:
        came.append(capsys.readouterr().out)
        return "".join(came)

    with Teller(log).following():
        lines = "".join(f"line {number} {'x' * 100}\n" for number in range(30_000))
        log.write_text(lines)
        until(lambda: text() == lines, "the lines")
        with open(log, "a") as file:
            file.write("y" * (1 << 20) + "the rest")
        until(lambda: text() == f"{lines}{'y' * (1 << 20)}\n", "a line that has not ended")
    assert text().removeprefix(lines).splitlines()[1:] == ["the rest"]
