"""A URL that is changed, taken out, or claimed by two first runs at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.location import PACKAGE_NAME
from flight_delays.checkpointing.base.settings import load_settings
from flight_delays.checkpointing.disk.shared.claim import claim, others_bytes, read_claim
from flight_delays.checkpointing.disk.shared.objects import open_objects
from flight_delays.checkpointing.disk.shared.store import SharedStore
from flight_delays.checkpointing.disk.store import Store
from flight_delays.checkpointing.disk.stores import open_store

from ...builders import MEMORY_BUDGET, commit, toml_files
from .machines import altered, at, files, machine, objects_at


def test_two_first_runs_at_once_agree_on_one_note(url: str) -> None:
    def raced(method: Callable[..., Any], name: str) -> Any:
        """No note is there; another run writes it right afterwards."""
        try:
            return method(name)
        finally:
            claim(open_objects(url), "demo")

    ours = claim(altered(url, read=raced), "demo")
    assert ours == read_claim(open_objects(url), "demo")


def test_a_project_that_was_renamed_is_told_which_line_to_change(
    here: SharedStore, url: str
) -> None:
    path = at(url, "owner.json")
    path.write_text(path.read_text().replace(PACKAGE_NAME, "former_name"))

    with pytest.raises(ConfigurationError, match=rf'write "{PACKAGE_NAME}" after "project"'):
        read_claim(open_objects(url), "demo")


def test_only_folders_that_are_claimed_count_to_what_others_have(
    here: SharedStore, url: str, tmp_path: Path
) -> None:
    here.push(commit(here))
    (tmp_path / "url" / "reports").mkdir()
    (tmp_path / "url" / "reports" / "delays.parquet").write_bytes(b"0" * 10_000)
    (tmp_path / "url" / "other").mkdir()
    (tmp_path / "url" / "other" / "owner.json").write_bytes(b"{}")
    (tmp_path / "url" / "other" / "x").write_bytes(b"0" * 100)

    assert others_bytes(open_objects(url).list(), "demo") == 102


def moved(tmp_path: Path, url: str, path: str) -> Store:
    """A project that has only looked at a URL, after its path was changed."""
    memory = f'{MEMORY_BUDGET}[checkpoints]\npath = "{path}"\n'
    root = toml_files(tmp_path / "clone", memory=memory)
    store = open_store(load_settings(root), "demo")
    store.refresh()
    return store


@pytest.mark.parametrize("to", ["another URL", "a URL with a run", "no URL"])
def test_what_was_never_fetched_is_not_damaged_when_the_url_changes(
    here: SharedStore, tmp_path: Path, url: str, to: str
) -> None:
    here.push(commit(here))
    assert len(moved(tmp_path, url, url).all_of("s01")) == 1
    another = f"file://{tmp_path / 'another'}"
    if to == "a URL with a run":
        with machine(tmp_path / "else", another).lock():
            pass
    store = moved(tmp_path, url, "checkpoints" if to == "no URL" else another)

    assert store.all_of("s01") == []
    assert store.remarks() == []


def test_what_is_here_in_full_goes_to_the_new_url(tmp_path: Path, url: str) -> None:
    with (store := machine(tmp_path / "here", url)).lock():
        made = store.push(commit(store))
    another = f"file://{tmp_path / 'another'}"
    with (store := machine(tmp_path / "here", another)).lock():
        pass

    assert [m.key for m in store.all_of("s01")] == [made.key]
    assert objects_at(another) == objects_at(url)
    assert files(store)
