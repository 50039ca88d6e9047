"""Checkpoints at a URL and in the caches of two machines: what each has after what happens."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError, StorageError
from flight_delays.checkpointing.codecs import codec_named, format_named
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.manifest import PARTIAL, Manifest
from flight_delays.checkpointing.disk.shared.store import SharedStore
from flight_delays.checkpointing.disk.store import Damaged
from hypothesis import given, settings
from hypothesis import strategies as st

from ...builders import PLENTY, commit, table
from .machines import at, damage, files, machine, objects_at, paths_of


def test_what_was_pushed_is_on_another_machine_without_its_files(
    here: SharedStore, there: SharedStore, url: str
) -> None:
    made = here.push(commit(here))
    there.refresh()

    assert objects_at(url).keys() == paths_of(made)
    assert [m.key for m in there.all_of("s01")] == ["key"]
    assert files(there) == {"s01/key/manifest.json"}
    assert there.damaged(made) == []


def test_what_was_committed_and_not_pushed_is_nowhere_else(
    here: SharedStore, there: SharedStore, url: str
) -> None:
    commit(here)
    there.refresh()

    assert objects_at(url) == {}
    assert there.all_of("s01") == []


def test_a_file_comes_when_it_is_read_and_only_that(here: SharedStore, there: SharedStore) -> None:
    here.push(commit(here, values={"a": table(3), "b": table(4)}))
    there.refresh()
    [manifest] = there.all_of("s01")
    brought = there.bring(manifest, {"a": manifest.values["a"]})

    assert files(there) == {"s01/key/manifest.json", f"s01/key/{manifest.values['a'].file}"}
    assert brought["a"].untouched(there.path("s01", "key"))
    assert there.all_of("s01")[0].values["a"] == brought["a"]
    assert there.fetched_bytes == manifest.values["a"].bytes


def test_a_file_is_fetched_once(here: SharedStore, there: SharedStore, url: str) -> None:
    made = here.push(commit(here))
    there.refresh()
    there.bring(made, made.values)
    at(url, f"s01/key/{made.values['flights'].file}").unlink()

    there.bring(there.all_of("s01")[0], made.values)


def test_a_pushed_manifest_says_nothing_of_the_machine(here: SharedStore, url: str) -> None:
    made = commit(here)
    here.push(made)
    text = at(url, "s01/key/manifest.json").read_text()

    assert str(made.values["flights"].inode) not in text
    assert '"sha256": ""' not in text


def test_a_file_damaged_in_the_cache_is_fetched_again(
    here: SharedStore, there: SharedStore
) -> None:
    made = here.push(commit(here))
    there.refresh()
    there.bring(made, made.values)
    path = there.path("s01", "key") / made.values["flights"].file
    damage(path)
    there.verified.clear()
    there.refresh()

    assert there.damaged(there.all_of("s01")[0]) == []
    assert there.bring(made, made.values)["flights"].untouched(path.parent)


def test_a_file_damaged_in_the_cache_with_its_old_times_is_fetched_again(
    here: SharedStore, there: SharedStore, tmp_path: Path, url: str
) -> None:
    made = here.push(commit(here))
    there.refresh()
    there.bring(made, made.values)
    path = there.path("s01", "key") / made.values["flights"].file
    sound, stat = path.read_bytes(), path.stat()
    damage(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    again = machine(tmp_path / "there", url)
    again.refresh()
    [manifest] = again.all_of("s01")
    assert manifest.values["flights"].untouched(path.parent)
    again.bring(manifest, manifest.values)

    assert path.read_bytes() == sound


def test_a_file_damaged_at_the_url_is_not_taken(
    here: SharedStore, there: SharedStore, url: str
) -> None:
    made = here.push(commit(here))
    damage(at(url, f"s01/key/{made.values['flights'].file}"))
    there.refresh()

    assert there.damaged(made) == []  # its size is right
    assert there.damaged(made, hash_all=True) == ["flights"]
    with pytest.raises(Damaged, match="flights"):
        there.bring(made, made.values)
    assert files(there) == {"s01/key/manifest.json"}


def test_what_is_set_aside_is_aside_for_everybody(
    here: SharedStore, there: SharedStore, url: str
) -> None:
    made = here.push(commit(here))
    there.refresh()
    aside = here.set_aside("s01", "key")
    there.refresh()

    moved = {path.replace("/key/", f"/{aside.name}/") for path in paths_of(made)}
    assert objects_at(url).keys() == files(here) == moved
    assert there.all_of("s01") == []


def test_only_the_last_one_set_aside_stays_at_the_url(here: SharedStore, url: str) -> None:
    here.push(commit(here))
    here.set_aside("s01", "key")
    here.push(commit(here))
    second = here.set_aside("s01", "key")

    assert {Path(name).parent.name for name in objects_at(url)} == {second.name}


def test_what_was_removed_at_the_url_is_removed_on_other_machines(
    here: SharedStore, there: SharedStore
) -> None:
    made = here.push(commit(here))
    here.push(commit(here, "newer"))
    there.refresh()
    here.remove(made)
    there.refresh()

    assert [m.key for m in there.all_of("s01")] == ["newer"]


def test_what_was_made_here_and_not_pushed_stays_and_is_pushed_by_the_next_run(
    tmp_path: Path, url: str, there: SharedStore
) -> None:
    store = machine(tmp_path / "here", url)
    with store.lock():
        pass
    made = commit(store)
    store.refresh()
    assert store.all_of("s01") == [made]

    with machine(tmp_path / "here", url).lock():
        there.refresh()
    assert [m.key for m in there.all_of("s01")] == ["key"]


def test_what_was_made_here_and_lost_its_file_is_not_pushed(tmp_path: Path, url: str) -> None:
    store = machine(tmp_path / "here", url)
    made = commit(store)
    (store.path("s01", "key") / made.values["flights"].file).unlink()
    with store.lock():
        store.sweep()

    assert objects_at(url) == {}
    assert store.all_of("s01") == []


def test_a_checkpoint_made_anew_that_lost_its_file_gives_way_to_the_one_at_the_url(
    tmp_path: Path, url: str
) -> None:
    with (first := machine(tmp_path / "here", url)).lock():
        former = first.push(commit(first))
    newer = commit(first, values={"flights": table(9)})
    (first.path("s01", "key") / newer.values["flights"].file).unlink()
    with (again := machine(tmp_path / "here", url)).lock():
        again.sweep()
        [kept] = again.all_of("s01")
        again.bring(kept, kept.values)

    assert objects_at(url).keys() == paths_of(former)


def test_what_is_at_the_url_stays_while_a_journal_goes_on_here(tmp_path: Path, url: str) -> None:
    with (first := machine(tmp_path / "here", url)).lock():
        making = Commit(first.path("s01", "key"), PLENTY)
        record = making.write("x", table(), codec_named("DataFrame"), format_named("arrow"))
        parts = replace(_empty(), values={"x": record})
        making.finish(parts, partial=True)
        parts = first.push(parts)
    there = objects_at(url)
    going_on = Commit(first.path("s01", "key"), PLENTY)
    going_on.open_journal(parts)
    going_on.note("y.1", "its key", None, {})
    going_on.close()
    with (again := machine(tmp_path / "here", url)).lock():
        again.sweep()
        kept = again.find_partial("s01", "key")

    assert kept is not None
    assert kept.item_keys == {"y.1": "its key"}
    assert objects_at(url) == there


def test_a_cache_that_was_deleted_comes_back(
    here: SharedStore, there: SharedStore, tmp_path: Path, url: str
) -> None:
    made = here.push(commit(here))
    there.refresh()
    shutil.rmtree(tmp_path / "there")
    again = machine(tmp_path / "there", url)
    again.refresh()

    assert [m.key for m in again.all_of("s01")] == ["key"]
    again.bring(made, made.values)


def test_a_use_is_known_on_other_machines(here: SharedStore, there: SharedStore) -> None:
    first = here.push(commit(here, "first", use=1))
    here.push(commit(here, "second", use=2))
    here.mark_used(first)
    there.refresh()

    assert [m.key for m in there.all_of("s01")] == ["first", "second"]


def test_former_checkpoints_are_retired_at_the_url(here: SharedStore, url: str) -> None:
    for number, key in enumerate("abcd"):
        here.push(commit(here, key, use=number + 1))
    here.retire("s01", "d", keep=1)

    assert {Path(name).parent.name for name in objects_at(url)} == {"c", "d"}


def test_clearing_spares_what_it_is_told_to_and_what_people_put_there(
    here: SharedStore, url: str
) -> None:
    here.push(commit(here, "old"))
    kept = here.push(commit(here, "new"))
    note = at(url, "s01/old/notes.txt")
    note.write_text("mine")
    store_bytes = sum(count for name, count in objects_at(url).items() if "/old/" in name) - 4
    cleared = here.clear(spare={("s01", "new")})

    assert objects_at(url).keys() == paths_of(kept) | {"s01/old/notes.txt"}
    assert cleared.bytes == store_bytes


def test_a_checkpoint_made_anew_replaces_the_former_files(
    here: SharedStore, there: SharedStore, url: str
) -> None:
    former = here.push(commit(here))
    there.refresh()
    newer = here.push(commit(here, values={"flights": table(9)}))
    there.refresh()

    assert objects_at(url).keys() == paths_of(newer)
    assert former.values["flights"].file != newer.values["flights"].file
    assert there.all_of("s01")[0].values["flights"].checksum == newer.values["flights"].checksum


def test_parts_of_a_segment_are_pushed_and_gone_once_it_is_whole(
    here: SharedStore, there: SharedStore, url: str
) -> None:
    making = Commit(here.path("s01", "key"), PLENTY)
    parts = replace(_empty(), values={"flights": commit(here, "other").values["flights"]})
    taken = here.adopt(making, "flights", replace(parts, key="other"), parts.values["flights"])
    parts = replace(parts, values={"flights": taken})
    making.finish(parts, partial=True)
    here.push(parts)
    there.refresh()
    assert there.find_partial("s01", "key") is not None
    assert f"s01/key/{PARTIAL}" in objects_at(url)

    whole = here.push(commit(here))
    there.refresh()
    there.sweep()
    assert objects_at(url).keys() == paths_of(whole)
    assert (there.path("s01", "key") / PARTIAL).exists() is False


def test_forgotten_parts_are_gone_at_the_url(here: SharedStore, url: str) -> None:
    making = Commit(here.path("s01", "key"), PLENTY)
    record = making.write("x", table(), codec_named("DataFrame"), format_named("arrow"))
    parts = replace(_empty(), values={"x": record})
    making.finish(parts, partial=True)
    here.forget_partial(here.push(parts))

    assert objects_at(url) == {}


def test_a_value_is_taken_over_at_the_url_without_coming_here(
    here: SharedStore, there: SharedStore, tmp_path: Path, url: str
) -> None:
    made = here.push(commit(here))
    shutil.rmtree(here.folder / "s01" / "key")
    here.exchange.pull()
    making = Commit(here.path("s01", "new"), PLENTY)
    record = here.adopt(making, "flights", made, here.all_of("s01")[0].values["flights"])
    making.finish(replace(made, key="new", values={"flights": record}))
    here.push(replace(made, key="new", values={"flights": record}))
    there.refresh()
    newer = there.find("s01", "new")

    assert newer is not None
    assert here.fetched_bytes == 0
    assert there.bring(newer, newer.values)["flights"].checksum == made.values["flights"].checksum


def test_what_is_gone_before_it_is_taken_over_ends_the_run_and_the_next_one_makes_it(
    here: SharedStore, tmp_path: Path, url: str
) -> None:
    made = here.push(commit(here))
    shutil.rmtree(here.folder / "s01" / "key")
    here.exchange.pull()
    making = Commit(here.path("s01", "new"), PLENTY)
    record = here.adopt(making, "flights", made, here.all_of("s01")[0].values["flights"])
    making.finish(newer := replace(made, key="new", values={"flights": record}))
    at(url, f"s01/key/{made.values['flights'].file}").unlink()
    with pytest.raises(StorageError, match=r"was there a moment ago. Run again"):
        here.push(newer)

    assert not [name for name in objects_at(url) if "/new/" in name]
    again = machine(tmp_path / "here", url)
    again.refresh()
    assert again.damaged(newer) == ["flights"]


def test_the_cache_keeps_what_was_used_last(here: SharedStore, tmp_path: Path, url: str) -> None:
    made = [here.push(commit(here, key, values={"v": table(2_000)})) for key in "abc"]
    small = machine(tmp_path / "small", url, cache_max=45_000)
    small.refresh()
    for manifest in (made[0], made[1], made[0], made[2]):
        small.bring(manifest, manifest.values)
        small.begin()

    assert {Path(f).parent.name for f in files(small) if f.endswith(".arrow")} == {"a", "c"}


def test_a_manifest_that_leads_elsewhere_is_damaged(
    here: SharedStore, there: SharedStore, url: str
) -> None:
    made = here.push(commit(here))
    evil = made.with_records(lambda record: replace(record, file="../../../../evil"))
    at(url, "s01/key/manifest.json").write_text(evil.text())
    there.refresh()

    with pytest.raises(StorageError, match="damaged"):
        there.find("s01", "key")


def test_a_manifest_damaged_at_the_url_is_set_aside_and_made_again(
    here: SharedStore, there: SharedStore, url: str, tmp_path: Path
) -> None:
    here.push(commit(here))
    damage(at(url, "s01/key/manifest.json"))
    here.exchange.pull()
    with pytest.raises(StorageError, match="damaged"):
        here.find("s01", "key")
    here.set_aside("s01", "key")
    made = here.push(commit(here))
    there.refresh()

    assert [m.key for m in there.all_of("s01")] == ["key"]
    assert paths_of(made) <= objects_at(url).keys()


@pytest.mark.parametrize("name", ["s01/key/half.3f9a1c2e07d4b6a8.arrow", "notes/mine.txt"])
def test_what_no_run_has_written_stays(here: SharedStore, url: str, name: str) -> None:
    here.push(commit(here))
    path = at(url, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    here.exchange.look()
    here.sweep()
    here.clear()

    assert path.read_text() == "mine"


def test_a_folder_at_the_url_with_files_and_no_note_is_not_ours(tmp_path: Path, url: str) -> None:
    at(url, "s01").mkdir(parents=True)
    at(url, "s01/mine.txt").write_text("mine")

    with (
        pytest.raises(ConfigurationError, match=r"`demo/s01/mine.txt` is in it"),
        machine(tmp_path / "here", url).lock(),
    ):
        pass


def test_a_folder_at_the_url_of_another_project_is_refused(
    here: SharedStore, there: SharedStore, url: str
) -> None:
    owner = at(url, "owner.json")
    owner.write_text(owner.read_text().replace("flight_delays", "elsewhere"))

    with pytest.raises(ConfigurationError, match="of the project `elsewhere`"):
        there.refresh()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=20)))
def test_names_that_a_step_gives_its_files_come_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    names = [
        n for n in names if n not in (".", "..") and len(n.encode("utf-8", "surrogateescape")) < 80
    ]
    tmp_path = tmp_path_factory.mktemp("names")
    url = f"file://{tmp_path / 'url'}"
    store = machine(tmp_path / "here", url)
    with store.lock():
        making = Commit(store.path("s01", "key"), PLENTY)
        workdir = making.workdir("pages")
        for number, name in enumerate(names):
            (workdir / name).write_text(str(number))
        (workdir / "empty folder" / "inside").mkdir(parents=True)
        record = making.take("pages", workdir, codec_named("Path"))
        manifest = replace(_empty(), values={"pages": record})
        making.finish(manifest)
        store.push(manifest)
    other = machine(tmp_path / "there", url)
    other.refresh()
    [manifest] = other.all_of("s01")
    other.bring(manifest, manifest.values)
    came = other.path("s01", "key") / record.file

    assert {p.name: p.read_text() for p in came.iterdir() if p.is_file()} == {
        name: str(number) for number, name in enumerate(names)
    }
    assert (came / "empty folder" / "inside").is_dir()


def _empty() -> Manifest:
    return Manifest("demo", "s01", "key", (), {}, {}, {}, "2026-01-01T00:00:00", 0.0)
