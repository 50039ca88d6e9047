"""Several threads of one run are at work with the checkpoints at a URL at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.base.interrupts import called_off_by
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.manifest import Manifest
from flight_delays.checkpointing.disk.shared.store import SharedStore
from flight_delays.checkpointing.disk.shared.transfer import several
from flight_delays.checkpointing.disk.shared.turns import Turns

from ...builders import PLENTY, commit
from .machines import altered, machine, objects_at, paths_of

MANY = 30  # segments
SECONDS = 60.0  # the most that a thread waits for another one


def test_threads_push_and_keep_the_bound_of_the_cache_at_once(tmp_path: Path, url: str) -> None:
    with (store := machine(tmp_path / "here", url, cache_max=1)).lock():

        def make(number: int) -> Manifest:
            return store.push(commit(store, segment=f"s{number:02}"))

        with ThreadPoolExecutor(6) as threads:
            made = list(threads.map(make, range(MANY)))
    other = machine(tmp_path / "there", url)
    other.refresh()

    assert set(objects_at(url)) == set().union(*map(paths_of, made))
    assert sum(r.bytes for m in made for _, r in m.records()) == store.pushed_bytes
    for manifest in made:
        assert other.find(manifest.segment, "key") is not None
        other.bring(manifest, manifest.values, verify=True)


def test_a_manifest_comes_after_its_own_copies_whatever_else_is_pushed(
    tmp_path: Path, url: str
) -> None:
    def refuse(copy: Callable[[str, str], None], name: str, to: str) -> None:
        raise StorageError("the storage copies nothing today")

    storage = altered(url, copy=refuse)
    with (store := machine(tmp_path / "here", url, objects=storage)).lock():
        former = store.push(commit(store, "former"))
        making = Commit(store.path("s01", "newer"), PLENTY)
        record = store.adopt(making, "flights", former, former.values["flights"])
        making.finish(newer := replace(former, key="newer", values={"flights": record}))
        other = store.push(commit(store, segment="s02"))
        for _ in range(2):
            with pytest.raises(StorageError, match="copies nothing today"):
                store.push(newer)

    assert set(objects_at(url)) == paths_of(former) | paths_of(other)


def test_what_a_thread_has_brought_stays_until_it_begins_something_else_or_ends(
    tmp_path: Path, url: str
) -> None:
    with (store := machine(tmp_path / "here", url, cache_max=1)).lock():
        made = [store.push(commit(store, segment=f"s{number}")) for number in range(3)]
        paths = [store.path(m.segment, "key") / m.values["flights"].file for m in made]
        brought, may_end = threading.Barrier(2), threading.Event()

        def reads(number: int) -> None:
            store.begin()
            store.bring(made[number], made[number].values)
            brought.wait(SECONDS)
            assert may_end.wait(SECONDS)

        thread = threading.Thread(target=reads, args=(0,))
        thread.start()
        brought.wait(SECONDS)
        for number in (1, 2):
            store.begin()
            store.bring(made[number], made[number].values)
        assert [path.exists() for path in paths] == [True, False, True]
        may_end.set()
        thread.join(SECONDS)
        store.begin()
        store.bring(made[1], made[1].values)

        assert [path.exists() for path in paths] == [False, True, False]


def test_a_file_that_two_threads_need_is_fetched_once(
    here: SharedStore, tmp_path: Path, url: str
) -> None:
    made = here.push(commit(here))
    fetched: list[str] = []
    other: list[threading.Thread] = []

    def beside(fetch: Callable[[str, Path], str], name: str, path: Path) -> str:
        fetched.append(name)
        if not other:
            other.append(threading.Thread(target=person.bring, args=(made, made.values)))
            other[0].start()
            other[0].join(0.3)  # it waits, or is done sooner
        return fetch(name, path)

    person = machine(tmp_path / "person", url, objects=altered(url, fetch=beside))
    person.refresh()
    records = person.bring(made, made.values)
    other[0].join(SECONDS)

    assert len(fetched) == 1
    assert records["flights"].untouched(person.path("s01", "key"))


def test_a_thread_that_is_called_off_does_not_wait_for_its_turn(tmp_path: Path) -> None:
    turns, off, errors = Turns(), threading.Event(), list[type[BaseException]]()

    def wait() -> None:
        with called_off_by(off):
            try:
                with turns.at(tmp_path):
                    pass
            except KeyboardInterrupt as error:
                errors.append(type(error))

    thread = threading.Thread(target=wait, daemon=True)
    with turns.at(tmp_path):
        thread.start()
        off.set()
        thread.join(SECONDS)
        assert errors == [KeyboardInterrupt]
    with turns.at(tmp_path):
        pass


def test_a_thread_that_is_called_off_moves_no_more_small_files() -> None:
    off = threading.Event()
    with called_off_by(off):
        moving = several(str, dict.fromkeys(map(str, range(MANY)), 1))
        assert next(moving) == ("0", "0")
        off.set()
        with pytest.raises(KeyboardInterrupt):
            next(moving)
