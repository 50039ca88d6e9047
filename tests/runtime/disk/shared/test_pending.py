"""What was made on a machine and has not reached the URL, or is gone there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import Locked, StorageError
from flight_delays.checkpointing.disk.manifest import MANIFEST
from flight_delays.checkpointing.disk.shared import store as store_module
from flight_delays.checkpointing.disk.shared.store import SharedStore

from ...builders import commit, table
from .machines import altered, at, files, machine, objects_at, paths_of


def refuse(method: Callable[..., Any], name: str, path: Path) -> str:
    """What a storage without room does with a file."""
    raise StorageError("the storage is full")


def full(folder: Path, url: str) -> SharedStore:
    """A machine at whose URL there is no room for files."""
    return machine(folder, url, objects=altered(url, upload=refuse))


def test_a_full_storage_can_be_cleaned(tmp_path: Path, url: str) -> None:
    with (store := machine(tmp_path / "here", url)).lock():
        store.push(commit(store, "old"))
    with (store := full(tmp_path / "here", url)).lock(), pytest.raises(StorageError, match="full"):
        store.push(commit(store, "new"))
    sent: list[str] = []

    def note(method: Callable[..., Any], name: str, path: Path) -> str:
        sent.append(name)
        return refuse(method, name, path)

    store = machine(tmp_path / "here", url, objects=altered(url, upload=note))
    store.refresh()
    with store.lock(to_remove=True):
        cleared = store.clear()

    assert sent == []  # what is to be removed is not sent first
    assert cleared.bytes > 0
    assert objects_at(url) == {}
    assert files(store) == set()


def test_what_cannot_be_sent_stops_only_a_run_that_uses_it(tmp_path: Path, url: str) -> None:
    with machine(tmp_path / "here", url).lock():
        pass
    pending = commit(machine(tmp_path / "here", url), "pending")
    with (store := full(tmp_path / "here", url)).lock():
        assert store.remarks() != []
        with pytest.raises(StorageError, match="full"):
            store.mark_used(pending)
    assert store.all_of("s01") == [pending]


def test_a_run_sends_again_what_is_gone_at_the_url(
    tmp_path: Path, url: str, there: SharedStore
) -> None:
    with (store := machine(tmp_path / "here", url)).lock():
        made = store.push(commit(store))
    at(url, f"s01/key/{made.values['flights'].file}").unlink()
    again = machine(tmp_path / "here", url)
    again.refresh()
    assert again.damaged(again.all_of("s01")[0]) == []
    with again.lock():
        again.sweep()
    there.refresh()
    there.bring(made, made.values)

    assert objects_at(url).keys() == paths_of(made)


def test_what_is_gone_at_the_url_and_not_here_is_damaged(
    here: SharedStore, there: SharedStore, url: str
) -> None:
    made = here.push(commit(here))
    at(url, f"s01/key/{made.values['flights'].file}").unlink()
    there.refresh()

    assert there.damaged(made) == ["flights"]


@pytest.mark.parametrize("is_removed", [False, True])
def test_a_reader_is_told_that_a_run_replaced_what_it_reads(
    here: SharedStore, there: SharedStore, is_removed: bool
) -> None:
    made = here.push(commit(here))
    there.refresh()
    if is_removed:
        here.remove(made)
    else:
        here.push(commit(here, values={"flights": table(9)}))

    with pytest.raises(StorageError, match="was replaced or removed by another run"):
        there.bring(made, made.values)


def test_a_manifest_without_its_files_does_not_displace_what_was_made_here(
    tmp_path: Path, url: str, there: SharedStore
) -> None:
    with (other := machine(tmp_path / "other", url)).lock():
        theirs = other.push(commit(other))
    at(url, f"s01/key/{theirs.values['flights'].file}").unlink()
    ours = commit(machine(tmp_path / "here", url))
    with machine(tmp_path / "here", url).lock():
        pass
    there.refresh()
    there.bring(ours, ours.values)

    assert objects_at(url).keys() == paths_of(ours)


def test_a_manifest_that_comes_after_the_lease_was_lost_is_taken_back(
    tmp_path: Path, url: str, there: SharedStore
) -> None:
    taker = machine(tmp_path / "taker", url)

    def late(method: Callable[..., Any], name: str, content: bytes) -> Any:
        """The machine stops right before its manifest; meanwhile another one takes over."""
        if name.endswith(MANIFEST):
            _take_over(url, taker)
            _wait_for_the_loss(frozen)
        return method(name, content)

    frozen = machine(tmp_path / "frozen", url, objects=altered(url, create=late), lease=2.0)
    with frozen.lock():
        made = commit(frozen)
        with pytest.raises(StorageError, match="lease"):
            frozen.push(made)

    assert objects_at(url) == {}
    assert paths_of(made) <= files(frozen)  # the next run sends it


def _take_over(url: str, taker: SharedStore) -> None:
    """Another machine has the lease, as the last sign of life is old, and sweeps what it finds."""
    lease = at(url, "lease.json")
    while True:
        os.utime(lease, (0, 0))
        try:
            with taker.lock():
                taker.sweep()
            return
        except Locked:
            continue


def _wait_for_the_loss(store: SharedStore) -> None:
    """Until the thread of the lease has seen that somebody else took it."""
    while True:
        try:
            store.exchange.require_lease()
        except StorageError:
            return


def test_what_takes_long_is_announced(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_TOLD_BYTES", 3_000)
    local = machine(tmp_path / "here", url)
    for key in "ab":
        commit(local, key, values={"v": table(500)})
    commit(local, "small", segment="s02", values={"v": table(1)})
    said: list[str] = []
    running = machine(tmp_path / "here", url)
    running.announce = said.append
    with running.lock():
        pass
    other = machine(tmp_path / "there", url)
    other.announce = said.append
    other.refresh()
    manifest = other.all_of("s01")[0]
    other.bring(manifest, manifest.values)

    large = [line.partition(" kB")[0].rstrip("0123456789.") for line in said]
    assert large == [
        f"{url} has not got yet 3 checkpoints that are here: pushes ",
        "s01: pushes ",
        "s01: pushes ",
        "s01: fetches ",
    ]
