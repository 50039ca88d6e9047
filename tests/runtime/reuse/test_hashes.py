"""Checksums are used again only where a change since is sure to show."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.files import checksum
from flight_delays.checkpointing.reuse.hashes import SETTLING_NS, HashCache

from ..builders import write


class Clock:
    """This machine's clock, `ahead` of what files are stamped with: time passes without waiting."""

    def __init__(self, ahead: int = 0) -> None:
        self.ahead = ahead

    def __call__(self) -> int:
        return time.time_ns() + self.ahead


LATER = Clock(2 * SETTLING_NS)


def remembered(folder: Path, path: Path, clock: Clock = LATER) -> HashCache:
    """A cache that a run has left behind, long after the file was written."""
    first = HashCache(folder / "hashes.json", clock=clock)
    first.checksum(path)
    first.save()
    later = Clock(clock.ahead + 2 * SETTLING_NS)
    second = HashCache(folder / "hashes.json", clock=later)  # where times are another clock's
    second.checksum(path)
    second.save()
    return HashCache(folder / "hashes.json", clock=later)


def spoil(cache: Path) -> None:
    """Let the cache hold wrong digests: what it answers then was not hashed."""
    known = json.loads(cache.read_text())
    cache.write_text(json.dumps({n: [*e[:5], "believed", *e[6:]] for n, e in known.items()}))


def test_a_file_that_has_not_changed_is_not_hashed_again(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "one")
    remembered(tmp_path, path)
    spoil(tmp_path / "hashes.json")

    assert HashCache(tmp_path / "hashes.json", clock=LATER).checksum(path) == "believed"


def by_copy_with_times(path: Path, other: Path) -> None:
    shutil.copyfile(other, path)
    shutil.copystat(other, path)


def in_place(path: Path, other: Path) -> None:
    times = path.stat()
    with path.open("r+") as file:
        file.write(other.read_text())
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def by_replacement(path: Path, other: Path) -> None:
    shutil.copystat(path, other)
    os.replace(other, path)


def by_swap_of_names(path: Path, other: Path) -> None:
    aside = path.with_name("aside")
    os.rename(path, aside)
    os.rename(other, path)


def through_a_link(path: Path, other: Path) -> None:
    shutil.copystat(path, other)
    path.unlink()
    os.link(other, path)


CHANGES = [by_copy_with_times, in_place, by_replacement, by_swap_of_names, through_a_link]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_bytes_that_change_under_the_same_size_and_mtime_are_hashed(
    tmp_path: Path, change: object
) -> None:
    path, other = write(tmp_path / "x", "one"), write(tmp_path / "y", "two")
    shutil.copystat(path, other)
    cache = remembered(tmp_path, path)
    before = cache.checksum(path)
    mtime = path.stat().st_mtime_ns
    change(path, other)  # type: ignore[operator]

    assert (path.stat().st_size, path.stat().st_mtime_ns) == (3, mtime)
    assert cache.checksum(path) == checksum(path) != before


def test_a_file_that_was_written_a_moment_ago_is_hashed_each_time(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "one")
    cache = HashCache(tmp_path / "hashes.json")
    cache.checksum(path)
    cache.save()
    spoil(tmp_path / "hashes.json")

    assert HashCache(tmp_path / "hashes.json").checksum(path) == checksum(path)


def test_a_file_from_the_future_is_hashed_each_time(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "one")
    os.utime(path, ns=(2 * 10**18, 2 * 10**18))  # a clock was ahead, and now is not
    cache = HashCache(tmp_path / "hashes.json", clock=Clock(0))
    cache.checksum(path)
    cache.save()
    spoil(tmp_path / "hashes.json")

    assert HashCache(tmp_path / "hashes.json", clock=Clock(0)).checksum(path) == checksum(path)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no file system without a device")
def test_where_times_are_another_clocks_a_file_is_believed_after_two_looks(tmp_path: Path) -> None:
    """Such as a network file system; the age that its times state proves nothing."""
    folder = Path("/dev/shm") / f"{tmp_path.name}-{os.getpid()}"
    try:
        path = write(folder / "x", "one")
        first = HashCache(tmp_path / "hashes.json", clock=LATER)
        first.checksum(path)
        first.save()
        spoil(tmp_path / "hashes.json")
        soon = HashCache(tmp_path / "hashes.json", clock=LATER)
        assert soon.checksum(path) == checksum(path)
        remembered(tmp_path, path)
        spoil(tmp_path / "hashes.json")
        assert HashCache(tmp_path / "hashes.json", clock=LATER).checksum(path) == "believed"
    finally:
        shutil.rmtree(folder)


