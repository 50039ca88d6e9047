"""`executors status` and `executors sweep`: what they list, end, and leave alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.elsewhere import ExecutorTable
from flight_delays.checkpointing.disk.shared.holder import Holder, forget, new_holder
from flight_delays.checkpointing.executors.ledger import Entry, new_place, write_entry

from ..conftest import Project
from .sent import lay_out, left_behind

TABLE = ExecutorTable.model_validate({"kind": "local", "memory": "1 GB", "time_limit": "1 min"})


def place_of(project: Project, holder: Holder, *, is_in_ledger: bool = True) -> str:
    """A place as a run of that process leaves it: in the ledger, and a folder that lives."""
    folder = project.folder / "executors"
    now = datetime.now(UTC)
    entry = Entry(
        place=new_place(project.folder),
        executor="trainer",
        table=TABLE.model_dump(mode="json"),
        pipeline="demo",
        segment="s02",
        key="k",
        storage=(folder / "none.storage").as_uri(),
        holder=holder,
        made_at=now.isoformat(),
        ends_at=(now + timedelta(hours=1)).isoformat(),
    )
    if is_in_ledger:
        write_entry(folder, entry)
    (folder / entry.place).mkdir()
    (folder / entry.place / "process.json").write_text(json.dumps({"executor": "trainer"}))
    return entry.place


def asked(project: Project, *words: str) -> dict[str, Any]:
    done = project.command("executors", *words, "--json")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def sent(project: Project) -> Project:
    return lay_out(project)


OTHER = replace(new_holder(), host="another-container")


def test_a_place_of_another_host_is_left_alone_until_it_is_named(sent: Project) -> None:
    other, third = place_of(sent, OTHER), place_of(sent, OTHER)
    [line, _] = sorted(asked(sent)["places"], key=lambda line: line["place"] != other)
    assert "on another-container" in line["state"]
    assert "counts as left behind from" in line["state"]
    assert f"`executors sweep --place {other}` ends it now" in line["state"]
    assert "at work" not in line["state"]
    assert asked(sent, "sweep")["gone"] == []
    assert asked(sent, "sweep", "--place", other) == {"gone": [other], "failed": [], "unknown": []}
    assert [line["place"] for line in asked(sent)["places"]] == [third]


@pytest.mark.slow
def test_a_place_in_no_ledger_is_swept_by_its_name_too(sent: Project) -> None:
    first, second = (place_of(sent, OTHER, is_in_ledger=False) for _ in range(2))
    assert asked(sent, "sweep", "--place", first)["gone"] == [first]
    assert asked(sent, "sweep")["gone"] == [second]
    assert left_behind(sent) == []


def test_a_place_that_a_living_run_is_at_work_with_is_not_destroyed(sent: Project) -> None:
    holder = new_holder()
    place = place_of(sent, holder)
    done = sent.command("executors", "sweep", "--place", place)
    assert done.returncode == 2
    assert f"End that run (Ctrl-C, or `kill {holder.pid}`)" in done.stderr
    assert [line["lives"] for line in asked(sent)["places"]] == [True]
    forget(holder)


@pytest.mark.slow
def test_a_name_that_no_place_has_is_said_so(sent: Project) -> None:
    assert (
        "there is no place `cp-x`" in sent.command("executors", "sweep", "--place", "cp-x").stdout
    )
    assert sent.command("executors", "status", "--place", "cp-x").returncode == 2
    assert not Path(sent.folder / "executors").exists(), "looking writes nothing"


ANSWERING = """
from pathlib import Path
from .checkpointing.executors import register
from .checkpointing.executors.local import Local

class Answering(Local):
    def living(self):
        for path in Path(__file__).parent.glob("*.json"):  # a run begins, and has its entry first
            path.rename(self._folder / path.name)
        return super().living()

register("answering", Answering)
"""


def test_a_run_that_begins_while_the_executors_are_asked_keeps_its_place(sent: Project) -> None:
    wiring = (sent.folder / "pipeline.toml").read_text()
    sent.write("pipeline.toml", wiring.replace('"local"', '"answering"'))
    sent.write("src/demo/adapters.py", ANSWERING)
    place = place_of(sent, OTHER)
    (sent.folder / "executors" / f"{place}.json").rename(sent.package / f"{place}.json")
    [line] = asked(sent)["places"]
    assert (line["segment"], line["lives"]) == ("s02", True)
    (sent.folder / "executors" / f"{place}.json").rename(sent.package / f"{place}.json")
    assert asked(sent, "sweep")["gone"] == []
    assert (sent.folder / "executors" / place).exists()
