"""What is known of checkpoints is kept, so that a run does not read what has not changed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.names import new_number, value_name
from flight_delays.checkpointing.disk.known import KNOWN
from flight_delays.checkpointing.disk.manifest import MANIFEST
from flight_delays.checkpointing.disk.store import Store

from ..builders import commit

LONG_AGO = 10**18


@pytest.fixture
def store(tmp_path: Path) -> Store:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return Store(folder)


def settle(store: Store) -> None:
    """Set the times of all folders back, and have a run see and keep what there is."""
    for folder in (store.folder / "s01").iterdir():
        os.utime(folder, ns=(LONG_AGO, LONG_AGO))
    sweep(store)


def sweep(store: Store) -> Store:
    """What a run does first; the store as the next process has it."""
    again = Store(store.folder)
    with again.lock():
        again.sweep()
    return Store(store.folder)


def spoil(store: Store, key: str) -> None:
    """Make a manifest unreadable in a way that its stat does not show."""
    path = store.path("s01", key) / MANIFEST
    stat = path.stat()
    path.write_bytes(b"{" * stat.st_size)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    os.utime(path.parent, ns=(LONG_AGO, LONG_AGO))


def leave_a_file(store: Store, key: str) -> Path:
    """A file of ours that no manifest names, as a killed run leaves it."""
    folder = store.path("s01", key)
    left = folder / value_name(folder, "left", new_number(), ".json")
    left.write_text("1")
    return left


def test_a_run_reads_no_manifest_that_it_has_read_before(store: Store) -> None:
    for key in "abc":
        commit(store, key, use=store.next_use("s01"))
    settle(store)
    for key in "abc":
        spoil(store, key)

    again = sweep(store)
    assert again.next_use("s01") == 4
    assert again.has_any("s01")
    assert all(store.path("s01", key).is_dir() for key in "abc")


def test_a_manifest_that_was_replaced_is_read_again(store: Store) -> None:
    commit(store, "a", use=1)
    settle(store)
    commit(store, "a", use=7)

    assert Store(store.folder).next_use("s01") == 8


def test_what_a_killed_run_left_in_a_known_checkpoint_is_removed(store: Store) -> None:
    commit(store, "a")
    settle(store)
    left = leave_a_file(store, "a")

    sweep(store)
    assert not left.exists()
    assert Store(store.folder).find("s01", "a") is not None


def test_a_folder_that_changed_a_moment_ago_is_looked_at_again(store: Store) -> None:
    """What is written within one tick of the file system's clock leaves no new time."""
    commit(store, "a")
    now = store.path("s01", "a").stat().st_mtime_ns
    sweep(store)
    left = leave_a_file(store, "a")
    os.utime(left.parent, ns=(now, now))

    sweep(store)
    assert not left.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"s01": [["a"]]}', '{"s01": 1}'])
def test_what_is_kept_of_them_may_be_lost(store: Store, content: str) -> None:
    commit(store, "a", use=3)
    (store.folder / KNOWN).write_text(content)

    assert Store(store.folder).next_use("s01") == 4
    sweep(store)
    assert json.loads((store.folder / KNOWN).read_text())["s01"][0][0] == "a"


def test_few_checkpoints_are_looked_at_for_what_they_could_spare_a_run(store: Store) -> None:
    for number in range(40):
        keys = {"one": f"{'same' if number in (3, 5) else number:0<32}", "two": f"{number:a<32}"}
        made = commit(store, f"key{number:02}", use=number + 1)
        replace(made, step_keys=keys).write(store.path("s01", made.key))
    wanted = [f"{'same':0<32}", f"{3:a<32}"]

    nearest = [manifest.key for manifest in store.nearest("s01", "key00", wanted)]
    assert nearest[:3] == ["key00", "key03", "key05"]
    assert nearest[3:] == [f"key{number}" for number in range(39, 21, -1)]


def test_a_file_with_other_times_is_hashed_once_and_they_are_noted(store: Store) -> None:
    made = commit(store, "a")
    path = store.path("s01", "a") / made.values["flights"].file
    os.utime(path, ns=(1, 1))

    assert store.stamped(made).values["flights"].mtime_ns == 1
    assert store.find("s01", "a") == made, "a reader changes nothing"
    with store.lock():
        store.stamped(made)
    noted = store.find("s01", "a")
    assert noted is not None
    assert noted.values["flights"].untouched(store.path("s01", "a"))
    assert Store(store.folder).stamped(noted) == noted


def test_a_file_with_other_times_and_other_bytes_stays_damaged(store: Store) -> None:
    made = commit(store, "a")
    path = store.path("s01", "a") / made.values["flights"].file
    path.write_bytes(b"other")

    with store.lock():
        assert store.stamped(made) == made
        assert store.damaged(made) == ["flights"]
        assert not store.is_intact(made, made.values["flights"])


def test_a_file_that_was_hashed_is_hashed_again_once_it_was_written(store: Store) -> None:
    made = commit(store, "a")
    path = store.path("s01", "a") / made.values["flights"].file
    os.utime(path, ns=(1, 1))
    assert store.holds(made, made.values["flights"])

    path.write_bytes(b"other")
    assert not store.holds(made, made.values["flights"])
