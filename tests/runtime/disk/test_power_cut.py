"""After a power cut at any moment there is the former state or the new one, and nothing between."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.files import publish
from flight_delays.checkpointing.disk.commit import Commit
from flight_delays.checkpointing.disk.store import Store

from ..builders import PLENTY, commit, table
from .power import Disk


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def seen_in(state: Path) -> str | None:
    """When the checkpoint of a laid out store was committed; None if there is none."""
    store = Store(state)
    manifest = store.find("s01", "key")
    if manifest is None:
        return None
    assert store.damaged(manifest, hash_all=True) == []
    return manifest.committed_at


def test_a_checkpoint_is_whole_or_absent(tmp_path: Path, scratch: Path) -> None:
    store = Store(tmp_path / "demo")
    store.folder.mkdir()
    seen = []

    def check(state: Path, before: str) -> None:
        seen.append(seen_in(state))
        shutil.rmtree(state)

    with Disk(store.folder, scratch, check).watched():
        committed = commit(store).committed_at
    assert set(seen) == {None, committed}
    assert seen[-1] == committed, "it is durable once it is committed"


def test_a_checkpoint_that_is_replaced_is_there_before_and_after(
    tmp_path: Path, scratch: Path
) -> None:
    store = Store(tmp_path / "demo")
    former = commit(store).committed_at
    seen = []

    def check(state: Path, before: str) -> None:
        seen.append(seen_in(state))
        shutil.rmtree(state)

    with Disk(store.folder, scratch, check).watched():
        new = commit(store, values={"flights": table(5)}, committed_at="2026-02-02").committed_at
    assert set(seen) == {former, new}
    assert seen[-1] == new


def test_an_abandoned_commit_leaves_the_former_checkpoint(tmp_path: Path, scratch: Path) -> None:
    store = Store(tmp_path / "demo")
    former = commit(store).committed_at

    def check(state: Path, before: str) -> None:
        assert seen_in(state) == former, before
        shutil.rmtree(state)

    with Disk(store.folder, scratch, check).watched():
        making = Commit(store.path("s01", "key"), PLENTY)
        (making.workdir("page") / "page.txt").write_text("half")
        making.abandon()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_published_output_is_the_former_or_the_new(
    tmp_path: Path, scratch: Path, kind: str
) -> None:
    source, target = tmp_path / "new", tmp_path / "out" / "result"
    lay_out(source, kind, "new")
    lay_out(target, kind, "former")
    seen = published(source, target, scratch)
    # Two renames replace a folder: after a cut between them the run publishes it again.
    assert set(seen) == ({"former", "new", None} if kind == "folder" else {"former", "new"})
    assert seen[-1] == "new"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_output_that_is_published_to_a_new_folder_stays(
    tmp_path: Path, scratch: Path, kind: str
) -> None:
    source = tmp_path / "new"
    (tmp_path / "out").mkdir()
    lay_out(source, kind, "new")
    seen = published(source, tmp_path / "out" / "2026" / "january" / "result", scratch)
    assert set(seen) == {None, "new"}
    assert seen[-1] == "new"


def published(source: Path, target: Path, scratch: Path) -> list[str | None]:
    """What the target holds after a cut at each moment of publishing, None if it does not exist."""
    out = scratch.parent / "out"
    seen: list[str | None] = []

    def check(state: Path, before: str) -> None:
        path = state / target.relative_to(out)
        file = path / "a.txt" if path.is_dir() else path
        seen.append(file.read_text() if file.exists() else None)
        shutil.rmtree(state)

    with Disk(out, scratch, check).watched():
        publish(source, target)
    return seen


def lay_out(path: Path, kind: str, text: str) -> None:
    file = path / "a.txt" if kind == "folder" else path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
