"""Publishing to a URL replaces what a run of the same project has published, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError, StorageError
from flight_delays.checkpointing.base.files import checksum
from flight_delays.checkpointing.disk.manifest import FileRecord
from flight_delays.checkpointing.disk.shared.objects import Objects, open_objects
from flight_delays.checkpointing.disk.shared.publishing import DONE, ObjectTarget

from ...marks import in_slow
from ...s3 import S3
from ..builders import write


@pytest.fixture
def bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Objects:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return open_objects(f"{s3.bucket()}/reports")


@pytest.fixture
def target(bucket: Objects) -> ObjectTarget:
    return target_of(bucket)


def target_of(bucket: Objects, project: str = "flights", name: str = "pages") -> ObjectTarget:
    return ObjectTarget("pages", f"{bucket.url}/{name}", project, open_objects)


def source(folder: Path, *names: str) -> tuple[Path, FileRecord]:
    """A folder with files of these names, each with its name in it; without names a file."""
    made = folder / f"made-{len(list(folder.iterdir()))}"
    for name in names:
        write(made / name, name)
    if not names:
        write(made, "a file")
    return made, FileRecord(made.name, "path", "files", 1, checksum(made), 0, 0)


def content(target: ObjectTarget, record: FileRecord) -> str:
    def hashed(path: Path) -> str:
        raise AssertionError(f"{path} is hashed")

    return target.content(record, hashed)


def names(bucket: Objects) -> list[str]:
    return [stored.name for stored in bucket.list()]


def refusal(target: ObjectTarget) -> str:
    with pytest.raises(ConfigurationError) as caught:
        target.require_ours()
    return caught.value.message


OTHERS: dict[str, Callable[[Objects], object]] = {
    "an object": lambda objects: objects.create("pages", b"mine"),
    "an empty object": lambda objects: objects.create("pages", b""),
    "a folder": lambda objects: objects.create("pages/january/sales.csv", b"1"),
    "a folder of Spark": lambda objects: objects.create(f"pages/{DONE}", b""),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_no_run_has_published_at_a_url_is_refused(
    bucket: Objects, target: ObjectTarget, other: str
) -> None:
    OTHERS[other](bucket)
    before = names(bucket)
    assert "no run of this project has published it" in refusal(target)
    assert names(bucket) == before


def test_an_object_beside_one_that_begins_alike_is_not_taken_for_it(
    bucket: Objects, target: ObjectTarget, tmp_path: Path
) -> None:
    bucket.create("pages.old", b"mine")
    bucket.create("pages-2/x", b"mine")
    target.publish(*source(tmp_path))
    assert bucket.read("pages.old")[0] == b"mine"
    assert content(target, source(tmp_path)[1]) == "published"


def test_an_object_is_replaced_and_its_claim_says_by_what(
    bucket: Objects, target: ObjectTarget, tmp_path: Path
) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    write(first, "first")
    write(second, "x" * 6_000_000)  # in two parts
    for file in (first, second):
        record = FileRecord(file.name, "path", "files", 1, checksum(file), 0, 0)
        assert content(target, record) == ("missing" if file == first else "changed")
        target.publish(file, record)
        assert content(target, record) == "published"
        assert bucket.read("pages")[0] == file.read_bytes()
    assert names(bucket) == [".pages.published", "pages"]
    claim = json.loads(bucket.read(".pages.published")[0])
    assert (claim["holds"], claim["project"]) == ("pages", "flights")


def test_what_somebody_replaces_or_removes_is_noticed_without_fetching_it(
    bucket: Objects, target: ObjectTarget, tmp_path: Path
) -> None:
    made, record = source(tmp_path)
    target.publish(made, record)
    bucket.put("pages", write(tmp_path / "other", "b file"))
    assert content(target, record) == "changed"
    bucket.remove(["pages"])
    assert content(target, record) == "missing"
    target.publish(made, record)
    assert bucket.read("pages")[0] == b"a file"


def test_the_same_project_elsewhere_goes_on_and_another_one_is_refused_by_name(
    bucket: Objects, target: ObjectTarget, tmp_path: Path
) -> None:
    made, record = source(tmp_path)
    target.publish(made, record)
    assert content(target_of(bucket), record) == "published"
    message = refusal(target_of(bucket, "weather"))
    assert "belongs to the project `flights`, this one is `weather`" in message
    assert f"{bucket.url}/.pages.published" in message


def test_a_folder_is_whole_while_its_mark_is_there_and_keeps_no_former_file(
    bucket: Objects, target: ObjectTarget, tmp_path: Path
) -> None:
    target.publish(*source(tmp_path, "a.csv", "2013/b.csv", "ñ %20#?+&=1.csv"))
    assert "pages/ñ %20#?+&=1.csv" in names(bucket)
    made, record = source(tmp_path, "b.csv", "2013/b.csv")
    assert content(target, record) == "changed"
    target.publish(made, record)
    published = ["pages/2013/b.csv", f"pages/{DONE}", "pages/b.csv"]
    assert names(bucket) == [".pages.published", *published]
    assert content(target, record) == "published"
    bucket.remove([f"pages/{DONE}"])
    assert content(target, record) == "changed"
    bucket.create("pages/notes.txt", b"mine")
    assert "`pages/notes.txt`" in refusal(target)


def test_the_mark_that_a_step_wrote_itself_is_published_last(
    bucket: Objects, target: ObjectTarget, tmp_path: Path
) -> None:
    target.publish(*source(tmp_path, DONE, "a.csv", "z.csv"))
    assert bucket.read(f"pages/{DONE}")[0] == DONE.encode()


@pytest.mark.parametrize(("first", "then"), [((), ("a",)), (("a",), ())])
def test_a_folder_takes_the_place_of_a_file_and_the_other_way_round(
    bucket: Objects, target: ObjectTarget, tmp_path: Path, first: tuple[str], then: tuple[str]
) -> None:
    target.publish(*source(tmp_path, *first))
    made, record = source(tmp_path, *then)
    target.publish(made, record)
    assert content(target, record) == "published"
    expected = [f"pages/{DONE}", "pages/a"] if then else ["pages"]
    assert names(bucket) == [".pages.published", *expected]


class Killed(BaseException):
    """The process ends here."""


class Breaking:
    """Objects of a process that is killed before its call number `last` that changes something."""

    def __init__(self, objects: Objects, last: int) -> None:
        self._objects, self._left = objects, last

    def __getattr__(self, name: str) -> object:
        if name in ("put", "create", "replace", "remove"):
            self._left -= 1
            if self._left < 0:
                raise Killed
        return getattr(self._objects, name)


FOLDER = ("a", "b/c")
CHANGES: dict[str, tuple[tuple[str, ...] | None, tuple[str, ...]]] = {
    "a first file": (None, ()),
    "a file again": ((), ()),
    "a first folder": (None, FOLDER),
    "a folder again": (FOLDER, ("a", "d")),
    "a folder for a file": ((), FOLDER),
    "a file for a folder": (FOLDER, ()),
}

REST = [change for change in CHANGES if "again" not in change]


@pytest.mark.parametrize("change", ["a file again", "a folder again", *in_slow(*REST)])
def test_killed_before_any_request_the_next_run_publishes_and_no_part_looks_whole(
    bucket: Objects, tmp_path: Path, change: str
) -> None:
    first, then = CHANGES[change]
    is_killed, last = True, 0
    while is_killed:
        target = target_of(bucket, name=f"pages-{last}")
        if first is not None:
            target.publish(*source(tmp_path, *first))
        made, record = source(tmp_path, *then)
        broken = ObjectTarget("pages", target.text, "flights", partial(_opened_until, last))
        try:
            broken.publish(made, record)
            is_killed = False
        except Killed:
            is_killed = True
        present = {stored.name.partition("/")[2] for stored in bucket.list(target.name)}
        if DONE in present:
            assert present - {DONE} in (set(first or ()), set(then))
        target.require_ours()
        target.publish(made, record)
        assert content(target, record) == "published"
        present = {stored.name.partition("/")[2] for stored in bucket.list(target.name)}
        assert present == ({*then, DONE} if then else set())
        last += 1
    assert last > 2


def _opened_until(last: int, url: str) -> Objects:
    return cast(Objects, Breaking(open_objects(url), last))


def test_of_two_runs_that_publish_at_once_the_second_to_claim_fails(
    bucket: Objects, target: ObjectTarget, tmp_path: Path
) -> None:
    class Slow:
        """Objects of a run that another one overtakes while it sends its file."""

        def __init__(self, objects: Objects) -> None:
            self._objects = objects

        def put(self, name: str, path: Path) -> str:
            tag = self._objects.put(name, path)
            target.publish(*source(tmp_path, "another"))
            return tag

        def __getattr__(self, name: str) -> object:
            return getattr(self._objects, name)

    slow = ObjectTarget(
        "pages", target.text, "flights", lambda url: cast(Objects, Slow(open_objects(url)))
    )
    with pytest.raises(StorageError, match="at the same time"):
        slow.publish(*source(tmp_path))


@pytest.mark.parametrize("damage", [b"{", b'{"format": 2}', b"[]", b'{"format": 1, "holds": 3}'])
def test_a_damaged_claim_at_a_url_is_told(
    bucket: Objects, target: ObjectTarget, damage: bytes
) -> None:
    bucket.create(".pages.published", damage)
    assert ".pages.published is damaged" in refusal(target)


def test_a_file_name_that_no_object_can_have_is_refused_before_anything_is_sent(
    bucket: Objects, target: ObjectTarget, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match="cannot be that of an object"):
        target.publish(*source(tmp_path, "a", "line\nbreak"))
    assert names(bucket) == []
