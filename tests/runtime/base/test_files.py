"""Files that last: hashed while written, replaced at once or not at all."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
import xxhash
from flight_delays.checkpointing.base import files
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.base.files import (
    HashingFile,
    checksum,
    create_text,
    publish,
    replace_text,
)
from flight_delays.checkpointing.base.interrupts import called_off_by
from hypothesis import given
from hypothesis import strategies as st

from ..builders import write


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(chunks=st.lists(st.binary(max_size=50)))
def test_a_file_is_hashed_and_counted_while_it_is_written(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("hashing") / "x"
    file = HashingFile(path)
    positions = []
    for chunk in chunks:
        assert file.write(memoryview(chunk)) == len(chunk)
        file.flush()
        positions.append(file.tell())
    digest = file.finish()
    content = b"".join(chunks)

    assert path.read_bytes() == content
    assert file.bytes == len(content)
    assert positions[-1:] == ([len(content)] if chunks else [])
    assert digest == xxhash.xxh3_128_hexdigest(content) == checksum(path)


def test_what_is_written_may_have_items_larger_than_a_byte(tmp_path: Path) -> None:
    file = HashingFile(tmp_path / "x")
    numbers = memoryview(bytearray(b"abcdefgh")).cast("I")

    assert file.write(numbers) == 8
    file.finish()
    assert (tmp_path / "x").read_bytes() == b"abcdefgh"


def test_a_hashing_file_is_for_writing_alone_and_closed_at_the_end(tmp_path: Path) -> None:
    file = HashingFile(tmp_path / "x")

    assert (file.writable(), file.readable(), file.seekable()) == (True, False, False)
    assert not file.closed
    file.finish()
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.write(b"more")


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "x", "former")

    with pytest.raises(FileExistsError):
        HashingFile(tmp_path / "x")
    assert (tmp_path / "x").read_text() == "former"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_write_to_a_full_disk_is_an_error(tmp_path: Path) -> None:
    file = HashingFile(tmp_path / "x")
    file._file.close()
    file._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115

    with pytest.raises(OSError, match="No space left"):
        file.write(b"x")


def test_large_files_are_hashed_whole(tmp_path: Path) -> None:
    content = os.urandom(files._CHUNK) + b"the rest"
    (tmp_path / "x").write_bytes(content)

    assert checksum(tmp_path / "x") == xxhash.xxh3_128_hexdigest(content)


def test_a_folder_is_hashed_with_the_names_of_its_files(tmp_path: Path) -> None:
    original, same, renamed, moved, exchanged, fewer = (tmp_path / name for name in "abcdef")
    for folder in (original, same):
        write(folder / "x", "1")
        write(folder / "inner/y", "2")
    write(renamed / "z", "1")
    write(renamed / "inner/y", "2")
    write(moved / "x", "1")
    write(moved / "y", "2")
    write(exchanged / "x", "2")
    write(exchanged / "inner/y", "1")
    write(fewer / "x", "1")

    assert checksum(original) == checksum(same)
    assert len({checksum(f) for f in (original, renamed, moved, exchanged, fewer)}) == 5


def test_the_size_of_a_folder_is_that_of_all_its_files(tmp_path: Path) -> None:
    write(tmp_path / "x", "123")
    write(tmp_path / "inner/y", "4567")

    assert files.total_bytes(tmp_path) == 7
    assert files.total_bytes(tmp_path / "x") == 3
    assert files.files_in(tmp_path) == [tmp_path / "inner/y", tmp_path / "x"]


def test_the_stamp_of_a_folder_is_that_of_the_newest_in_it(tmp_path: Path) -> None:
    path = write(tmp_path / "inner/y", "4567")
    for entry, moment in ((path, 3), (path.parent, 2), (tmp_path, 1)):
        os.utime(entry, ns=(moment, moment))

    assert files.stamp(tmp_path) == (3, tmp_path.stat().st_ino)
    assert files.stamp(path) == (3, path.stat().st_ino)


def test_text_is_replaced_and_nothing_else_stays(tmp_path: Path) -> None:
    replace_text(tmp_path / "x", "first")
    replace_text(tmp_path / "x", "second ü")

    assert (tmp_path / "x").read_text(encoding="utf-8") == "second ü"
    assert names_in(tmp_path) == ["x"]


def test_text_that_is_no_utf_8_is_written_as_a_person_can_read_it(tmp_path: Path) -> None:
    replace_text(tmp_path / "x", "a lone surrogate \udcff")

    assert (tmp_path / "x").read_text() == "a lone surrogate \\udcff"
    assert names_in(tmp_path) == ["x"]


def test_a_reader_of_the_former_text_is_not_disturbed(tmp_path: Path) -> None:
    replace_text(tmp_path / "x", "former")
    with open(tmp_path / "x") as reader:
        replace_text(tmp_path / "x", "new")

        assert reader.read() == "former"


def test_a_file_is_published_to_a_folder_that_is_made(tmp_path: Path) -> None:
    source = write(tmp_path / "source", "content")
    publish(source, tmp_path / "deep/out/x")

    assert (tmp_path / "deep/out/x").read_text() == "content"
    assert names_in(tmp_path / "deep/out") == ["x"]
    assert source.exists()


@pytest.mark.parametrize("made", ["file", "folder"])
@pytest.mark.parametrize("former", ["file", "folder"])
def test_what_is_published_takes_the_place_of_what_was_there(
    tmp_path: Path, former: str, made: str
) -> None:
    target = tmp_path / "out/x"
    write(target if former == "file" else target / "former", "former")
    source = write(tmp_path / "made/new", "new")
    publish(source if made == "file" else source.parent, target)

    assert names_in(target.parent) == ["x"]
    assert target.is_file() == (made == "file")
    if made == "folder":
        assert names_in(target) == ["new"]


def test_what_is_about_to_be_published_is_announced_while_the_former_is_there(
    tmp_path: Path,
) -> None:
    target = write(tmp_path / "out/x", "former")
    seen = []
    publish(
        write(tmp_path / "source", "new"),
        target,
        lambda copy: seen.append((copy.read_text(), target.read_text())),
    )

    assert seen == [("new", "former")]
    assert target.read_text() == "new"


@pytest.mark.parametrize("former", ["file", "folder"])
def test_what_is_refused_when_it_is_announced_leaves_what_was_there(
    tmp_path: Path, former: str
) -> None:
    def refuse(copy: Path) -> None:
        raise KeyError(copy)

    target = tmp_path / "out/x"
    write(target if former == "file" else target / "former", "former")
    with pytest.raises(KeyError):
        publish(write(tmp_path / "made/new", "new").parent, target, refuse)

    assert names_in(target.parent) == ["x"]
    assert target.is_file() or names_in(target) == ["former"]


def test_a_folder_is_published_whole(tmp_path: Path) -> None:
    write(tmp_path / "source/a", "1")
    write(tmp_path / "source/inner/b", "2")
    write(tmp_path / "out/x/former", "former")
    publish(tmp_path / "source", tmp_path / "out/x")

    assert names_in(tmp_path / "out/x") == ["a", "inner"]
    assert (tmp_path / "out/x/inner/b").read_text() == "2"
    assert names_in(tmp_path / "out") == ["x"]


def test_what_cannot_be_published_leaves_what_was_there(tmp_path: Path) -> None:
    write(tmp_path / "out/x", "former")

    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "missing", tmp_path / "out/x")
    assert (tmp_path / "out/x").read_text() == "former"
    assert names_in(tmp_path / "out") == ["x"]


def test_removing_takes_files_folders_and_links_but_not_what_they_link_to(tmp_path: Path) -> None:
    kept = write(tmp_path / "kept/y", "")
    write(tmp_path / "folder/inner/x", "")
    write(tmp_path / "file", "")
    (tmp_path / "link").symlink_to(kept.parent)
    for name in ("folder", "file", "link", "missing"):
        files.remove(tmp_path / name)

    assert names_in(tmp_path) == ["kept"]
    assert kept.exists()


def test_a_text_is_created_once_and_stays(tmp_path: Path) -> None:
    create_text(tmp_path / "x", "first")
    create_text(tmp_path / "x", "second")

    assert (tmp_path / "x").read_text() == "first"
    assert names_in(tmp_path) == ["x"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "The disk is full: free some room, or lower `keep` in memory_budget.toml"),
        (errno.EDQUOT, "Your disk quota is used up"),
        (errno.EACCES, "Check who owns the folder"),
        (errno.EROFS, "The file system is read-only."),
        (errno.EIO, "Check the disk and run again."),
    ],
)
def test_an_error_of_the_system_says_what_was_done_where_and_what_to_do(
    tmp_path: Path, number: int, remedy: str
) -> None:
    with (
        pytest.raises(StorageError) as caught,
        files.storage_errors("Writing `x`", tmp_path),
    ):
        raise OSError(number, os.strerror(number))
    message = caught.value.message

    assert message.startswith(f"Writing `x` in {tmp_path} failed: {os.strerror(number)}. {remedy}")
    assert message.endswith(" Earlier checkpoints are untouched.")


def test_an_error_without_a_number_is_told_in_its_own_words(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"failed: odd\. Run again; if it stays, ask"),
        files.storage_errors("Writing `x`", tmp_path),
    ):
        raise OSError("odd")


def test_other_errors_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(KeyError), files.storage_errors("Writing `x`", tmp_path):
        raise KeyError("x")


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_published_file_keeps_the_mode_of_the_former_one(tmp_path: Path) -> None:
    source, target = write(tmp_path / "source", "new"), write(tmp_path / "x", "former")
    source.chmod(0o700)
    target.chmod(0o604)
    os.chown(target, -1, os.getgroups()[-1] if os.getgroups() else os.getgid())
    group = target.stat().st_gid
    publish(source, target)

    assert (mode_of(target), target.stat().st_gid) == (0o604, group)


def test_a_new_published_file_has_the_mode_of_the_umask_and_stays_executable(
    tmp_path: Path,
) -> None:
    secret, program = write(tmp_path / "secret", ""), write(tmp_path / "program", "")
    secret.chmod(0o600)
    program.chmod(0o700)
    umask = os.umask(0o027)
    try:
        publish(secret, tmp_path / "a")
        publish(program, tmp_path / "b")
    finally:
        os.umask(umask)

    assert (mode_of(tmp_path / "a"), mode_of(tmp_path / "b")) == (0o640, 0o750)


def test_a_published_folder_keeps_the_modes_of_what_it_replaces(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("kept", "deep/new", "deep/run.sh"):
        write(source / name, "1")
    (source / "deep/run.sh").chmod(0o755)
    target = tmp_path / "out"
    publish(source, target)
    (target / "kept").chmod(0o600)
    (target / "deep").chmod(0o750)
    target.chmod(0o711)
    publish(source, target)

    assert [mode_of(target / name) for name in ("", "kept", "deep", "deep/run.sh")] == [
        0o711,
        0o600,
        0o750,
        0o755,
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may chown")
def test_a_published_file_keeps_the_owner_of_the_former_one(tmp_path: Path) -> None:
    source, target = write(tmp_path / "source", "new"), write(tmp_path / "x", "former")
    os.chown(target, 12345, 54321)
    publish(source, target)

    assert (target.stat().st_uid, target.stat().st_gid) == (12345, 54321)


def test_a_file_published_through_a_linked_folder_arrives_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    publish(write(tmp_path / "source", "new"), tmp_path / "out" / "x")

    assert (tmp_path / "real" / "x").read_text() == "new"
    assert (tmp_path / "out").is_symlink()


def test_what_is_no_file_has_no_checksum(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="a pipe, not a file"):
        files.checksum(tmp_path / "pipe")


def test_a_thread_that_is_called_off_hashes_no_further(tmp_path: Path) -> None:
    off = threading.Event()
    path = write(tmp_path / "file", "text")
    with called_off_by(off):
        assert checksum(path)
        off.set()
        with pytest.raises(KeyboardInterrupt):
            checksum(path)
