"""The files that a step made are whole: nothing in them leads elsewhere or is no file."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.base.files import checksum, copy_durably, total_bytes
from flight_delays.checkpointing.codecs import require_whole

from ..builders import link, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as a step returns it, in its workdir."""
    write(tmp_path / "work/made/pages/one.txt", "one")
    write(tmp_path / "work/beside.txt", "beside")
    return tmp_path / "work/made"


def make_socket(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as short:  # a socket's path has at most 107 bytes
        where = Path(short) / "socket"
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(where))
            where.rename(folder / "socket")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a dangling link": (lambda f: link(f / "pages/x", "gone"), "'pages/x'.*nothing"),
    "a link to itself": (lambda f: link(f / "x", "x"), "'x'.*nothing"),
    "a link out of the folder": (lambda f: link(f / "x", "../beside.txt"), "'x'.*copy the file"),
    "an absolute link within": (
        lambda f: link(f / "x", f / "pages/one.txt"),
        "'x' in the folder.*relative path",
    ),
    "a link to a folder": (lambda f: link(f / "x", "pages"), "'x'.*no file"),
    "a pipe": (lambda f: os.mkfifo(f / "pages/pipe"), "'pages/pipe'.*special file"),
    "a socket": (make_socket, "'socket'.*special file"),
    "a name with a line break": (lambda f: link(f / "a\nb", "gone"), r"'a\\nb'.*nothing"),
    "a name that is no UTF-8": (
        lambda f: link(f / os.fsdecode(b"\xff"), "gone"),
        r"'\\udcff'.*nothing",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_not_be_the_same_in_a_checkpoint_is_refused_by_its_name(
    folder: Path, case: str
) -> None:
    make, message = REFUSED[case]
    require_whole(folder)
    make(folder)

    with pytest.raises(InexactValue, match=message) as caught:
        require_whole(folder)
    caught.value.message.encode()


def test_a_special_file_is_no_value(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InexactValue, match="special file"):
        require_whole(tmp_path / "pipe")


def test_a_link_to_a_file_within_counts_as_that_file_wherever_the_folder_is(
    folder: Path, tmp_path: Path
) -> None:
    link(folder / "latest.txt", "pages/one.txt")
    link(folder / "pages/again.txt", "../latest.txt")
    require_whole(folder)
    copy_durably(folder, tmp_path / "copy")
    folder.rename(tmp_path / "moved")

    assert total_bytes(tmp_path / "moved") == total_bytes(tmp_path / "copy") == 9
    assert checksum(tmp_path / "moved") == checksum(tmp_path / "copy")


def test_files_of_any_name_are_hashed_by_it(tmp_path: Path) -> None:
    names = [b"\xff", b"\xfe", "é".encode(), b"a\nb", b"-rf", b"A", b"a", b"x" * 255, b" ", b"\\"]
    sums = set()
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        write(folder / os.fsdecode(name), "same")
        require_whole(folder)
        sums.add(checksum(folder))

    assert len(sums) == len(names)
