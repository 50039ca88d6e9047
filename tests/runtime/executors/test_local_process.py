"""The executor `local` by itself: what it starts, and what it says if it cannot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil
import pytest
from flight_delays.checkpointing.base.elsewhere import ExecutorTable
from flight_delays.checkpointing.base.errors import ExecutorError
from flight_delays.checkpointing.executors.interface import Task
from flight_delays.checkpointing.executors.local import Local

from ..builders import link, write

TABLE = ExecutorTable.model_validate({"kind": "local", "memory": "1 GB", "time_limit": "1 min"})


@pytest.fixture
def executor(tmp_path: Path) -> Local:
    return Local("trainer", TABLE, tmp_path / "it's here" / "executors")


def task(tmp_path: Path, *command: str) -> Task:
    return Task("cp-1", write(tmp_path / "code/note.txt", "sent").parent, command, 60)


def test_a_place_can_be_ended_by_hand_wherever_it_lies(executor: Local, tmp_path: Path) -> None:
    said: list[str] = []
    assert executor.run(task(tmp_path, "cat", "note.txt"), said.append) == 0
    assert (said, [living.place for living in executor.living()]) == (["sent"], ["cp-1"])
    # Its process has ended, so `kill` has nothing to do.
    subprocess.run(executor.by_hand("cp-1"), shell=True, check=True, stderr=subprocess.DEVNULL)
    assert executor.living() == []
    assert list((tmp_path / "it's here" / "executors").iterdir()) == []


def test_a_program_that_is_not_there_is_an_error_of_the_executor(
    executor: Local, tmp_path: Path
) -> None:
    with pytest.raises(ExecutorError, match=r"cp-1 cannot be made: .*no-such-program"):
        executor.run(task(tmp_path, "no-such-program"), print)
    executor.destroy("cp-1")


def test_a_process_of_which_no_note_can_be_written_is_ended(
    executor: Local, tmp_path: Path
) -> None:
    before = psutil.Process().children()  # of other tests
    (tmp_path / "it's here" / "executors" / "cp-1" / "process.json").mkdir(parents=True)
    with pytest.raises(ExecutorError, match=r"cp-1 cannot be made: .*process\.json"):
        executor.run(task(tmp_path, "sleep", "60"), print)
    assert [child for child in psutil.Process().children() if child not in before] == []


def test_code_that_cannot_be_copied_is_named_in_words(executor: Local, tmp_path: Path) -> None:
    sent = task(tmp_path, "true")
    link(sent.folder / "odd.csv", "/proc/self/mem")
    with pytest.raises(ExecutorError, match=r"cp-1 cannot be made: \[Errno 5\] [^()]*$"):
        executor.run(sent, print)
