"""The shared memory that processes of a part register: its parent hears of it, and removes it.

Python registers each named object of shared memory, and each named semaphore, with a tracker: a
process that removes them when all others have ended. A worker would inherit the tracker of its
parent, which outlives the part. So here the parent is the tracker of each worker, and of all that
the worker starts by multiprocessing: it knows the part's objects however their process ended.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from ..memory import meter
from ..memory.guard import join
from ..memory.shm import FOLDER

_READ_BYTES = 1 << 16
_PREFIXES = {"semaphore": "sem.", "shared_memory": ""}
"""By kind, how the name of a registered object begins in /dev/shm."""


def enter(registrar: Connection, connection: Connection) -> None:
    """Entry point of every worker: wait for work, do it, and end what it started.

    What the work started and left would hold memory, and the exit of a process waits for some.

    Args:
        connection: gives the folder of the control group to be in, empty if there is none; what to
            call; and with which arguments behind the connection itself.
    """
    target: Callable[..., None]
    try:
        group, target, arguments = connection.recv()
    except (EOFError, OSError):  # there is none, and nobody is left to ask
        return
    if group:
        join(group)
    if os.name == "posix":
        _register_with(registrar)
    try:
        target(connection, *arguments)
    finally:
        meter.kill_children(os.getpid(), patient=True)


def _register_with(registrar: Connection) -> None:
    tracker: Any = resource_tracker._resource_tracker
    if tracker._fd is not None:
        os.close(tracker._fd)
    tracker._fd, tracker._pid = os.dup(registrar.fileno()), None
    registrar.close()


class Registrations:
    """What processes have registered, read from the pipe that is their tracker.

    Attributes:
        all: the (name, kind) of all that was ever registered.
        open: of those that are registered now.
    """

    def __init__(self, reader: Connection) -> None:
        self.all: set[tuple[str, str]] = set()
        self.open: set[tuple[str, str]] = set()
        self._descriptor = reader.fileno()
        self._rest = b""
        os.set_blocking(self._descriptor, False)

    def places(self) -> set[str]:
        """Where all that was ever registered lies, or lay, if that is in /dev/shm."""
        return {
            f"{FOLDER}/{_PREFIXES[kind]}{name.lstrip('/')}"
            for name, kind in self.all
            if kind in _PREFIXES
        }

    def remove(self) -> None:
        """Remove all that is registered, by its name."""
        tracker: Any = resource_tracker
        for name, kind in self.open:
            with suppress(OSError, KeyError):
                tracker._CLEANUP_FUNCS[kind](name)

    def read(self) -> bool:
        """Take in what has come since; whether anything has."""
        has_come = False
        with suppress(BlockingIOError):
            while part := os.read(self._descriptor, _READ_BYTES):
                has_come = True
                *lines, self._rest = (self._rest + part).split(b"\n")
                for line in lines:
                    self._take(line)
        return has_come

    def _take(self, line: bytes) -> None:
        try:
            command, name, kind = _parsed(line)
        except (ValueError, KeyError):  # of a step that writes to its tracker itself
            return
        if command == "REGISTER":
            self.all.add((name, kind))
            self.open.add((name, kind))
        elif command == "UNREGISTER":
            self.open.discard((name, kind))


def _parsed(line: bytes) -> tuple[str, str, str]:
    """Command, name and kind of a message, in the form of this version of Python or a later one."""
    if line.startswith(b"{"):
        message = json.loads(line)
        encoded = base64.urlsafe_b64decode(message.get("base64_name", ""))
        return message["cmd"], os.fsdecode(encoded), message["rtype"]
    command, _, rest = line.decode("ascii").partition(":")
    name, _, kind = rest.rpartition(":")
    return command, name, kind
