"""Several threads of one run are at work with the checkpoints at a URL at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.manifest import Manifest

from ...builders import PLENTY, commit
from .machines import altered, machine, objects_at, paths_of

MANY = 30  # segments


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
