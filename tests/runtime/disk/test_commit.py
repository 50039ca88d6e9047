"""A checkpoint is committed whole, or the former one stays as it was."""

from __future__ import annotations

import dataclasses
import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.base.files import checksum
from flight_delays.checkpointing.base.names import is_value_name
from flight_delays.checkpointing.codecs import codec_named, format_named
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.hashed import is_sound
from flight_delays.checkpointing.disk.manifest import (
    MANIFEST,
    FileRecord,
    Manifest,
    read_manifest,
)
from flight_delays.checkpointing.disk.store import Store
from flight_delays.checkpointing.disk.sweeping import discard
from flight_delays.checkpointing.disk.value_files import Files, files_of, sure_bytes

from ..builders import JSON, PLENTY, TABLE, commit, table, write

PATH = codec_named("Path")
ARRAY = codec_named("ndarray")
BATCH = codec_named("RecordBatch")
BIG = 10**6  # bytes: more than any full disk of these tests has


def manifest_of(making: Commit, **values: object) -> Manifest:
    """A manifest of values that are written by `making`, each as Arrow."""
    written = {n: making.write(n, v, TABLE, format_named("arrow")) for n, v in values.items()}
    return Manifest("demo", "s01", "key", tuple(written), {}, written, {}, "2026", 0.0)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_exists_from_its_manifest_on(tmp_path: Path) -> None:
    making = Commit(tmp_path / "s01/key", PLENTY)
    manifest = manifest_of(making, flights=table())

    assert read_manifest(making.folder) is None
    making.finish(manifest)
    assert read_manifest(making.folder) == manifest


def test_a_record_tells_what_was_written(tmp_path: Path) -> None:
    making = Commit(tmp_path, PLENTY)
    record = making.write("flights", table(7), TABLE, format_named("arrow"))
    path = tmp_path / record.file

    assert record.file.startswith("flights.")
    assert record.file.endswith(".arrow")
    assert (record.codec, record.format) == ("DataFrame", "arrow")
    assert (record.bytes, record.checksum) == (path.stat().st_size, checksum(path))
    assert record.description["rows"] == 7
    assert record.untouched(tmp_path)
    assert format_named("arrow").read(path, None).equals(table(7))


def test_a_second_commit_of_a_key_does_not_disturb_a_reader_of_the_first(tmp_path: Path) -> None:
    first = Commit(tmp_path, PLENTY)
    first.finish(manifest_of(first, flights=table(5)))
    [former] = tmp_path.glob("flights.*")
    read = format_named("arrow").read(former, None)
    second = Commit(tmp_path, PLENTY)
    manifest = manifest_of(second, flights=table(2))
    second.finish(manifest)

    assert read.equals(table(5))
    assert former.name != manifest.values["flights"].file
    assert names_in(tmp_path) == sorted({MANIFEST, *manifest.entries})


def test_what_was_written_and_is_not_in_the_manifest_goes(tmp_path: Path) -> None:
    making = Commit(tmp_path, PLENTY)
    manifest = manifest_of(making, flights=table())
    making.write("other", table(), TABLE, format_named("arrow"))
    write(making.workdir("page") / "x.html", "")
    making.finish(manifest)

    assert names_in(tmp_path) == sorted([MANIFEST, manifest.values["flights"].file])


def test_an_abandoned_commit_leaves_nothing(tmp_path: Path) -> None:
    making = Commit(tmp_path / "key", PLENTY)
    making.write("flights", table(), TABLE, format_named("arrow"))
    write(making.workdir("page") / "x.html", "")
    making.abandon()

    assert names_in(tmp_path) == []


def test_a_commit_that_writes_nothing_makes_no_folder(tmp_path: Path) -> None:
    Commit(tmp_path / "key", PLENTY).abandon()

    assert names_in(tmp_path) == []


