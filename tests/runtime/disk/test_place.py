"""A place is ours if it was empty when we claimed it, and from then on it names its owner."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError, StorageError
from flight_delays.checkpointing.base.names import temporary_name
from flight_delays.checkpointing.base.settings import PIPELINE_FILE, load_settings
from flight_delays.checkpointing.disk.owner import Owner
from flight_delays.checkpointing.disk.place import (
    MARK,
    Place,
    checkpoints_place,
    claim_places,
    runs_place,
)

from ..builders import MEMORY_BUDGET, link, toml_files, write


def project(folder: Path) -> Path:
    """The folder of a project."""
    return write(folder / PIPELINE_FILE, "").parent


def place_of(root: Path, folder: Path | None = None, pipeline: str = "demo") -> Place:
    owner = Owner(root, pipeline)
    return Place(folder or root / "checkpoints" / pipeline, "checkpoints", owner, "Name another.")


def refusal(place: Place) -> str:
    """The message of a place that is refused: `is_ours` and `claim` raise the same."""
    messages = []
    for ask in (place.is_ours, place.claim):
        with pytest.raises(ConfigurationError) as caught:
            ask()
        messages.append(caught.value.message)
    assert len(set(messages)) == 1
    assert "Name another." in messages[0]
    return messages[0]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


def test_a_place_is_ours_once_it_is_claimed(root: Path) -> None:
    place = place_of(root)
    assert not place.is_ours()
    assert not place.folder.exists()

    place.claim()
    place.claim()
    assert place.is_ours()
    assert [path.name for path in place.folder.iterdir()] == [MARK]
    assert json.loads((place.folder / MARK).read_text()) == {
        "format": 1,
        "holds": "checkpoints",
        "pipeline": "demo",
        "project": "../..",
    }


LEFT: dict[str, Callable[[Path], object]] = {
    "nothing": lambda folder: folder.mkdir(parents=True),
    "a lock": lambda folder: write(folder / "run.lock", ""),
    "both locks": lambda f: (write(f / "run.lock", ""), write(f / "worker.lock", "")),
    "half a mark": lambda folder: write(folder / temporary_name(MARK), '{"form'),
}


@pytest.mark.parametrize("left", LEFT)
def test_what_a_first_run_leaves_that_is_killed_is_no_obstacle(root: Path, left: str) -> None:
    place = place_of(root)
    LEFT[left](place.folder)

    assert not place.is_ours()
    place.claim()
    assert place.is_ours()


OTHERS: dict[str, Callable[[Path], object]] = {
    "a folder": lambda folder: (folder / "2024/january").mkdir(parents=True),
    "a file": lambda folder: write(folder / "notes.txt", ""),
    "a hidden file": lambda folder: write(folder / ".notes", ""),
    "a link": lambda folder: link(folder / "run.lock", "nowhere"),
    "a lock that is none": lambda folder: write(folder / "run.lock", "held by Ann until Monday"),
    "a folder named like a lock": lambda folder: (folder / "run.lock").mkdir(parents=True),
    "a file named like half a mark": lambda folder: write(folder / f".{MARK}.tmp", ""),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_folder_in_which_a_person_keeps_anything_is_not_ours(root: Path, other: str) -> None:
    place = place_of(root)
    OTHERS[other](place.folder)
    [name] = [path.name for path in place.folder.iterdir()]

    assert f"but `{name}` is in it, and no {MARK}" in refusal(place)
    assert [path.name for path in place.folder.iterdir()] == [name]


def test_what_is_in_the_way_is_named_and_not_all_of_it_when_it_is_much(root: Path) -> None:
    place = place_of(root)
    for name in "edcba":
        write(place.folder / name, "")

    assert "but `a`, `b`, `c` and 2 more are in it" in refusal(place)


OBSTACLES: dict[str, Callable[[Path], object]] = {
    "not a folder": lambda path: write(path, "mine"),
    "a link that leads to no folder": lambda path: link(path, PIPELINE_FILE),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.parametrize("at", ["demo", "."])
def test_what_is_no_folder_is_told(root: Path, obstacle: str, at: str) -> None:
    place = place_of(root)
    if at == "demo":
        place.folder.parent.mkdir()
    path = place.folder.parent / at
    OBSTACLES[obstacle](path)

    assert f"but {path} is {obstacle}" in refusal(place)
    assert not path.is_dir()


def test_a_place_may_be_an_empty_folder_on_another_disk_behind_a_link(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (root / "checkpoints").mkdir()
    (root / "checkpoints" / "demo").symlink_to(tmp_path / "disk")
    place_of(root).claim()

    assert place_of(root).is_ours()
    assert json.loads((tmp_path / "disk" / MARK).read_text())["project"] == str(root)


def test_another_project_and_another_pipeline_are_refused_by_name(
    root: Path, tmp_path: Path
) -> None:
    place = place_of(root)
    place.claim()
    second = project(tmp_path / "second")

    message = refusal(place_of(second, place.folder))
    assert message.startswith(f"{place.folder} belongs to the project in {root}, this one is in ")
    assert f'write "project": "{second}" into {place.folder / MARK}' in message
    assert "the pipeline `demo`, this" in refusal(place_of(root, place.folder, "other"))
    with pytest.raises(ConfigurationError, match="is the folder of checkpoints, not of runs"):
        Place(place.folder, "runs", place.owner, "").is_ours()


def test_the_remedy_for_a_project_that_was_moved_works(root: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    place_of(root, disk).claim()
    moved = root.rename(tmp_path / "moved")
    assert f"belongs to the project in {root}" in refusal(place_of(moved, disk))

    mark = json.loads((disk / MARK).read_text())
    write(disk / MARK, json.dumps(mark | {"project": str(moved)}))
    assert place_of(moved, disk).is_ours()


@pytest.mark.parametrize("do", [shutil.copytree, shutil.move])
def test_a_project_takes_its_places_along(root: Path, tmp_path: Path, do: object) -> None:
    place_of(root).claim()
    assert callable(do)
    do(root, tmp_path / "deeper" / "project")

    assert place_of(tmp_path / "deeper" / "project").is_ours()


def test_a_place_may_be_moved_within_its_project(root: Path) -> None:
    place_of(root).claim()
    (root / "data/cache").mkdir(parents=True)
    (root / "checkpoints").rename(root / "data/cache/checkpoints")

    assert place_of(root, root / "data/cache/checkpoints/demo").is_ours()


def test_a_project_within_another_has_places_of_its_own(root: Path) -> None:
    inner = project(root / "inner")
    place_of(inner).claim()
    assert place_of(inner).is_ours()

    assert f"belongs to the project in {inner}" in refusal(
        place_of(root, inner / "checkpoints/demo")
    )


def test_a_project_is_the_same_by_every_path_that_leads_to_it(root: Path, tmp_path: Path) -> None:
    place_of(root, tmp_path / "disk").claim()
    (tmp_path / "link").symlink_to(root)

    assert place_of(tmp_path / "link", tmp_path / "disk").is_ours()
    assert place_of(root / "x" / "..", tmp_path / "disk").is_ours()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[" * 100_000, "it is nested too deep"),
        ("7", "it is no JSON object"),
        ("{}", "`format` is not 1"),
        ('{"format": 1, "project": ".."}', "`holds` is no name"),
        ('{"format": 2, "holds": "checkpoints", "project": ".."}', "`format` is not 1"),
        ('{"format": 1, "holds": "checkpoints", "project": 7}', "`project` is no name"),
        ('{"format": 1, "holds": "x", "project": "..", "entries": [7]}', "`entries` is no list"),
    ],
)
def test_a_damaged_mark_is_told_and_nothing_is_guessed(root: Path, text: str, why: str) -> None:
    mark = write(place_of(root).folder / MARK, text)

    for ask in (place_of(root).is_ours, place_of(root).claim):
        with pytest.raises(ConfigurationError) as caught:
            ask()
        assert caught.value.message.startswith(f"{mark} is damaged, so nothing tells whose")
        assert why in caught.value.message
    assert mark.read_text() == text


def test_a_mark_that_cannot_be_read_is_a_storage_error(root: Path) -> None:
    (place_of(root).folder / MARK).mkdir(parents=True)

    with pytest.raises(StorageError, match="Looking whose the folder of checkpoints is"):
        place_of(root).is_ours()


def test_both_places_of_a_run_are_claimed_or_none(root: Path) -> None:
    settings = load_settings(toml_files(root))
    mine = write(settings.checkpoints / "demo/notes.txt", "")
    with pytest.raises(ConfigurationError, match=r"Name another \[checkpoints\] path"):
        claim_places(settings, "demo")
    assert not settings.runs.exists()

    mine.rename(settings.runs)
    with pytest.raises(ConfigurationError, match=r"Name another \[runs\] path"):
        claim_places(settings, "demo")
    assert list((settings.checkpoints / "demo").iterdir()) == []


def test_checkpoints_may_lie_among_the_records(root: Path) -> None:
    memory = MEMORY_BUDGET + '[checkpoints]\npath = "runs"\n'
    settings = load_settings(toml_files(root, memory=memory))
    for _ in range(2):
        claim_places(settings, "demo")

    assert runs_place(settings).is_ours()
    assert checkpoints_place(settings, "demo").is_ours()


def test_a_place_is_given_up_only_when_nothing_else_is_in_it(root: Path) -> None:
    place = place_of(root)
    place.give_up()
    place.claim()
    mine = write(place.folder / "notes.txt", "mine")
    place.give_up()
    assert place.is_ours()

    mine.unlink()
    place.give_up()
    assert not place.folder.exists()


def test_where_there_are_no_hard_links_a_mark_is_made_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    place_of(root).claim()

    assert place_of(root).is_ours()
    assert [path.name for path in place_of(root).folder.iterdir()] == [MARK]
