"""How much the cache of a machine takes, and that nobody loses what a run is about to load."""

from __future__ import annotations

from pathlib import Path

from flight_delays.checkpointing.disk.shared.store import SharedStore

from ...builders import commit, table
from .machines import files, machine

LARGE = 100_000  # rows; 0.8 MB
MB = 10**6


def test_a_person_beside_a_run_removes_nothing_that_the_run_has_brought(
    tmp_path: Path, url: str
) -> None:
    with (maker := machine(tmp_path / "maker", url)).lock():
        maker.push(commit(maker, "big", values={"big": table(LARGE)}))
        maker.push(commit(maker, "other", segment="s02", values={"other": table(LARGE)}))
    with (running := machine(tmp_path / "runs", url, cache_max=MB)).lock():
        [manifest] = running.all_of("s01")
        running.bring(manifest, manifest.values)
        person = machine(tmp_path / "runs", url, cache_max=MB)
        person.refresh()
        [other] = person.all_of("s02")
        person.bring(other, other.values)

        assert (running.path("s01", "big") / manifest.values["big"].file).exists()


def test_without_a_run_a_person_keeps_the_bound(
    here: SharedStore, tmp_path: Path, url: str
) -> None:
    here.push(commit(here, "big", values={"big": table(LARGE)}))
    here.push(commit(here, "other", segment="s02", values={"other": table(LARGE)}))
    for segment in ("s01", "s02"):
        person = machine(tmp_path / "person", url, cache_max=MB)
        person.refresh()
        [manifest] = person.all_of(segment)
        person.bring(manifest, manifest.values)

    assert {Path(name).parts[0] for name in files(person) if name.endswith(".arrow")} == {"s02"}


def test_what_others_replace_does_not_stay_on_a_machine_that_only_reads(
    here: SharedStore, tmp_path: Path, url: str
) -> None:
    for key in ("first", "second", "third"):
        for former in here.all_of("s01"):
            here.remove(former)
        here.push(commit(here, key))
        person = machine(tmp_path / "person", url)
        person.refresh()
        [manifest] = person.all_of("s01")
        person.bring(manifest, manifest.values)

    assert {Path(name).parts[1] for name in files(person)} == {"third"}


def test_what_lies_beside_a_pipeline_does_not_count_to_its_cache(tmp_path: Path, url: str) -> None:
    store = machine(tmp_path / "here", url, cache_max=3 * MB)
    foreign = tmp_path / "here" / "checkpoints" / "data" / "big"
    foreign.parent.mkdir()
    foreign.write_bytes(b"0" * 4 * MB)
    with store.lock():
        made = store.push(commit(store, values={"big": table(LARGE)}))

    assert (store.path("s01", "key") / made.values["big"].file).exists()
    assert foreign.exists()
