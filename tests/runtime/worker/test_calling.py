"""What cannot be made from a frozen form is damage only if its file is not what was committed."""

from __future__ import annotations

from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import CheckpointingError, InexactValue, StorageError
from flight_delays.checkpointing.codecs import format_named
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.store import Damaged
from flight_delays.checkpointing.worker.calling import thawing
from flight_delays.checkpointing.worker.messages import Source

from ..builders import JSON, PLENTY


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """The file of a value in a checkpoint of the segment `s01`."""
    folder = tmp_path / "s01" / "key"
    record = Commit(folder, PLENTY).write("made", b"[1, 2]", JSON, format_named("json"))
    return Source(folder, record, verify=False)


def outcome(source: Source | None, error: Exception) -> Exception:
    """What an error becomes that a codec raises."""
    try:
        with thawing("made", source):
            raise error
    except Exception as raised:
        return raised
    raise AssertionError("no error came out")


def test_an_error_over_a_sound_file_is_one_of_what_is_asked_of_it(source: Source) -> None:
    error = outcome(source, KeyError("no such thing"))
    assert isinstance(error, InexactValue)
    assert error.step is None, "the step that asks is named"
    assert "('no such thing'), though its file is as it was committed" in error.message
    assert "make it anew: `run --rerun-from s01`" in error.message


@pytest.mark.parametrize("change", [b"[1, 3]", None])
def test_an_error_over_a_changed_or_absent_file_is_damage(
    source: Source, change: bytes | None
) -> None:
    source.path.unlink()
    if change is not None:
        source.path.write_bytes(change)
    error = outcome(source, KeyError("no such thing"))
    assert isinstance(error, Damaged)
    assert str(error) == "made"


def test_an_error_over_a_value_that_is_in_memory_names_the_step_that_made_it() -> None:
    error = outcome(None, TypeError("no way"))
    assert isinstance(error, InexactValue)
    assert error.step == "made"
    assert "is of a kind that no checkpoint gives back (no way)" in error.message


@pytest.mark.parametrize("error", [StorageError("the disk is full"), MemoryError()])
def test_errors_that_say_what_is_wrong_stay_as_they_are(
    source: Source, error: CheckpointingError | MemoryError
) -> None:
    assert outcome(source, error) is error
