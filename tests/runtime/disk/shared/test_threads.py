"""Several threads of one run are at work with the checkpoints at a URL at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flight_delays.checkpointing.disk.manifest import Manifest

from ...builders import commit
from .machines import machine, objects_at, paths_of

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
