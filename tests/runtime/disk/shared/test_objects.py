"""Objects at a URL are the same whatever stores them: S3, a mounted disk, Hadoop's file system."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import obstore
import pytest
from flight_delays.checkpointing.base.errors import StorageError
from flight_delays.checkpointing.base.interrupts import called_off_by
from flight_delays.checkpointing.disk.shared import by_obstore
from flight_delays.checkpointing.disk.shared.by_arrow import ArrowObjects
from flight_delays.checkpointing.disk.shared.objects import Objects, open_objects
from obstore import store
from pyarrow import fs

from ....s3 import S3

Opened = Callable[[], Objects]
"""Opens the same place once more, as another process would."""


@pytest.fixture(params=["s3", "file", "arrow"])
def opened(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Opened:
    if request.param == "arrow":  # stands for hdfs://, which needs a cluster
        files, root = fs.LocalFileSystem(), f"{tmp_path}/shared folder"
        return lambda: ArrowObjects("hdfs://cluster/shared", files, root)
    if request.param == "file":
        return lambda: open_objects(f"file://{tmp_path / 'shared folder'}")
    s3: S3 = request.getfixturevalue("s3")
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    url = f"{s3.bucket()}/delays"
    return lambda: open_objects(url)


@pytest.fixture
def objects(opened: Opened) -> Objects:
    return opened()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_was_created_is_read_with_its_tag(objects: Objects, opened: Opened) -> None:
    tag = objects.create("main/s01/owner.json", b"{}")
    assert opened().read("main/s01/owner.json") == (b"{}", tag)
    stored = opened().stat("main/s01/owner.json")
    assert (stored.name, stored.bytes, stored.tag) == ("main/s01/owner.json", 2, tag)
    assert opened().list() == opened().list("main/") == [stored]


def test_a_thread_that_is_called_off_sends_and_fetches_no_further(
    objects: Objects, opened: Opened, tmp_path: Path
) -> None:
    path, copy = tmp_path / "large", tmp_path / "copy"
    path.write_bytes(bytes(40_000_000))
    off = threading.Event()
    with called_off_by(off):
        objects.upload("main/s01/there", path)
        off.set()
        with pytest.raises(KeyboardInterrupt):
            objects.upload("main/s01/large", path)
        with pytest.raises(KeyboardInterrupt):
            objects.fetch("main/s01/there", copy)
    assert [stored.name for stored in opened().list("main/")] == ["main/s01/there"]


def test_an_object_is_created_once(objects: Objects, opened: Opened) -> None:
    assert objects.create("lease.json", b"mine") is not None
    assert opened().create("lease.json", b"theirs") is None
    assert objects.read("lease.json")[0] == b"mine"


def test_what_a_lost_answer_may_have_written_counts_as_written(objects: Objects) -> None:
    tag = objects.create("a", b"1")
    assert tag is not None
    assert objects.create("a", b"1") == tag
    newer = objects.replace("a", b"2", tag)
    assert newer is not None
    assert objects.replace("a", b"2", tag) == newer


def test_an_object_is_replaced_only_while_it_is_the_one_that_was_read(objects: Objects) -> None:
    first = objects.create("lease.json", b"1")
    assert first is not None
    second = objects.replace("lease.json", b"2", first)
    assert second is not None
    assert objects.replace("lease.json", b"3", first) is None
    assert objects.read("lease.json") == (b"2", second)
    objects.remove(["lease.json"])
    assert objects.replace("lease.json", b"3", second) is None


@pytest.mark.parametrize("count", [3, 6_000_000], ids=["at once", "in parts"])
def test_a_file_takes_the_place_of_what_is_there(
    objects: Objects, tmp_path: Path, count: int
) -> None:
    (tmp_path / "new").write_bytes(b"x" * count)
    assert objects.put("a/t.parquet", tmp_path / "new") == objects.stat("a/t.parquet").tag
    objects.remove(["a/t.parquet"])
    former = objects.create("a/t.parquet", b"former")
    tag = objects.put("a/t.parquet", tmp_path / "new")
    assert tag != former
    assert objects.read("a/t.parquet") == (b"x" * count, tag)
    with pytest.raises(StorageError, match=r"because of the local file"):
        objects.put("a/t.parquet", tmp_path / "none")
    assert [stored.tag for stored in objects.list("a")] == [tag]


@pytest.mark.parametrize("opened", ["s3"], indirect=True)
@pytest.mark.parametrize("count", [3, 6_000_000], ids=["at once", "in parts"])
def test_a_browser_shows_what_it_can_show(objects: Objects, tmp_path: Path, count: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * count)
    kinds = {}
    for name in ("a/page.html", "a/t.parquet", "a/t.csv.gz"):
        objects.put(name, tmp_path / "file")
        storage = store.from_url(objects.url, client_options={"allow_http": True})
        kinds[name] = obstore.get(storage, name).attributes.get("Content-Type")
    assert kinds.pop("a/page.html") == "text/html"
    assert not [kind for kind in kinds.values() if kind and kind.startswith("text")]


def test_without_its_package_a_url_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(
        StorageError, match=r"^s3://lake/delays is read .*: run `uv add obstore`\.$"
    ):
        open_objects("s3://lake/delays")


def test_a_hadoop_client_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HADOOP_HOME", "CLASSPATH", "ARROW_LIBHDFS_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageError, match=r"The Hadoop client is missing\. Set JAVA_HOME"):
        open_objects("hdfs://127.0.0.1:9/delays")


def test_a_place_with_conditions_is_known_by_trying(objects: Objects) -> None:
    assert objects.is_conditional == (not isinstance(objects, ArrowObjects))
    assert objects.list() == []


def test_a_missing_object_is_no_storage_error(objects: Objects, tmp_path: Path) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: objects.read("none.json"),
        lambda: objects.stat("none.json"),
        lambda: objects.fetch("none.json", tmp_path / "none"),
        lambda: objects.copy("none.json", "other.json"),
    ]
    for attempt in attempts:
        with pytest.raises(FileNotFoundError, match=r"no such object: '.*/none\.json'"):
            attempt()
    assert not (tmp_path / "none").exists()
    objects.remove(["none.json"])
    objects.remove([])
    assert objects.list("none") == []


@pytest.mark.parametrize("size", [0, 1, 5 * 2**20, 5 * 2**20 + 1, 12 * 2**20])
def test_a_file_arrives_as_it_was_sent(objects: Objects, tmp_path: Path, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    (tmp_path / "sent").write_bytes(content[:size])
    assert objects.upload("s01/k/x.arrow", tmp_path / "sent") == sha256(content[:size])
    assert objects.fetch("s01/k/x.arrow", tmp_path / "come") == sha256(content[:size])
    assert (tmp_path / "come").read_bytes() == content[:size]
    assert objects.stat("s01/k/x.arrow").bytes == size


@pytest.mark.parametrize("size", [10, 6 * 2**20])
def test_a_file_may_be_sent_twice_but_never_over_another(
    objects: Objects, tmp_path: Path, size: int
) -> None:
    sent, other, shorter = (tmp_path / name for name in ("sent", "other", "shorter"))
    sent.write_bytes(b"a" * size)
    other.write_bytes(b"b" * size)
    shorter.write_bytes(b"a" * (size - 1))
    assert objects.upload("x", sent) == objects.upload("x", sent)
    for path in (other, shorter):
        with pytest.raises(StorageError, match="has other content"):
            objects.upload("x", path)
    assert objects.fetch("x", tmp_path / "come") == sha256(sent.read_bytes())


def test_a_file_is_fetched_to_a_new_name_only(objects: Objects, tmp_path: Path) -> None:
    objects.create("x", b"1")
    (tmp_path / "mine").write_bytes(b"mine")
    with pytest.raises(StorageError, match="because of the local file: File exists"):
        objects.fetch("x", tmp_path / "mine")
    assert (tmp_path / "mine").read_bytes() == b"mine"


@pytest.mark.parametrize("limit", [5 * 10**9, 1])
def test_a_copy_is_the_same_however_large_it_is(
    objects: Objects, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(by_obstore, "_LARGEST_COPY", limit)
    objects.create("s01/k/x", b"content")
    objects.copy("s01/k/x", "s01/k.damaged/x")
    assert objects.read("s01/k.damaged/x")[0] == b"content"
    objects.remove(["s01/k/x", "s01/k/never"])
    assert [stored.name for stored in objects.list()] == ["s01/k.damaged/x"]


def test_a_listing_is_of_a_folder_not_of_names_that_begin_alike(objects: Objects) -> None:
    for name in ("s01/b", "s01/a/c", "s010/a", "s01"[:2]):
        objects.create(name, b"")
    assert [stored.name for stored in objects.list("s01")] == ["s01/a/c", "s01/b"]
    assert [s.name for s in objects.list()] == ["s0", "s01/a/c", "s01/b", "s010/a"]


@pytest.mark.parametrize("name", ["a b", "näme", "100%25", "a+b&c=d", "#1;2", "x'\"", "[1]~"])
def test_a_name_comes_back_as_it_was_given(objects: Objects, name: str, tmp_path: Path) -> None:
    objects.create(f"s/{name}", b"1")
    objects.copy(f"s/{name}", f"t/{name}")
    assert [stored.name for stored in objects.list()] == [f"s/{name}", f"t/{name}"]
    assert objects.read(f"t/{name}")[0] == b"1"
    objects.remove([f"s/{name}", f"t/{name}"])
    assert objects.list() == []


@pytest.mark.parametrize("opened", ["s3", "file"], indirect=True)
def test_of_many_who_create_or_replace_at_once_exactly_one_does(opened: Opened) -> None:
    places = [opened() for _ in range(8)]
    for name in map("{}.json".format, range(6)):
        contents = [b"%d" % number for number in range(len(places))]
        tag = _only(
            partial(place.create, name, content)
            for place, content in zip(places, contents, strict=True)
        )
        newer = _only(
            partial(place.replace, name, b"new " + content, tag)
            for place, content in zip(places, contents, strict=True)
        )
        assert places[0].read(name)[1] == newer


def _only(attempts: Iterable[Callable[[], str | None]]) -> str:
    """The tag that one of these attempts returns, when all are made at once."""
    results: list[str | None] = []
    actions = list(attempts)
    start = threading.Barrier(len(actions))

    def act(action: Callable[[], str | None]) -> None:
        start.wait()
        results.append(action())

    threads = [threading.Thread(target=act, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(actions)
    [tag] = [tag for tag in results if tag is not None]
    return tag
