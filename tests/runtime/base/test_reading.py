"""Small files are read within bounds, and what lies in their place is refused by name."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.reading import (
    open_file,
    parse_toml,
    read_bytes,
    read_json,
    read_toml,
)
from flight_delays.checkpointing.base.refusals import Unreadable

from ..builders import write


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.json", '{"a": [1, -2.5, "\\udcff", null], "big": 18446744073709551615}'
    )

    assert read_json(path) == {"a": [1, -2.5, "\udcff", None], "big": 2**64 - 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ("[" * 300 + "]" * 300, "nested too deep"),
        (f"[{'9' * 10_000}]", "is a number of more than 20 digits"),
        ("[NaN]", "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("[1e999]", "1e999 is larger than any number"),
    ],
)
def test_json_without_bounds_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why) as caught:
        read_json(write(tmp_path / "x.json", text))
    assert len(str(caught.value)) < 400


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\xff\x00\xfe")

    for read in (read_json, read_toml):
        with pytest.raises(Unreadable, match="can't decode"):
            read(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a." * 5_000 + "b = 1", "names more than 100 levels"),
        ('"a" . ' * 5_000 + "b = 1", "names more than 100 levels"),
        ("[" + "a." * 500_000 + "b]", r"it has 10\d+ characters"),
        ("x = " + "[" * 5_000, "nested deeper than 100 levels"),
        ("x = " + "[" * 300 + "]" * 300, "nested deeper than 100 levels|nested deeper"),
        ("x = " + "{a=" * 5_000, "nested deeper than 100 levels"),
        ("\nx = " + "9" * 100_000, r"a number has too many digits \(at line 2\)"),
        ("x = 0x" + "f" * 400, "`x` is a number of more than 1000 bits"),
        ("[params]\n" + "a" * 100_000 + " = 1", "the name `a+ … .* … a+` has more than 1000"),
        ("x = = 1", r"Invalid value \(at line 1, column 5\)"),
    ],
)
def test_toml_without_bounds_is_refused(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why) as caught:
        parse_toml(text)
    assert len(str(caught.value)) < 400


def test_toml_within_bounds_is_data() -> None:
    text = "a.b.c = [[1, 2], [3]]\nlong = '" + "word. " * 1_000 + "'\nseed = " + str(2**128)

    assert parse_toml(text)["a"] == {"b": {"c": [[1, 2], [3]]}}
    assert parse_toml(text)["seed"] == 2**128


def test_a_pipe_a_device_a_socket_or_a_folder_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    folder = os.open(tmp_path, os.O_RDONLY)  # a socket's path may have 107 characters
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{folder}/socket")
    os.close(folder)
    for name, why in (
        ("pipe", "a pipe, not a file"),
        ("endless", "a device, not a file"),
        ("socket", "no file that can be read"),
    ):
        with pytest.raises(Unreadable, match=why):
            open_file(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "missing")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "12345")

    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(Unreadable, match="it has 5 bytes, 4 are the most"):
        read_bytes(path, 4)
