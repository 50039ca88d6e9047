"""The ledger of executors: what it says, when an entry counts as left behind, and damage."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.elsewhere import ExecutorTable
from flight_delays.checkpointing.disk.shared.holder import forget, holder_of, new_holder
from flight_delays.checkpointing.executors.ledger import (
    Entry,
    damaged_entries,
    known_places,
    new_place,
    prefix_of,
    read_entries,
    remove_entry,
    write_entry,
)

TABLE = ExecutorTable.model_validate({"kind": "local", "memory": "1.5 GB", "time_limit": "1 min"})


def entry(root: Path, minutes: float = 60) -> Entry:
    now = datetime.now(UTC)
    return Entry(
        place=new_place(root),
        executor="gpu",
        table=TABLE.model_dump(mode="json"),
        pipeline="delays",
        segment="s05_train",
        key="k",
        storage="s3://bucket/x",
        holder=new_holder(),
        made_at=now.isoformat(),
        ends_at=(now + timedelta(minutes=minutes)).isoformat(),
    )


def test_an_entry_comes_back_as_it_was_written_until_it_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "executors"
    assert read_entries(folder) == []
    first, second = entry(tmp_path), entry(tmp_path)
    for each in (second, first):
        write_entry(folder, each)
    assert read_entries(folder) == [first, second]
    assert read_entries(folder)[0].settings == TABLE
    remove_entry(folder, first.place)
    remove_entry(folder, first.place)  # twice does no harm
    assert read_entries(folder) == [second]


def test_a_damaged_entry_is_told_and_hides_no_other(tmp_path: Path) -> None:
    sound, damaged, folder = entry(tmp_path), entry(tmp_path), entry(tmp_path)
    for each in (sound, damaged):
        write_entry(tmp_path, each)
    file = tmp_path / f"{damaged.place}.json"
    file.write_text(file.read_text()[:100])
    (tmp_path / f"{folder.place}.json").mkdir()
    assert read_entries(tmp_path) == [sound]
    told = "\n".join(damaged_entries(tmp_path))
    assert f"named `{damaged.place}` lives" in told
    assert f"named `{folder.place}` lives" in told


def test_the_names_of_places_are_of_one_project_and_fit_every_cloud(tmp_path: Path) -> None:
    names = {new_place(tmp_path) for _ in range(50)}
    assert len(names) == 50
    prefix = prefix_of(tmp_path)
    assert prefix
    assert all(name.startswith(prefix) and len(name) <= 20 for name in names)


def test_two_clones_at_one_path_on_hosts_of_one_name_have_places_of_their_own(
    tmp_path: Path,
) -> None:
    def prefix_of_a_container() -> str | None:
        project = tmp_path / "app"
        assert prefix_of(project) is None
        assert not project.exists(), "asking writes nothing"
        new_place(project)
        prefix = prefix_of(project)
        new_place(project)
        assert prefix_of(project) == prefix
        copy = shutil.copytree(project, tmp_path / "copy")
        assert prefix_of(copy) != prefix
        shutil.rmtree(project)
        shutil.rmtree(copy)
        return prefix

    assert prefix_of_a_container() != prefix_of_a_container()


def test_git_never_sees_what_lies_beside_the_ledger(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    write_entry(tmp_path / "executors", entry(tmp_path))
    asked = ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(asked, check=True, capture_output=True).stdout == b""


def test_an_entry_is_left_behind_once_its_process_has_ended(tmp_path: Path) -> None:
    mine = entry(tmp_path)
    assert not mine.is_abandoned()
    forget(mine.holder)
    assert mine.is_abandoned()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert replace(mine, holder=replace(new_holder(), pid=child)).is_abandoned()


@pytest.mark.parametrize(
    "other", [{"host": "another"}, {"machine": "another boot"}, {"machine": ""}], ids=str
)
def test_of_another_machine_or_boot_only_time_tells(tmp_path: Path, other: dict[str, str]) -> None:
    soon, over = entry(tmp_path, minutes=1), entry(tmp_path, minutes=-11)
    holder = holder_of(new_holder().as_json() | {"host": socket.gethostname()} | other)
    assert holder is not None
    assert not replace(soon, holder=holder).is_abandoned()
    assert replace(over, holder=holder).is_abandoned()


def test_the_ledger_names_no_value_of_a_variable(tmp_path: Path) -> None:
    write_entry(tmp_path, replace(entry(tmp_path), table={"variables": ["AWS_SECRET_ACCESS_KEY"]}))
    [file] = tmp_path.glob("cp-*.json")
    assert json.loads(file.read_text())["table"] == {"variables": ["AWS_SECRET_ACCESS_KEY"]}


def test_a_place_with_a_damaged_entry_is_known(tmp_path: Path) -> None:
    damaged = entry(tmp_path)
    write_entry(tmp_path, damaged)
    (tmp_path / f"{damaged.place}.json").write_text("{")
    assert read_entries(tmp_path) == []
    assert known_places(tmp_path) == {damaged.place}
