"""What the system refuses has a remedy that fits it, and the kind of error that it is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import (
    BudgetExceeded,
    ConfigurationError,
    Internal,
    StorageError,
    as_ours,
)
from flight_delays.checkpointing.base.refusals import Unreadable, refusal_of, remedy_of

OF_THE_DISK = {errno.EIO, errno.EUCLEAN, errno.ENODEV}


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_only_what_is_the_disk_sends_a_person_to_the_disk(number: int) -> None:
    remedy = remedy_of(OSError(number, os.strerror(number)))

    assert remedy.endswith(".")
    assert ("Check the disk" in remedy) == (number in OF_THE_DISK)


def test_each_common_refusal_has_a_remedy_of_its_own() -> None:
    common = (
        "ENOSPC EDQUOT EACCES EROFS EMFILE ENFILE ENAMETOOLONG ELOOP EIO ESTALE ENOTDIR EISDIR "
        "EXDEV EMLINK EPIPE ENOENT EEXIST EFBIG ENOMEM EAGAIN"
    )
    remedies = [remedy_of(OSError(getattr(errno, name), "")) for name in common.split()]

    assert len(set(remedies)) == len(remedies)
    assert remedy_of(OSError("odd")) not in remedies


def test_a_refusal_names_its_path() -> None:
    assert refusal_of(OSError(errno.EACCES, "Permission denied", "/x")) == "Permission denied: /x"
    assert refusal_of(OSError(errno.EACCES, "Permission denied", b"/\xff")).endswith("/\udcff")
    assert refusal_of(OSError(errno.EBADF, "Bad file descriptor", 5)) == "Bad file descriptor"
    assert refusal_of(Unreadable("it is a pipe", Path("/x"))) == "/x: it is a pipe"
    assert refusal_of(OSError()) == "OSError"


def test_any_exception_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ours = ConfigurationError("x")

    assert as_ours(ours) is ours
    refused = as_ours(OSError(errno.EMFILE, "Too many open files", "/x"))
    assert isinstance(refused, StorageError)
    assert refused.message.startswith("Too many open files: /x. This process has too many files")
    assert isinstance(as_ours(MemoryError()), BudgetExceeded)
    no_thread = as_ours(RuntimeError("can't start new thread"))
    assert isinstance(no_thread, StorageError)
    assert "`ulimit -u`" in no_thread.message


def test_a_bug_is_one_line_and_its_traceback_is_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    known: dict[str, int] = {}
    try:
        known["missing \udcff" * 1000]
    except KeyError as error:
        bug = as_ours(error)
    [kept] = tmp_path.iterdir()

    assert isinstance(bug, Internal)
    assert (bug.kind, bug.exit_code) == ("internal", 1)
    assert bug.message.startswith("this is a bug of the runtime (KeyError: ")
    assert bug.message.endswith(f"Report it with the traceback in {kept}.")
    assert len(bug.message) < 500
    assert "test_refusals.py" in kept.read_text()


def test_a_bug_whose_traceback_no_file_takes_is_told_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))

    assert "ZeroDivisionError" in as_ours(ZeroDivisionError("x")).details["traceback"]
