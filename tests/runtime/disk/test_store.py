"""Checkpoints on disk: found, swept, retired, set aside, and guarded by a lock."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import Locked, StorageError
from flight_delays.checkpointing.base.names import new_number, temporary_name, value_name
from flight_delays.checkpointing.disk import locks
from flight_delays.checkpointing.disk.manifest import MANIFEST, PARTIAL
from flight_delays.checkpointing.disk.store import Store

from ..builders import commit, table, write


@pytest.fixture
def store(tmp_path: Path) -> Store:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return Store(folder)


def files(store: Store) -> set[str]:
    """All files but what is known of the checkpoints, which is advice."""
    found = (path for path in store.folder.rglob("*") if path.is_file())
    return {path.relative_to(store.folder).as_posix() for path in found} - {"known.json"}


def left_by_a_kill(checkpoint: Path, value: str, suffix: str = "") -> Path:
    """The path of a file that a killed run was about to write for a value; its folder exists."""
    checkpoint.mkdir(parents=True, exist_ok=True)
    path = checkpoint / value_name(checkpoint, value, new_number(), suffix)
    if suffix:
        path.write_bytes(b"half")
    else:
        path.mkdir()
    return path


def keys(store: Store) -> list[str]:
    return [manifest.key for manifest in store.all_of("s01")]


def damage(store: Store, key: str = "key") -> None:
    (store.path("s01", key) / MANIFEST).write_text("{")


def test_a_checkpoint_is_found_by_its_segment_and_key(store: Store) -> None:
    made = commit(store)

    assert store.find("s01", "key") == made
    assert store.find("s01", "other") is None
    assert store.find("s02", "key") is None


def test_a_damaged_manifest_is_no_missing_one(store: Store) -> None:
    commit(store)
    damage(store)

    with pytest.raises(StorageError, match="is damaged"):
        store.find("s01", "key")


@pytest.mark.parametrize("times", [(1, 2, 3), (3, 2, 1), (2, 2, 2)])
def test_checkpoints_are_listed_with_the_last_used_first_whatever_their_times(
    store: Store, times: tuple[int, ...]
) -> None:
    for key, time in zip("acb", times, strict=True):
        manifest = commit(store, key, use=store.next_use("s01"))
        os.utime(store.path("s01", key) / MANIFEST, ns=(time, time))
    assert keys(store) == ["b", "c", "a"]

    store.mark_used(store.all_of("s01")[-1])
    assert keys(store) == ["a", "b", "c"]
    os.utime(store.path("s01", "c") / MANIFEST)
    store.mark_used(store.all_of("s01")[0])
    assert keys(store) == ["a", "b", "c"]
    store.mark_used(replace(manifest, key="gone"))
    assert not store.path("s01", "gone").exists()


def test_checkpoints_of_a_former_runtime_are_older_and_listed_by_their_times(store: Store) -> None:
    for number, key in enumerate(["a", "c", "b"]):
        commit(store, key)
        os.utime(store.path("s01", key) / MANIFEST, ns=(number, number))
    commit(store, "new", use=store.next_use("s01"))
    os.utime(store.path("s01", "new") / MANIFEST, ns=(0, 0))
    assert keys(store) == ["new", "b", "c", "a"]

    store.mark_used(store.all_of("s01")[-1])
    assert keys(store) == ["a", "new", "b", "c"]


def test_of_former_checkpoints_used_at_one_time_the_last_made_is_listed_first(store: Store) -> None:
    for year, key in ((2025, "a"), (2027, "c"), (2026, "b")):
        commit(store, key, committed_at=f"{year}-01-01T00:00:00.000000+00:00")
        os.utime(store.path("s01", key) / MANIFEST, ns=(0, 0))

    assert keys(store) == ["c", "b", "a"]


def test_only_sound_checkpoints_are_listed(store: Store) -> None:
    commit(store, "good")
    commit(store, "bad")
    commit(store, "aside")
    damage(store, "bad")
    store.set_aside("s01", "aside")
    write(store.folder / "s01/unfinished/x.arrow", "")

    assert keys(store) == ["good"]
    assert store.all_of("s02") == []


def test_values_that_are_not_what_was_committed_are_named(store: Store) -> None:
    made = commit(store, values={"a": table(), "b": table(), "c": table()})
    assert store.damaged(made) == []

    folder = store.path("s01", "key")
    (folder / made.values["a"].file).unlink()
    (folder / made.values["c"].file).write_bytes(b"other")
    assert store.damaged(made) == ["a", "c"]


def test_a_file_that_was_touched_but_not_changed_is_sound(store: Store) -> None:
    made = commit(store)
    os.utime(store.path("s01", "key") / made.values["flights"].file, ns=(1, 1))

    assert store.damaged(made) == []


def test_a_file_whose_stat_is_as_committed_is_read_only_when_asked(store: Store) -> None:
    made = commit(store)
    path = store.path("s01", "key") / made.values["flights"].file
    stat = path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert store.damaged(made) == []
    assert store.damaged(made, hash_all=True) == ["flights"]


def test_a_file_that_cannot_be_read_is_damaged(store: Store) -> None:
    made = commit(store)
    path = store.path("s01", "key") / made.values["flights"].file
    path.unlink()
    path.symlink_to(path)  # reading it fails by the system's own word

    assert store.damaged(made) == ["flights"]


def test_a_damaged_checkpoint_is_set_aside_with_all_its_files(store: Store) -> None:
    commit(store)
    before = {path.name for path in store.path("s01", "key").iterdir()}
    aside = store.set_aside("s01", "key")

    assert aside.name.startswith("key.damaged-")
    assert {path.name for path in aside.iterdir()} == before
    assert store.find("s01", "key") is None


def test_only_the_last_that_was_set_aside_is_kept(store: Store) -> None:
    commit(store, "first")
    first = store.set_aside("s01", "first")
    commit(store, "second")
    second = store.set_aside("s01", "second")

    assert not first.exists()
    assert second.exists()


def test_what_is_not_there_cannot_be_set_aside(store: Store) -> None:
    with pytest.raises(StorageError, match=r"Setting a damaged checkpoint aside in .* failed"):
        store.set_aside("s01", "key")


def test_a_sweep_removes_exactly_what_no_manifest_names(store: Store) -> None:
    commit(store, "a")
    commit(store, "b", values={"x": table(), "y": table()})
    commit(store, "bad")
    damage(store, "bad")
    commit(store, "aside")
    write(store.set_aside("s01", "aside") / "kept.tmp", "")
    write(store.folder / "run.json", "{}")
    write(store.folder / "hashes.json", "{}")
    kept = files(store)
    left = [
        left_by_a_kill(store.path("s01", "a"), "flights", ".arrow"),
        write(store.path("s01", "a") / temporary_name("manifest.json"), ""),
        write(left_by_a_kill(store.path("s01", "b"), "page") / "x.html", "").parent,
        left_by_a_kill(store.path("s01", "unfinished"), "x", ".arrow").parent,
        write(left_by_a_kill(store.path("s09", "unfinished"), "page") / "x.html", "").parent,
        write(store.folder / temporary_name("run.json"), ""),
    ]
    store.sweep()

    assert files(store) == kept
    assert not any(path.exists() for path in left)


def test_nothing_that_a_person_put_between_checkpoints_is_ever_removed(store: Store) -> None:
    ours = {f"s01/a/{name}" for name in (MANIFEST, *commit(store, "a").entries)}
    ours |= {f"s01/b/{name}" for name in (MANIFEST, *commit(store, "b").entries)}
    [value] = store.path("s01", "a").glob("flights.*")
    elsewhere = write(store.folder.parent / "elsewhere" / value.name, "behind a link")
    for link in ("s02", "s01/c", "s01/a/link", f"s01/a/{value.name}.link"):
        (store.folder / link).symlink_to(elsewhere.parent)
    shutil.copytree(store.path("s01", "a"), store.path("s01", "a copy"), symlinks=True)
    shutil.copytree(store.folder / "s01", store.folder / "s01 as it was", symlinks=True)
    for name in (
        "notes.txt",
        ".notes.0123456789abcdef.tmp",
        "2024/january/sales.csv",
        "2024/january/manifest.json",
        "s01/notes.txt",
        "s01/a.damaged-0123456789abcdef/manifest.json",
        "s01/a/notes.txt",
        "s01/a/x.0123456789abcdef.arrow",
        f"s01/a/{value.name}.bak",
        f"s01/a/other_{value.name}",
        "s01/unfinished/x.arrow",
    ):
        write(store.folder / name, "mine")
    links = {path for path in store.folder.rglob("*") if path.is_symlink()}
    kept = files(store) - ours
    store.set_aside("s01", "b")
    store.sweep()
    store.retire("s01", "none", keep=0)
    store.clear()

    assert files(store) == kept
    assert {path for path in store.folder.rglob("*") if path.is_symlink()} == links
    assert elsewhere.read_text() == "behind a link"


@pytest.mark.parametrize("linked", ["s01", "s01/a"])
def test_checkpoints_that_a_person_moved_and_linked_to_are_read_and_never_removed(
    store: Store, linked: str
) -> None:
    made = commit(store, "a")
    elsewhere = (store.folder / linked).rename(store.folder.parent / "another disk")
    (store.folder / linked).symlink_to(elsewhere)
    store.sweep()
    store.retire("s01", "none", keep=0)
    store.clear()

    assert (store.folder / linked).is_symlink()
    assert store.find("s01", "a") == made
    assert store.damaged(made, hash_all=True) == []


def test_there_may_be_nothing_to_sweep(store: Store) -> None:
    store.sweep()

    assert store.used_bytes() == 0


def used_in_order(store: Store, *made: tuple[str, dict[str, str]]) -> None:
    """Checkpoints, each with its params, the last used last."""
    for number, (key, params) in enumerate(made):
        commit(store, key, params=params)
        os.utime(store.path("s01", key) / MANIFEST, ns=(number, number))


def test_the_current_checkpoint_and_the_last_used_others_are_kept(store: Store) -> None:
    used_in_order(store, *((key, {}) for key in "edcba"))
    store.retire("s01", current="c", keep=2)

    assert keys(store) == ["a", "b", "c"]
    assert not store.path("s01", "d").exists()


def test_a_checkpoint_of_another_segment_is_not_retired(store: Store) -> None:
    used_in_order(store, ("a", {}), ("b", {}))
    commit(store, "a", segment="s02")
    store.retire("s01", current="b", keep=0)

    assert keys(store) == ["b"]
    assert store.find("s02", "a") is not None


def test_each_set_of_params_keeps_its_own(store: Store) -> None:
    monday, tuesday = {"day": "1", "n": "2"}, {"day": "2", "n": "2"}
    used_in_order(
        store, ("m1", monday), ("t1", tuesday), ("m2", monday), ("t2", tuesday), ("m3", monday)
    )
    store.retire("s01", current="m3", keep=1)

    assert keys(store) == ["m3", "t2", "m2"]


def test_the_order_in_which_params_are_written_makes_no_other_set(store: Store) -> None:
    used_in_order(store, ("a", {"x": "1", "y": "2"}), ("b", {"y": "2", "x": "1"}), ("c", {}))
    store.retire("s01", current="c", keep=1)

    assert keys(store) == ["c", "b"]


def test_a_removed_checkpoint_is_gone_with_all_its_files(store: Store) -> None:
    made = commit(store)
    store.remove(made)
    store.remove(made)

    assert files(store) == set()
    assert not store.path("s01", "key").exists()


def test_clearing_spares_what_it_is_told_and_counts_what_is_freed(store: Store) -> None:
    commit(store, "a")
    commit(store, "b")
    commit(store, "a", segment="s02")
    write(store.folder / "run.json", "{}")
    before = store.used_bytes()
    freed = store.clear(spare={("s01", "b")})

    assert {
        path.split("/")[0] + "/" + path.split("/")[1] for path in files(store) if "/" in path
    } == {"s01/b"}
    assert freed.bytes == before - store.used_bytes() > 0
    assert "run.json" in files(store)


def test_clearing_all_leaves_no_checkpoint(store: Store) -> None:
    commit(store)
    damage(store)
    store.set_aside("s01", "key")
    commit(store)

    assert store.clear().bytes > 0
    assert files(store) == set()
    assert store.clear().bytes == 0


def test_the_bytes_of_all_checkpoints_are_counted(store: Store) -> None:
    made = [commit(store, "a"), commit(store, "b", segment="s02")]
    manifests = sum((store.path(m.segment, m.key) / MANIFEST).stat().st_size for m in made)

    assert store.used_bytes() == sum(m.bytes for m in made) + manifests


@contextmanager
def holding(store: Store, lock: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock of the store."""
    code = f"""
import sys
from pathlib import Path
from flight_delays.checkpointing.disk.store import Store
with Store(Path(sys.argv[1])).{lock}():
    print("held", flush=True)
    sys.stdin.readline()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_two_runs_cannot_hold_the_lock_and_the_holder_is_named(store: Store) -> None:
    with (
        holding(store, "lock") as other,
        pytest.raises(Locked) as caught,
        store.lock(),
    ):
        raise AssertionError("the lock was taken twice")

    assert caught.value.message == (
        f"another run of this pipeline is in progress (process {other.pid} on "
        f"{socket.gethostname()}). Wait for it, or stop it; its finished segments will be reused."
    )


@pytest.mark.parametrize("note", ["", "[]", "{}", "3", None])
def test_a_holder_that_left_no_note_is_not_known(store: Store, note: str | None) -> None:
    with store.lock():
        if note is None:
            (store.folder / "run.json").unlink()
        else:
            write(store.folder / "run.json", note)
        with (
            pytest.raises(Locked, match=r"in progress \(unknown process\)"),
            Store(store.folder).lock(),
        ):
            raise AssertionError("the lock was taken twice")


def test_a_lock_is_free_once_its_holder_is_done_or_killed(store: Store) -> None:
    with store.lock():
        pass
    with holding(store, "lock") as other:
        other.kill()
        other.wait()
        with store.lock():
            assert str(os.getpid()) in (store.folder / "run.json").read_text()


def test_a_lock_is_free_after_an_error(store: Store) -> None:
    with pytest.raises(KeyError), store.lock():
        raise KeyError("x")
    with store.lock():
        assert store.folder.is_dir()


def test_a_worker_that_outlives_its_run_is_awaited(store: Store) -> None:
    code = """