def test_an_abandoned_commit_leaves_what_somebody_else_keeps_in_its_folder(tmp_path: Path) -> None:
    making = Commit(tmp_path / "key", PLENTY)
    making.workdir("page")
    write(tmp_path / "key/notes.txt", "")
    making.abandon()

    assert names_in(tmp_path / "key") == ["notes.txt"]


def test_files_that_a_step_made_are_kept_where_they_are(tmp_path: Path) -> None:
    making = Commit(tmp_path / "key", PLENTY)
    page = write(making.workdir("page") / "deep/x.html", "content")
    record = making.take("page", page, PATH)
    making.finish(Manifest("demo", "s01", "key", (), {}, {}, {"page": record}, "2026", 0.0))

    assert tmp_path / "key" / record.file == page
    assert (record.format, record.codec, record.bytes) == ("path", "Path", 7)
    assert is_sound(tmp_path / "key", record)


def test_a_folder_that_a_step_made_is_kept_whole(tmp_path: Path) -> None:
    making = Commit(tmp_path, PLENTY)
    folder = making.workdir("pages")
    write(folder / "a.html", "123")
    write(folder / "b/c.html", "45")
    record = making.take("pages", folder, PATH)

    assert record.bytes == 5
    assert is_sound(tmp_path, record)
    write(folder / "b/c.html", "46")
    assert not is_sound(tmp_path, record)


def test_files_are_kept_when_a_step_has_resolved_a_link_on_their_way(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    making = Commit(tmp_path / "link/key", PLENTY)
    page = write(making.workdir("page").resolve() / "x.html", "content")

    assert is_sound(tmp_path / "link/key", making.take("page", page, PATH))


def test_files_that_are_gone_are_an_error(tmp_path: Path) -> None:
    making = Commit(tmp_path, PLENTY)
    gone = making.workdir("page") / "gone"

    with pytest.raises(StorageError, match=f"Keeping the files of `page` in {tmp_path} failed: No"):
        making.take("page", gone, PATH)


def test_a_workdir_is_fresh_and_belongs_to_one_step(tmp_path: Path) -> None:
    making = Commit(tmp_path, PLENTY)

    assert making.workdir("page").is_dir()
    with pytest.raises(StorageError, match=r"Making a folder for `page` in .* failed: File exists"):
        making.workdir("page")


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "s01", "a file where a folder should be")

    making = Commit(tmp_path / "s01/key", PLENTY)
    with pytest.raises(StorageError, match=r"Making a checkpoint's folder in .* failed: File exi"):
        making.require_room(1)
    assert (tmp_path / "s01").read_text() == "a file where a folder should be"


def test_a_commit_never_makes_the_folder_of_all_checkpoints_anew(tmp_path: Path) -> None:
    making = Commit(tmp_path / "removed by a person/s01/key", PLENTY)
    with pytest.raises(StorageError, match=r"Making a checkpoint's folder in .* failed: No such"):
        making.workdir("page")
    assert names_in(tmp_path) == []


def test_what_does_not_fit_on_the_disk_is_refused_before_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        Commit(tmp_path, 10**30).require_room(10**20)

    assert caught.value.message.startswith(f"the checkpoint needs 100000000 TB, {tmp_path} has ")
    assert caught.value.message.endswith(
        'Free some room, run `clean --old`, or set format = "parquet" in memory_budget.toml.'
    )


def test_what_is_over_max_disk_is_refused_before_it_is_written(tmp_path: Path) -> None:
    making = Commit(tmp_path, 999)
    making.require_room(999)

    with pytest.raises(StorageError) as caught:
        making.require_room(1000)
    assert caught.value.message == (
        "the checkpoint needs 1 kB, max_disk in memory_budget.toml leaves 999 B. Run "
        "`clean --old`, lower `keep`, or raise max_disk."
    )