def test_all_is_hashed_and_corrected_on_demand(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "one")
    remembered(tmp_path, path)
    spoil(tmp_path / "hashes.json")
    everything = HashCache(tmp_path / "hashes.json", verify=True, clock=LATER)

    assert everything.checksum(path) == checksum(path)
    everything.save()
    assert HashCache(tmp_path / "hashes.json", clock=LATER).checksum(path) == checksum(path)


def test_a_file_that_changes_while_it_is_hashed_has_no_checksum(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "one")

    def writing() -> int:
        """A clock that is looked at between the two looks at the file."""
        path.write_text(path.read_text() + "more")
        return time.time_ns()

    cache = HashCache(tmp_path / "hashes.json", clock=writing)
    with pytest.raises(ConfigurationError, match="changes while it is read"):
        cache.checksum(path)


def test_a_file_that_changed_once_while_it_was_hashed_is_hashed_again(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "one")
    pending = ["more"]

    def writing() -> int:
        while pending:
            path.write_text(pending.pop())
        return time.time_ns()

    assert HashCache(tmp_path / "hashes.json", clock=writing).checksum(path) == checksum(path)


@pytest.mark.skipif(sys.platform != "linux", reason="what the kernel notices of a mapped file")
def test_what_a_program_writes_into_a_file_that_it_has_mapped_is_noticed(tmp_path: Path) -> None:
    """Its page is dirty, and more writes to a dirty page would set no new time."""
    path = write(tmp_path / "x", "one")
    cache = HashCache(tmp_path / "hashes.json")
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:] = b"two"
        stamp, _ = cache.look(path)
        while stamp[1] >= time.time_ns() - 20_000_000:  # until the clock of the files goes on
            pass
        mapped[:] = b"six"
        assert cache.look(path)[0] != stamp


def test_a_cache_makes_no_folder_to_lie_in(tmp_path: Path) -> None:
    cache = HashCache(tmp_path / "gone/hashes.json")
    cache.checksum(write(tmp_path / "x", "one"))
    cache.save()

    assert not (tmp_path / "gone").exists()


def test_only_the_last_checksum_of_a_file_is_kept(tmp_path: Path) -> None:
    cache = HashCache(tmp_path / "hashes.json")
    cache.checksum(write(tmp_path / "x", "one"))
    cache.checksum(write(tmp_path / "xy", "one"))
    cache.checksum(write(tmp_path / "x", "three"))
    cache.save()
    kept = json.loads((tmp_path / "hashes.json").read_text())

    assert {path: size for path, (size, *_) in kept.items()} == {
        str(tmp_path / "x"): 5,
        str(tmp_path / "xy"): 3,
    }


def test_a_cache_with_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "one")
    cache = remembered(tmp_path, path)
    (tmp_path / "hashes.json").unlink()
    cache.checksum(path)
    cache.save()

    assert not (tmp_path / "hashes.json").exists()


FORMER = '{"/x": ["3|1|2", "digest"]}'
ENDLESS = '{"/x": [1e999, 1, 1, 2, 1, "digest", 1, true]}'
ODD = '{"/x": [3, 1, 1, 2, 1, "digest", "long ago", true]}'


@pytest.mark.parametrize("text", ["", "{", "[]", "3", FORMER, ODD, ENDLESS, "[" * 99999])
def test_a_damaged_or_former_cache_is_an_empty_one(tmp_path: Path, text: str) -> None:
    write(tmp_path / "hashes.json", text)
    cache = HashCache(tmp_path / "hashes.json")
    path = write(tmp_path / "x", "one")

    assert cache.checksum(path) == checksum(path)
    cache.save()
    assert len(json.loads((tmp_path / "hashes.json").read_text())) == 1


def test_a_cache_that_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    blocked = write(tmp_path / "file", "") / "hashes.json"
    cache = HashCache(blocked)
    cache.checksum(write(tmp_path / "x", "one"))
    cache.save()

    assert blocked.parent.is_file()