import sys
from pathlib import Path
from flight_delays.checkpointing.disk.store import Store
print("starting", flush=True)
with Store(Path(sys.argv[1])).lock():
    print("locked", flush=True)
"""
    with store.worker_lock():
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(store.folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        while not (store.folder / "run.json").exists():  # from here on it waits for the worker
            assert process.poll() is None
    out, _ = process.communicate(timeout=60)

    assert (out, process.returncode) == ("locked\n", 0)


def test_a_worker_that_does_not_end_keeps_a_run_from_starting(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_WORKER_SECONDS", 0.05)
    with holding(store, "worker_lock"):
        with (
            pytest.raises(Locked, match="a worker from an earlier run is still alive"),
            store.lock(),
        ):
            raise AssertionError("the run started")
        (store.folder / "run.json").unlink()  # the run's own lock was given back
    with store.lock():
        assert (store.folder / "run.json").exists()


@pytest.mark.parametrize("blocked", ["run.lock", "worker.lock"])
def test_a_lock_that_cannot_be_taken_is_a_storage_error(store: Store, blocked: str) -> None:
    (store.folder / blocked).mkdir(parents=True)

    with pytest.raises(StorageError, match=r"Taking the lock in .* failed: "), store.lock():
        raise AssertionError("the lock was taken")


def test_a_folder_that_is_gone_is_not_made_anew_for_its_lock(store: Store) -> None:
    store.folder.rmdir()

    with (
        pytest.raises(StorageError, match=r"Taking the lock in .* failed: No such file"),
        store.lock(),
    ):
        raise AssertionError("the lock was taken")
    assert not store.folder.exists()


def test_a_step_ran_last_in_the_run_that_ran_it_finished_or_not_whatever_was_used(
    store: Store,
) -> None:
    early, late = "2026-01-01T00:00:00.000000+00:00", "2026-02-01T00:00:00.000000+00:00"
    first = replace(commit(store, "k1"), ran={"flights": (1, late)}, use=9)
    first.write(store.path("s01", "k1"))
    assert store.last_ran("s01", "flights") == (first, late)
    taken_over = replace(first, key="k3", use=12)  # without running it
    unfinished = replace(first, key="k2", ran={"flights": (2, early)}, use=2)
    for manifest, name in ((taken_over, MANIFEST), (unfinished, PARTIAL)):
        store.path("s01", manifest.key).mkdir()
        manifest.write(store.path("s01", manifest.key), name)
    assert store.last_ran("s01", "flights") == (unfinished, early)
    assert store.last_ran("s01", "planes") is None
    assert store.last_ran("s02", "flights") is None
