"""A manifest makes a checkpoint: it is read as it was written, or found damaged."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.base.files import stamp, total_bytes
from flight_delays.checkpointing.disk.manifest import (
    MANIFEST,
    FileRecord,
    Manifest,
    note_of,
    read_manifest,
    with_noted,
)
from flight_delays.checkpointing.disk.store import Store
from hypothesis import given, settings
from hypothesis import strategies as st

from ..builders import commit, write

RECORD = FileRecord("x.1.arrow", "DataFrame", "arrow", 10, "abc", 1, 2, {"rows": 3})


def manifest(
    values: dict[str, FileRecord] | None = None, outputs: dict[str, FileRecord] | None = None
) -> Manifest:
    return Manifest(
        pipeline="demo",
        segment="s01",
        key="key",
        steps=("one", "two"),
        ingredients={"params": {"least": "10", "name": "'ü \ud800'"}},
        values={"x": RECORD} if values is None else values,
        outputs={"y": replace(RECORD, file="y")} if outputs is None else outputs,
        committed_at="2026-01-01T00:00:00.000000+00:00",
        seconds=1.25,
    )


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    manifest().write(tmp_path)

    assert read_manifest(tmp_path) == manifest()
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_a_manifest_takes_the_place_of_the_former(tmp_path: Path) -> None:
    manifest().write(tmp_path)
    replace(manifest(), key="another").write(tmp_path)

    assert read_manifest(tmp_path) == replace(manifest(), key="another")


def test_without_a_manifest_there_is_no_checkpoint(tmp_path: Path) -> None:
    write(tmp_path / "x.1.arrow", "a file that was never committed")

    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "missing") is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", "{}", '{"checksum": "1"}', '{"checksum": "1", "key": 3}', "\xff"],
)
def test_what_is_no_manifest_is_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode("latin-1"))

    with pytest.raises(StorageError, match=rf"{tmp_path}/{MANIFEST} is damaged: "):
        read_manifest(tmp_path)


def test_a_manifest_that_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()

    with pytest.raises(StorageError, match=r"is damaged: .*Is a directory"):
        read_manifest(tmp_path)


def test_a_manifest_without_one_of_its_fields_is_damaged(tmp_path: Path) -> None:
    manifest().write(tmp_path)
    content = json.loads((tmp_path / MANIFEST).read_text())
    del content["seconds"]
    (tmp_path / MANIFEST).write_text(json.dumps(content))

    with pytest.raises(StorageError, match="is damaged: its checksum does not match"):
        read_manifest(tmp_path)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Manifest, Path]:
    """A real checkpoint; each test damages a copy of it."""
    store = Store(tmp_path_factory.mktemp("checkpoints"))
    return store, commit(store), tmp_path_factory.mktemp("copies")


def copied(checkpoint: tuple[Store, Manifest, Path]) -> tuple[Store, Path]:
    """A copy of the store as it was, times included, and the folder of its checkpoint."""
    store, made, copies = checkpoint
    shutil.rmtree(copies)
    shutil.copytree(store.folder, copies)
    return Store(copies), Store(copies).path(made.segment, made.key)


@settings(deadline=None)
@given(place=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_changed_byte_of_a_file_is_found(
    checkpoint: tuple[Store, Manifest, Path], place: int, flip: int
) -> None:
    store, folder = copied(checkpoint)
    path = folder / checkpoint[1].values["flights"].file
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= flip
    stat = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as a failing disk would do it
    manifest = store.find("s01", "key")

    assert manifest is not None
    assert store.damaged(manifest, hash_all=True) == ["flights"]


@settings(deadline=None)
@given(place=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_changed_byte_of_a_manifest_is_found_or_changes_nothing(
    checkpoint: tuple[Store, Manifest, Path], place: int, flip: int
) -> None:
    _, folder = copied(checkpoint)
    content = bytearray((folder / MANIFEST).read_bytes())
    content[place % len(content)] ^= flip
    (folder / MANIFEST).write_bytes(content)
    with contextlib.suppress(StorageError):
        assert read_manifest(folder) == checkpoint[1]  # another kind of space, say


@settings(deadline=None, max_examples=30)
@given(length=st.integers(0, 10**6))
def test_a_manifest_that_was_cut_short_is_found(
    checkpoint: tuple[Store, Manifest, Path], length: int
) -> None:
    _, folder = copied(checkpoint)
    content = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(content[: length % len(content)])

    with pytest.raises(StorageError, match="is damaged"):
        read_manifest(folder)


def test_a_value_is_found_among_the_values_before_the_outputs() -> None:
    other = replace(RECORD, file="other")
    made = manifest(values={"x": RECORD, "z": RECORD}, outputs={"x": other, "y": other})

    assert made.record_with("x", ()) == RECORD
    assert made.record_with("y", ("a",)) == other
    assert made.record_with("nothing", ()) is None


def test_a_manifest_counts_all_its_files() -> None:
    other = replace(RECORD, file="folder/x", bytes=5)
    made = manifest(values={"x": RECORD}, outputs={"x": other, "y": RECORD})

    assert made.records() == [("x", RECORD), ("x", other), ("y", RECORD)]
    assert made.entries == {RECORD.file, "folder"}
    assert made.bytes == 15  # what is both a value and an output is one file


def record_of(path: Path, form: str = "arrow") -> FileRecord:
    return FileRecord(path.name, "DataFrame", form, total_bytes(path), "abc", *stamp(path))


def test_a_file_is_untouched_until_its_stat_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "123")
    record = record_of(path)
    assert record.untouched(tmp_path)

    os.utime(path, ns=(1, 1))
    assert not record.untouched(tmp_path)


def test_a_file_of_another_size_was_touched_even_at_the_same_time(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "123")
    record = record_of(path)
    path.write_text("1234")
    os.utime(path, ns=(record.mtime_ns, record.mtime_ns))

    assert not record.untouched(tmp_path)


def test_another_file_in_its_place_was_touched(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "123")
    record = record_of(path)
    other = write(tmp_path / "other", "456")
    os.utime(other, ns=(record.mtime_ns, record.mtime_ns))
    os.replace(other, path)

    assert not record.untouched(tmp_path)


def test_a_missing_file_was_touched(tmp_path: Path) -> None:
    assert not RECORD.untouched(tmp_path)


def test_a_folder_is_untouched_until_one_of_its_files_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "x/deep/y", "123")
    record = record_of(tmp_path / "x", "path")
    assert record.untouched(tmp_path)

    os.utime(path, ns=(record.mtime_ns + 1, record.mtime_ns + 1))
    assert not record.untouched(tmp_path)


def test_a_folder_with_one_more_file_was_touched(tmp_path: Path) -> None:
    folder = write(tmp_path / "x/y", "123").parent
    record = record_of(folder, "path")
    write(folder / "more", "4")

    assert not record.untouched(tmp_path)


def test_of_a_journal_a_line_that_is_not_whole_does_not_count(tmp_path: Path) -> None:
    """A power cut may leave half a line, which is no item; another worker's may come after it."""
    place = Store(tmp_path / "demo")
    first = commit(place, "k1")
    record = first.values["flights"]
    found = {key: {f"late_{key}": (f"late_{key}.py", "digest")} for key in "abcd"}
    lines = [note_of(f"monthly.{key}", key, record, None, found[key]) for key in "abcd"]
    folder = place.path("s01", "k1")
    lines[2] = lines[2][:-30] + "\n"
    (folder / "items.jsonl").write_text("".join(lines))
    noted = with_noted(folder, replace(first, journal="items.jsonl"))
    assert noted.item_keys == {"monthly.a": "a", "monthly.b": "b", "monthly.d": "d"}
    assert noted.values == first.values | dict.fromkeys(noted.item_keys, record)
    assert noted.further == first.further | found["a"] | found["b"] | found["d"]
