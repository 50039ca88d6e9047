"""A lease is held by one run at a time, and a dead one loses it, by the clock of the storage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError, Locked, StorageError
from flight_delays.checkpointing.disk.shared.by_arrow import ArrowObjects
from flight_delays.checkpointing.disk.shared.holder import Holder, new_holder
from flight_delays.checkpointing.disk.shared.lease import leased
from flight_delays.checkpointing.disk.shared.objects import Objects, open_objects
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import fs

from ....faulty import in_front_of
from ....marks import in_exhaustive
from ....s3 import S3
from ...conftest import RUNTIME, until

# Takes the lease of each name that it reads, keeps it, and says whether it has it.
TAKER = """
import sys
from contextlib import ExitStack
from flight_delays.checkpointing.base.errors import Locked
from flight_delays.checkpointing.disk.shared.lease import leased
from flight_delays.checkpointing.disk.shared.objects import open_objects

objects = open_objects(sys.argv[1])
with ExitStack() as stack:
    for name in sys.stdin:
        try:
            stack.enter_context(leased(objects, 3600, name.strip()))
            print("taken", flush=True)
        except Locked:
            print("refused", flush=True)
"""


class Taker:
    """Another process that takes leases."""

    def __init__(self, url: str) -> None:
        source = str(RUNTIME.parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKER, url],
            env=os.environ | {"PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, name: str = "lease.json") -> None:
        assert self.process.stdin is not None
        print(name, file=self.process.stdin, flush=True)

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def takers(url: str, count: int = 1) -> Iterator[list[Taker]]:
    with ExitStack() as stack:
        made = [Taker(url) for _ in range(count)]
        for taker in made:
            stack.enter_context(taker.process)
            stack.callback(taker.process.kill)
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shared"


@pytest.fixture
def objects(folder: Path) -> Objects:
    return open_objects(f"file://{folder}")


def note(objects: Objects, name: str = "lease.json") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(objects.read(name)[0])
    return content


def elsewhere(**changes: Any) -> Holder:
    """A process of another machine."""
    holder = replace(new_holder(), host="n7", machine="another boot", since="2026-11-27T09:30:00Z")
    return replace(holder, **changes)


def put(
    objects: Objects, holder: Holder | None, seconds: float = 60, name: str = "lease.json"
) -> None:
    content = {"format": 1, "seconds": seconds, "holder": holder and holder.as_json()}
    assert objects.create(name, json.dumps(content).encode())


def age(folder: Path, seconds: float, name: str = "lease.json") -> None:
    """Let the last sign of life be that old."""
    written = (folder / name).stat().st_mtime
    os.utime(folder / name, (written - seconds, written - seconds))


def test_a_second_run_is_refused_and_told_who_has_the_lease(objects: Objects) -> None:
    with (
        leased(objects, 60) as lease,
        pytest.raises(Locked, match=rf"process {os.getpid()} on \S+, since .* UTC\)"),
        leased(objects, 60),
    ):
        pytest.fail("two have it")
    assert lease.is_held
    lease.require_held()


def test_another_process_is_refused_until_the_lease_is_released(objects: Objects) -> None:
    with takers(objects.url) as [taker]:
        with leased(objects, 60):
            taker.ask()
            assert taker.answer() == "refused"
        assert note(objects)["holder"] is None
        taker.ask()
        assert taker.answer() == "taken"
        with pytest.raises(Locked, match=f"process {taker.process.pid} on"), leased(objects, 60):
            pytest.fail("two have it")


def test_a_lease_ends_at_once_with_a_process_of_this_machine(objects: Objects) -> None:
    with takers(objects.url) as [taker]:
        taker.ask()
        assert taker.answer() == "taken"
        taker.process.kill()
        os.waitid(os.P_PID, taker.process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        with leased(objects, 60):
            assert note(objects)["holder"]["pid"] == os.getpid()
        put(objects, Holder(**note_of_dead(objects, taker)), name="reaped.json")
        taker.process.wait()
        with leased(objects, 60, "reaped.json"):
            pass


def note_of_dead(objects: Objects, taker: Taker) -> dict[str, Any]:
    return new_holder().as_json() | {"pid": taker.process.pid, "started": "1"}


def test_a_number_that_another_process_has_now_is_no_sign_of_life(objects: Objects) -> None:
    put(objects, replace(new_holder(), pid=os.getppid(), started="1"))
    with leased(objects, 60):
        pass


def test_a_run_of_this_process_that_did_not_release_its_lease_does_not_block_it(
    objects: Objects,
) -> None:
    put(objects, replace(new_holder(), number="of a cell that was interrupted"))
    with leased(objects, 60):
        pass


@pytest.mark.parametrize("old", [0.0, 59.0])
def test_a_holder_elsewhere_is_alive_for_as_long_as_its_lease(
    objects: Objects, folder: Path, old: float
) -> None:
    put(objects, elsewhere(pid=2**22))
    age(folder, old)
    with (
        pytest.raises(Locked, match=r"on n7, since 27 November 2026, 09:30 UTC.*wait for 60"),
        leased(objects, 600),
    ):
        pytest.fail("two have it")
    assert [stored.name for stored in objects.list()] == ["lease.json"]


def test_a_holder_elsewhere_that_gives_no_sign_is_dead_by_the_storage_s_clock(
    objects: Objects, folder: Path
) -> None:
    put(objects, elsewhere())
    age(folder, 62)
    with leased(objects, 600):
        assert note(objects)["seconds"] == 600
    assert [stored.name for stored in objects.list()] == ["lease.json"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"seconds": "x", "holder": {}}'])
def test_a_damaged_lease_is_somebody_s_until_it_is_old(
    objects: Objects, folder: Path, content: bytes
) -> None:
    objects.create("lease.json", content)
    with pytest.raises(Locked, match="does not say whose"), leased(objects, 60):
        pytest.fail("taken")
    age(folder, 62)
    with leased(objects, 60):
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@settings(max_examples=30)
@given(st.fixed_dictionaries({}, optional={"holder": JSON, "seconds": JSON}) | JSON)
def test_whatever_a_lease_contains_a_run_is_refused_or_has_it(
    tmp_path_factory: pytest.TempPathFactory, content: Any
) -> None:
    objects = open_objects(f"file://{tmp_path_factory.mktemp('shared')}")
    objects.create("lease.json", json.dumps(content).encode())
    is_released = isinstance(content, dict) and content.get("holder", 0) is None
    try:
        with leased(objects, 60):
            assert is_released
    except Locked:
        pass


def test_signs_of_life_are_given_while_a_lease_is_held(objects: Objects) -> None:
    with leased(objects, 0.4) as lease:
        until(lambda: note(objects)["renewals"] >= 6, "more signs than its time has")
        lease.require_held()
        assert note(objects)["holder"]["pid"] == os.getpid()


def test_who_lost_the_lease_goes_no_further(objects: Objects, folder: Path) -> None:
    with leased(objects, 0.4) as lease:
        objects.remove(["lease.json"])
        put(objects, elsewhere())
        until(lambda: not lease.is_held, "the loss")
        until(lambda: "n7" in refusal(lease), "who has it")
        assert "process" in refusal(lease)
        assert "the next run goes on from it" in refusal(lease)
    assert note(objects)["holder"]["host"] == "n7"  # it is not released by who lost it


def refusal(lease: Any) -> str:
    with pytest.raises(StorageError) as caught:
        lease.require_held()
    return caught.value.message


@pytest.mark.slow
def test_a_lease_that_cannot_be_renewed_is_lost(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_front_of(s3.endpoint) as (endpoint, faults):
        for name, value in s3.environment(endpoint).items():
            monkeypatch.setenv(name, value)
        with leased(open_objects(s3.bucket()), 1) as lease:
            faults.vanish_after = 0
            until(lambda: not lease.is_held, "the loss")
            assert "could not be renewed for 1.0 s" in refusal(lease)


@pytest.mark.slow
def test_a_holder_is_dead_by_the_clock_of_s3_too(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    objects = open_objects(f"{s3.bucket()}/delays")
    put(objects, elsewhere(), seconds=1)

    def is_free() -> bool:
        try:
            with leased(objects, 60):
                return True
        except Locked:
            return False

    assert not is_free()
    until(is_free, "the end of the lease")


@pytest.mark.parametrize("kind", ["file", *in_exhaustive("s3")])
def test_of_processes_that_try_at_once_exactly_one_has_the_lease(
    request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    url = f"file://{folder}"
    if kind == "s3":
        server: S3 = request.getfixturevalue("s3")
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        url = server.bucket()
    objects = open_objects(url)
    dead = replace(new_holder(), pid=os.getppid(), started="1")
    with takers(url, 3) as processes:
        for number in range(24):
            name = f"{number}/lease.json"
            if number % 3:  # else there is none yet
                put(objects, None if number % 3 == 1 else dead, name=name)
            for taker in processes:
                taker.ask(name)
            answers = [taker.answer() for taker in processes]
            assert sorted(answers) == ["refused", "refused", "taken"], name
            pid = processes[answers.index("taken")].process.pid
            assert note(objects, name)["holder"]["pid"] == pid


def test_storage_without_conditions_has_no_leases(tmp_path: Path) -> None:
    objects = ArrowObjects("hdfs://cluster/shared", fs.LocalFileSystem(), str(tmp_path))
    with (
        pytest.raises(ConfigurationError, match=r'hdfs://cluster/shared.*`lease = "none"`'),
        leased(objects, 60),
    ):
        pytest.fail("taken")
