"""A process is killed at each request that changes a URL: nobody sees half a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from flight_delays.checkpointing.disk.manifest import Manifest
from flight_delays.checkpointing.disk.shared.store import SharedStore

from tests.marks import in_exhaustive

from ...builders import commit, table
from .machines import Killed, fragile, machine, objects_at, paths_of

Act = Callable[[SharedStore], Manifest | None]
"""What a run does at the URL; the checkpoint that is there afterwards, if any."""


def push_first(store: SharedStore) -> Manifest:
    return store.push(commit(store, "new", values={"a": table(3), "b": table(4)}, use=2))


def push_again(store: SharedStore) -> Manifest:
    return store.push(commit(store, "old", values={"flights": table(9)}, use=2))


def push_use(store: SharedStore) -> None:
    store.push(commit(store, "newer", use=3))
    [old] = [manifest for manifest in store.all_of("s01") if manifest.key == "old"]
    store.mark_used(old)


def remove(store: SharedStore) -> None:
    [old] = store.all_of("s01")
    store.remove(old)


def set_aside(store: SharedStore) -> None:
    store.set_aside("s01", "old")


def killed_at(act: Act, folder: Path, url: str, after: int, *, is_done: bool) -> bool:
    """Kill a process that does this, at its so-manieth change; whether it came so far."""
    store = machine(folder, url, objects=fragile(url, after, is_done=is_done))
    store.exchange.may_write = True
    store.exchange.pull()
    try:
        act(store)
    except Killed:
        return True
    return False


@pytest.mark.parametrize("is_done", [False, *in_exhaustive(True)])
@pytest.mark.parametrize(
    "act", [push_again, *in_exhaustive(push_first, push_use, remove, set_aside)]
)
def test_whenever_a_process_is_killed_others_see_whole_checkpoints_and_the_next_run_goes_on(
    act: Act, tmp_path: Path, is_done: bool
) -> None:
    for after in count():
        url = f"file://{tmp_path / str(after) / 'url'}"
        here, there = tmp_path / str(after) / "here", tmp_path / str(after) / "there"
        with (first := machine(here, url)).lock():
            first.push(commit(first, "old", use=1))
        if not killed_at(act, here, url, after, is_done=is_done):
            break
        _require_whole(machine(there, url))

        with (again := machine(here, url)).lock():
            again.sweep()
            if act in (push_first, push_again):  # what was made is not made again
                assert again.all_of("s01")[0].use == 2
        other = machine(there, url)
        _require_whole(other)
        kept = other.all_of("s01")
        assert [m.key for m in kept] == [m.key for m in again.all_of("s01")]
        named = {path for manifest in kept for path in paths_of(manifest)}
        assert {path for path in objects_at(url) if ".damaged-" not in path} == named
    assert after > 1


@pytest.mark.exhaustive
@pytest.mark.parametrize("is_done", [False, True])
def test_another_machine_goes_on_where_one_was_killed(tmp_path: Path, is_done: bool) -> None:
    """It removes what the first had sent, which that sends again: its commit is its own."""
    for after in count():
        url = f"file://{tmp_path / str(after) / 'url'}"
        here, there = tmp_path / str(after) / "here", tmp_path / str(after) / "there"
        with (first := machine(here, url)).lock():
            first.push(commit(first, "old", use=1))
        if not killed_at(push_first, here, url, after, is_done=is_done):
            break
        with (other := machine(there, url)).lock():
            other.sweep()
            theirs = other.push(commit(other, "third", use=3))
            seen = {m.key for m in other.all_of("s01")}

        with (again := machine(here, url)).lock():
            again.sweep()
            assert again.damaged(theirs, hash_all=True) == []
            assert {m.key for m in again.all_of("s01")} == seen | {"new"}
        _require_whole(machine(there, url))
    assert after == 3  # two files and a manifest


def _require_whole(store: SharedStore) -> None:
    store.refresh()
    for manifest in store.all_of("s01"):
        assert store.damaged(manifest, hash_all=True) == []
