"""What processes that were killed leave at a URL, where no listing shows it, and who removes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.codecs import codec_named
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.manifest import Manifest
from flight_delays.checkpointing.disk.shared.contents import object_name
from flight_delays.checkpointing.disk.shared.store import SharedStore
from flight_delays.checkpointing.disk.store import Store

from ....s3 import S3
from ...builders import PLENTY, commit
from .machines import at, machine, objects_at


def test_a_run_removes_the_beginning_of_a_file_that_a_killed_one_has_left_on_a_disk(
    tmp_path: Path, url: str
) -> None:
    with (store := machine(tmp_path / "here", url)).lock():
        made = store.push(commit(store))
        left = at(url, f"s01/key/{made.values['flights'].file}#1")
        left.write_bytes(b"half")
        mine = at(url, "s01/key/notes.txt#1")
        mine.write_text("mine")
        store.sweep()

    assert not left.exists()
    assert mine.exists()
    assert at(url, f"s01/key/{made.values['flights'].file}").exists()


def test_a_run_removes_what_somebody_wrote_to_learn_the_time_and_was_killed(
    tmp_path: Path, url: str
) -> None:
    with machine(tmp_path / "here", url).lock():
        pass
    old, new = at(url, "lease.json.clock-0001"), at(url, "lease.json.clock-0002")
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    with (store := machine(tmp_path / "here", url)).lock():
        store.sweep()

    assert not old.exists()
    assert new.exists()  # it may be of somebody who is at it


def push_file(store: SharedStore, name: str) -> Manifest:
    """A checkpoint with a folder in which one file has that name."""
    making = Commit(store.path("s01", "key"), PLENTY)
    workdir = making.workdir("pages")
    (workdir / name).parent.mkdir(parents=True, exist_ok=True)
    (workdir / name).write_text("x")
    record = making.take("pages", workdir, codec_named("Path"))
    manifest = Manifest("demo", "s01", "key", (), {}, {"pages": record}, {}, "2026-01-01", 0.0)
    making.finish(manifest)
    return store.push(manifest)


LONG = ["ü" * 100, "año/" + "日本" * 35, "a b#%41 é"]


@pytest.mark.parametrize("name", LONG)
def test_letters_of_any_language_take_no_more_room_than_on_a_disk(
    here: SharedStore, there: SharedStore, name: str
) -> None:
    made = push_file(here, name)
    there.refresh()
    there.bring(made, made.values)

    assert (there.path("s01", "key") / made.values["pages"].file / name).read_text() == "x"


def test_letters_of_any_language_come_back_from_s3(
    tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, text in s3.environment().items():
        monkeypatch.setenv(variable, text)
    url = f"{s3.bucket()}/x"
    with (store := machine(tmp_path / "here", url)).lock():
        made = push_file(store, "/".join(LONG))
    other = machine(tmp_path / "there", url)
    other.refresh()
    other.bring(made, made.values)

    assert (other.path("s01", "key") / made.values["pages"].file / "/".join(LONG)).exists()
    assert "ü" * 100 in "".join(objects_at(url))


def test_a_name_that_is_too_long_is_refused_in_words_and_a_shorter_one_is_sent(
    tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, text in s3.environment().items():
        monkeypatch.setenv(variable, text)
    url = f"{s3.bucket()}/x"
    with (
        (store := machine(tmp_path / "here", url)).lock(),
        pytest.raises(StorageError, match=r"bytes, with the folders before it, and 1,024"),
    ):
        push_file(store, "/".join(["a" * 200] * 6))
    assert objects_at(url) == {}
    with (store := machine(tmp_path / "here", url)).lock():
        push_file(store, "short")
        assert Store.all_of(store, "s01")


def test_on_a_disk_each_part_of_a_name_has_its_most(here: SharedStore) -> None:
    with pytest.raises(StorageError, match=r"251 bytes and 240 is the most"):
        push_file(here, "#" * 83 + "ab")


def test_bytes_that_are_no_text_have_a_name_of_plain_letters() -> None:
    assert object_name("\udcff ü") == "%FF%20ü"
