"""Publishing replaces what a run of the same project has published, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.files import publish, remove
from flight_delays.checkpointing.base.settings import PIPELINE_FILE
from flight_delays.checkpointing.disk.claims import Target
from flight_delays.checkpointing.disk.owner import Owner

from ..builders import link, write


@pytest.fixture
def target(tmp_path: Path) -> Target:
    root = write(tmp_path / "project" / PIPELINE_FILE, "").parent
    return Target("pages", root / "out/pages", Owner(root, None))


def put(target: Target, *names: str) -> None:
    """Publish, as a run does, a folder with files of these names; without names a file."""
    source = target.path.parents[1] / "made"
    for name in names:
        write(source / name, name)
    if not names:
        write(source, "a file")
    publish(source, target.path, target.announce)
    target.settle()
    remove(source)


def refusal(target: Target) -> str:
    with pytest.raises(ConfigurationError) as caught:
        target.require_ours()
    return caught.value.message


OTHERS: dict[str, Callable[[Path], object]] = {
    "a file": lambda path: write(path, "mine"),
    "an empty file": lambda path: write(path, ""),
    "a folder": lambda path: write(path / "january/sales.csv", "1"),
    "a folder with a link": lambda path: link(path / "x", "nowhere"),
    "a folder with an empty one": lambda path: (path / "january").mkdir(parents=True),
    "a link to a file": lambda path: link(path, __file__),
    "a link to a folder": lambda path: link(path, Path(__file__).parent),
    "a link to nothing": lambda path: link(path, "nowhere"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_no_run_has_published_is_refused(target: Target, other: str) -> None:
    target.path.parent.mkdir()
    OTHERS[other](target.path)

    message = refusal(target)
    assert message.startswith(f"[outputs] `pages`: {target.path} ")
    assert "ove " in message
    assert f"in {PIPELINE_FILE}" in message


@pytest.mark.parametrize("published", [(), ("a.html", "inner/b.html")])
@pytest.mark.parametrize("other", [name for name in OTHERS if "empty file" not in name])
def test_what_took_the_place_of_what_a_run_has_published_is_refused_when_it_is_another_kind(
    target: Target, published: tuple[str, ...], other: str
) -> None:
    put(target, *published)
    target.path.rename(target.path.with_name("moved away"))
    OTHERS[other](target.path)
    if other == "a file" and not published:  # then it is taken for the one that was published
        target.require_ours()
    else:
        refusal(target)


@pytest.mark.parametrize("published", [(), ("a.html", "inner/b.html")])
def test_what_a_run_has_published_is_ours(target: Target, published: tuple[str, ...]) -> None:
    target.require_ours()
    put(target, *published)
    target.require_ours()
    put(target, "c.html")
    target.require_ours()

    assert [path.name for path in target.path.iterdir()] == ["c.html"]
    assert json.loads(target.claim.read_text()) == {
        "format": 1,
        "holds": "pages",
        "project": "..",
        "entries": ["c.html"],
    }


def test_what_is_left_of_a_published_folder_is_ours_and_what_came_to_it_is_not(
    target: Target,
) -> None:
    put(target, "a.html", "b.html")
    (target.path / "a.html").unlink()
    target.require_ours()

    write(target.path / "notes.txt", "mine")
    assert "no run has published `notes.txt` in it" in refusal(target)


@pytest.mark.parametrize("published", [(), ("a.html",)])
@pytest.mark.parametrize("then", [(), ("b.html",)])
def test_a_kill_while_it_is_published_leaves_it_ours(
    target: Target, published: tuple[str, ...], then: tuple[str, ...]
) -> None:
    put(target, *published)
    copy = target.path.with_name("copy")
    for name in then:
        write(copy / name, "")
    if not then:
        write(copy, "")
    target.announce(copy)
    target.require_ours()  # killed before it was put in place

    target.path.rename(target.path.with_name("former"))
    target.require_ours()  # killed between two renames
    copy.rename(target.path)
    target.require_ours()  # killed before the claim said what is there now


def test_what_comes_to_a_folder_while_the_new_one_is_copied_is_not_lost(target: Target) -> None:
    put(target, "a.html")
    source = write(target.path.parents[1] / "made/a.html", "new").parent

    def announce(copy: Path) -> None:
        write(target.path / "notes.txt", "mine")
        target.announce(copy)

    with pytest.raises(ConfigurationError, match=r"no run has published `notes.txt`"):
        publish(source, target.path, announce)
    assert (target.path / "notes.txt").read_text() == "mine"
    assert (target.path / "a.html").read_text() == "a.html"


def test_where_another_project_publishes_is_refused_by_name(target: Target, tmp_path: Path) -> None:
    put(target)
    second = write(tmp_path / "second" / PIPELINE_FILE, "").parent
    for _ in range(2):
        message = refusal(Target("pages", target.path, Owner(second, None)))
        assert f"belongs to the project in {target.owner.root}" in message
        target.path.unlink(missing_ok=True)


def test_a_damaged_claim_is_told(target: Target) -> None:
    put(target)
    write(target.claim, '{"format": 1')

    assert refusal(target).startswith(f"{target.claim} is damaged")


def test_a_claim_says_the_same_for_the_same_facts(target: Target) -> None:
    put(target, "b", "a", "c/d")
    first = target.claim.read_bytes(), target.claim.stat().st_mtime_ns
    put(target, "c/d", "b", "a")

    assert (target.claim.read_bytes(), target.claim.stat().st_mtime_ns) == first


@pytest.mark.parametrize("kind", ["a file", "a link to nothing", "a link to itself", "a pipe"])
def test_a_folder_for_outputs_that_can_be_none_is_refused_before_anything_runs(
    tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "out"
    if kind == "a file":
        place.touch()
    elif kind == "a pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("nowhere" if kind == "a link to nothing" else "out")
    for path in (place / "x", place / "deeper" / "x"):
        with pytest.raises(ConfigurationError, match=r"out is (not a folder|a link that leads to)"):
            Target("x", path, Owner(tmp_path, None)).require_ours()


def test_a_folder_for_outputs_may_be_a_link_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")

    assert Target("x", tmp_path / "out" / "x", Owner(tmp_path, None)).require_ours() is None