def test_only_what_compression_cannot_shrink_is_counted_beforehand() -> None:
    frozen = table(1000)

    arrow, parquet = format_named("arrow"), format_named("parquet")
    assert sure_bytes(frozen, Files(True, True, arrow, arrow)) == frozen.nbytes >= 8000
    assert sure_bytes(frozen, Files(True, True, arrow, parquet)) == frozen.nbytes
    assert sure_bytes(frozen, Files(False, True, None, parquet)) == 0
    assert sure_bytes(frozen, Files(True, False, None, None)) == 0


def test_of_a_slice_only_its_own_rows_are_counted_beforehand() -> None:
    whole = table(100_000)
    arrow = format_named("arrow")
    assert sure_bytes(whole.slice(0, 10), Files(True, False, arrow, None)) <= 10 * 100


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limit files of this process to `size` bytes: the system refuses any further write."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, BIG, dtype=np.uint8)


def batch_of(number: int) -> pa.RecordBatch:
    """A batch of about a megabyte."""
    return pa.record_batch({"n": np.full(BIG // 8, number)})


WRITERS: dict[str, Callable[[Commit], object]] = {
    "arrow": lambda c: c.write("x", table(BIG), TABLE, format_named("arrow")),
    "parquet": lambda c: c.write("x", table(BIG), TABLE, format_named("parquet")),
    "npy": lambda c: c.write("x", ARRAY.freeze(noise()), ARRAY, format_named("npy")),
    "json": lambda c: c.write("x", JSON.freeze("x" * BIG), JSON, format_named("json")),
    "batches": lambda c: c.stream("x", map(batch_of, range(30)), BATCH),
}


def assert_as_committed(store: Store, manifest: Manifest) -> None:
    """The checkpoint exists and is sound, and no other file lies beside it."""
    assert store.find("s01", "key") == manifest
    assert store.damaged(manifest, hash_all=True) == []
    assert names_in(store.path("s01", "key")) == sorted({MANIFEST, *manifest.entries})


@pytest.mark.parametrize("form", WRITERS)
def test_a_failed_write_leaves_the_former_checkpoint_and_nothing_else(
    tmp_path: Path, form: str
) -> None:
    store = Store(tmp_path)
    former = commit(store)
    making = Commit(store.path("s01", "key"), PLENTY)
    with (
        largest_file(64 * 1024),
        pytest.raises(
            StorageError, match=r"Writing `x` in .* failed: File too large\. The file is larger"
        ),
    ):
        WRITERS[form](making)
    making.abandon()

    assert_as_committed(store, former)


def test_a_manifest_that_cannot_be_written_leaves_the_former_checkpoint(tmp_path: Path) -> None:
    store = Store(tmp_path)
    former = commit(store)
    making = Commit(store.path("s01", "key"), PLENTY)
    manifest = manifest_of(making, flights=table(9))
    with (
        largest_file(10),
        pytest.raises(StorageError, match=r"Writing the manifest in .* failed: File too large"),
    ):
        making.finish(manifest)
    making.abandon()

    assert_as_committed(store, former)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.name != "posix" or sys.platform != "linux":
        pytest.skip("mounts a tmpfs")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small disk here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("form", WRITERS)
def test_a_disk_that_fills_up_leaves_the_former_checkpoint_and_nothing_else(
    small_disk: Path, form: str
) -> None:
    store = Store(small_disk)
    former = commit(store)
    making = Commit(store.path("s01", "key"), PLENTY)
    with pytest.raises(StorageError, match=r"failed: No space left on device\. The disk is full: "):
        WRITERS[form](making)
    making.abandon()

    assert_as_committed(store, former)


def test_a_full_disk_refuses_what_does_not_fit_but_can_be_locked_to_clean_it(
    small_disk: Path,
) -> None:
    store = Store(small_disk)
    commit(store)
    (small_disk / "filler").write_bytes(b"x" * os.statvfs(small_disk).f_bavail * 4096)

    making = Commit(store.path("s01", "key"), PLENTY)
    making.require_room(0)
    with pytest.raises(StorageError, match=r"the checkpoint needs 1 B, .* has 0 B free"):
        making.require_room(1)
    with store.lock():
        assert store.clear().bytes > 0


def adopt(tmp_path: Path, allowance: int = PLENTY) -> tuple[Path, FileRecord, FileRecord]:
    """A value and a folder of files, committed under one key and taken over under another."""
    (tmp_path / "s01").mkdir(parents=True)
    former = Commit(tmp_path / "s01" / "former", PLENTY)
    record = former.write("value", table(), TABLE, format_named("arrow"))
    made = former.workdir("pages")
    (made / "inner").mkdir()
    (made / "inner" / "page.txt").write_text("text")
    pages = former.take("pages", made / "inner", PATH)
    new = Commit(tmp_path / "s01" / "new", allowance)
    taken = new.adopt("value", former.folder, record), new.adopt("pages", former.folder, pages)
    assert new.adopt("value", former.folder, record) == taken[0]
    for old, now in zip((record, pages), taken, strict=True):
        assert (now.checksum, now.identity) == (old.checksum, old.identity)
        assert now.untouched(new.folder)
        assert is_sound(new.folder, now)
        assert is_value_name(new.folder, now.file.partition("/")[0])
    return new.folder, *taken


def test_a_value_that_is_taken_over_is_the_same_file_once_more(tmp_path: Path) -> None:
    folder, value, pages = adopt(tmp_path)
    assert (folder / value.file).stat().st_nlink == 2
    assert (folder / pages.file / "page.txt").stat().st_nlink == 2
    used = Store(tmp_path).used_bytes()
    assert used == value.bytes + pages.bytes
    freed = discard(folder)
    assert freed.bytes == 0
    assert Store(tmp_path).used_bytes() == used


def test_where_there_are_no_hard_links_it_is_a_copy_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "link", refuse)
    folder, value, pages = adopt(tmp_path)
    assert (folder / value.file).stat().st_nlink == 1
    assert Store(tmp_path).used_bytes() == 2 * (value.bytes + pages.bytes)
    with pytest.raises(StorageError, match="max_disk"):
        adopt(tmp_path / "other", allowance=10)


def test_a_value_that_its_library_writes_is_a_folder_that_commits_share(tmp_path: Path) -> None:
    def stored(made: list[int], folder: Path) -> None:
        folder.mkdir()
        for number in made:
            name = f"part-{number:05}.parquet"
            pq.write_table(pa.table({"x": [number]}), folder / name)

    codec = dataclasses.replace(codec_named("Table"), name="many", store=stored)
    first, second = (Commit(tmp_path / "s01" / key, PLENTY) for key in "ab")
    (tmp_path / "s01").mkdir()
    record = first.store("value", [0, 1], codec)
    adopted = second.adopt("value", first.folder, record)

    assert record.format == "parquets"
    assert record.description == {"rows": 2, "schema": {"x": "int64"}, "files": 2}
    assert adopted.checksum == record.checksum
    assert is_value_name(second.folder, adopted.file)
    files = files_of(codec, "arrow", kept=True, output=True, suffix=".parquet")
    assert (files.kept, files.output) == (format_named("parquets"),) * 2
    assert format_named("parquets").read(second.folder / adopted.file, None)["x"].to_pylist() == [
        0,
        1,
    ]
    (first.folder / record.file / "part-00001.parquet").write_bytes(b"")
    assert not is_sound(first.folder, record)
    first.discard(record)
    assert list(first.folder.iterdir()) == []


def test_what_a_library_wrote_and_nobody_reads_is_an_error_of_storage(tmp_path: Path) -> None:
    def stored(made: str, folder: Path) -> None:
        folder.mkdir()
        (folder / "part-00000.parquet").write_text(made)

    codec = dataclasses.replace(codec_named("Table"), name="many", store=stored)
    with pytest.raises(StorageError, match=r"of `value` to .* cannot be read back"):
        Commit(tmp_path / "a", PLENTY).store("value", "no Parquet", codec)
