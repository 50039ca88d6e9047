"""The parent of a worker understands what Python tells a tracker of resources, now and later."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from multiprocessing import Pipe, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import pytest
from flight_delays.checkpointing.memory import shm
from flight_delays.checkpointing.worker.registrations import Registrations


@pytest.fixture
def pipe() -> Iterator[tuple[Registrations, Connection]]:
    """Registrations, and the end of the pipe at which a worker registers."""
    reader, registrar = Pipe(duplex=False)
    with reader, registrar:
        yield Registrations(reader), registrar


def in_json(command: str, name: str, kind: str) -> bytes:
    """A message as later versions of Python write it."""
    encoded = base64.urlsafe_b64encode(name.encode()).decode()
    return json.dumps({"cmd": command, "rtype": kind, "base64_name": encoded}).encode() + b"\n"


def test_what_was_registered_is_known_when_it_no_longer_is(
    pipe: tuple[Registrations, Connection],
) -> None:
    registrations, registrar = pipe
    assert not registrations.read()
    os.write(registrar.fileno(), b"PROBE:0:noop\nREGISTER:/psm_1:shared_memory\nREGISTER:/mp-2:se")
    os.write(registrar.fileno(), b"maphore\nUNREGISTER:/psm_1:shared_memory\n")

    assert registrations.read()
    assert registrations.open == {("/mp-2", "semaphore")}
    assert registrations.places() == {"/dev/shm/psm_1", "/dev/shm/sem.mp-2"}


def test_messages_of_later_versions_and_of_nobody_are_read(
    pipe: tuple[Registrations, Connection],
) -> None:
    registrations, registrar = pipe
    for message in (
        b'{"cmd": "PROBE", "rtype": "noop"}\n',
        b"\xff\n{\n{}\nno message\n",
        in_json("REGISTER", "/a:b", "shared_memory"),
    ):
        os.write(registrar.fileno(), message)

    assert registrations.read()
    assert registrations.open == {("/a:b", "shared_memory")}


def test_where_nothing_lists_shared_memory_what_is_registered_is_removed(
    pipe: tuple[Registrations, Connection],
) -> None:
    registrations, registrar = pipe
    memory = SharedMemory(create=True, size=4096)
    resource_tracker.unregister(f"/{memory.name}", "shared_memory")
    memory.close()
    for kind in ("shared_memory", "of no kind"):
        os.write(registrar.fileno(), f"REGISTER:/{memory.name}:{kind}\n".encode())
    registrations.read()
    registrations.remove()

    with pytest.raises(FileNotFoundError):
        SharedMemory(memory.name)
    assert all(memory.name not in each.place for each in shm.objects())
