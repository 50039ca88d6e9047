"""What a part would leave behind: processes that it detached, shared memory that it made.

The end of a process returns its memory, but neither that of others nor what has a name. So at the
end of a part all of that goes too, before the next part starts and before the command ends.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import psutil

from ..base.units import size
from ..memory import meter, procfs, shm
from ..memory.orphans import end_adopted
from ..memory.shm import Object
from ..worker.registrations import Registrations

_CLOCK_SECONDS = 0.05  # for so long after a change another may have the same time
_FIRST_LOOK, _LAST_LOOK = 0.01, 1.0  # seconds until the next look for who has an object open
_NAMED = 5
_LITTLE = 1 << 20  # bytes that are no memory problem, such as the locks of other programs
_TRACKED = re.compile(r"/[\w.-]{1,250}", re.ASCII)  # what a message to a tracker can name

_lock = threading.RLock()
_working: set[Leftovers] = set()


def remove_all() -> None:
    """Remove the shared memory of all parts at once: this process is about to end."""
    for part in list(_working):
        part.remove()


class Leftovers:
    """The processes and the shared memory of one part; a context around its worker.

    Shared memory does not say who made it. An object is the part's own if it came while the part
    ran, is this user's, and a process of the part registered it or was seen to have it open to
    write. Own objects go with the part, unless a process outside of it has them open. Others stay,
    and those that may have been the part's are named, unless all of them are small.

    Pipelines that threads run at once share the process that adopts what their parts detach. With
    the last of these parts all of that is ended.

    Args:
        notice: receives a sentence about what stays, or what a step may miss.
        others: the children of the fork server that no part has made, and that stay.
    """

    def __init__(
        self, notice: Callable[[str], Any], others: Callable[[], Collection[int]] = tuple
    ) -> None:
        self._worker: int | None = None
        self._notice = notice
        self._others = others
        self._registered: Registrations | None = None
        self._before = shm.objects()
        self._own: set[Object] = set()
        self._unclear: set[Object] = set()
        self._tracked: set[str] = set()
        self._stamp: tuple[object, ...] = ()
        self._changed = 0.0
        self._bytes = 0
        self._pause = _FIRST_LOOK
        self._next_look = 0.0

    def __enter__(self) -> Leftovers:
        with _lock:
            _working.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _lock:
            _working.discard(self)
            server = server_pid()
            stubborn = end_adopted(server, self._others) if server and not _working else []
        notes = [
            f"{_process_name(pid)}, which a step started, still runs: it cannot be ended. It may "
            f"belong to another user"
            for pid in stubborn
        ]
        notes += self.remove()
        for note in notes:
            self._notice(note)

    def begin(self, worker: int, registrations: Connection) -> None:
        """Note the number of the worker, which has started, and where it registers objects."""
        self._worker = worker
        self._registered = Registrations(registrations)

    def bytes(self) -> int:
        """What the part's own objects take now, mapped or not, in bytes."""
        stamp = shm.stamp()
        if (self._registered and self._registered.read()) or stamp != self._stamp:
            self._stamp, self._changed = stamp, time.monotonic()
        if self._unclear and time.monotonic() > self._next_look:
            self.look()
        if time.monotonic() < self._changed + _CLOCK_SECONDS:
            self._list()
            self._bytes = sum(each.bytes for each in self._own)
        return self._bytes

    def look(self) -> None:
        """Find out which new objects processes of the part write to, while these are there."""
        began = time.monotonic()
        if self._list():
            self._claim(shm.used(self._members(), to_write=True))
        self._pause = min(2 * self._pause, _LAST_LOOK)
        self._next_look = 2 * time.monotonic() - began + self._pause

    def remove(self) -> list[str]:
        """Remove the part's own objects; returns what a person has to know of that."""
        if self._registered:
            self._registered.read()
            if not meter.ON_LINUX:
                self._registered.remove()
        if not (self._list() or self._own):
            return []
        elsewhere = shm.used(map(int, filter(str.isdigit, os.listdir("/proc"))))
        silent = self._places()
        stays = {each for each in self._own if each.place in elsewhere}
        gone = {each for each in self._own - stays if each.place not in silent}
        unclear = {each for each in self._unclear if each.place not in elsewhere}
        notes = []
        if stays:
            notes.append(
                f"shared memory of a step stays, for another process uses it: {_all(stays)}"
            )
        if gone:
            notes.append(f"shared memory that a step left is removed with its part: {_all(gone)}")
        if sum(each.bytes for each in unclear) > _LITTLE:
            notes.append(
                f"shared memory came while the part ran, and stays: {_all(unclear)}. Nobody can "
                f"tell whether a step made it. If so, the step has to remove it"
            )
        for each in self._own - stays:
            each.remove()
        self._own.clear()
        self._track()
        return notes

    def _list(self) -> bool:
        """Take in what has come and gone; whether it is unclear of any object whose it is."""
        present = shm.objects() - self._before
        self._own &= present
        if new := present - self._own - self._unclear:
            self._pause, self._next_look = _FIRST_LOOK, 0.0
        self._unclear = (self._unclear & present) | new
        if self._unclear:
            self._claim(self._places())
        self._track()
        return bool(self._unclear)

    def _places(self) -> set[str]:
        """Where what processes of the part registered lies, or lay."""
        return self._registered.places() if self._registered else set()

    def _claim(self, places: set[str]) -> None:
        if own := {each for each in self._unclear if each.place in places}:
            self._own |= own
            self._unclear -= own
            self._changed = time.monotonic()

    def _track(self) -> None:
        """Have the own objects removed by the tracker of this process, should it be killed."""
        names = {each.name for each in self._own if _TRACKED.fullmatch(each.name)}
        for name in names - self._tracked:
            resource_tracker.register(name, "shared_memory")
        for name in self._tracked - names:
            resource_tracker.unregister(name, "shared_memory")
        self._tracked = names

    def _members(self) -> list[int]:
        """The processes of the part, those that it has detached too, if they can be no other's."""
        server = server_pid()
        roots = procfs.children(server) if server and len(_working) == 1 else [self._worker]
        return [pid for root in roots if root for pid in meter.process_tree(root)]


def is_alone() -> bool:
    """Whether at most one part is at work in this process."""
    return len(_working) <= 1


def server_pid() -> int | None:
    """The fork server, which adopts what its workers detach; None if there is none."""
    if meter.START_METHOD != "forkserver":
        return None
    from multiprocessing import forkserver

    server: Any = forkserver._forkserver
    pid: int | None = server._forkserver_pid
    return pid


def _all(objects: set[Object]) -> str:
    """The objects by name and size, the largest first, at most as many as one can take in."""
    sizes = sorted(((each.bytes, each.place) for each in objects), reverse=True)
    named = [f"{place} ({size(count)})" for count, place in sizes[:_NAMED]]
    more = [f"and {len(sizes) - _NAMED} more"] if len(sizes) > _NAMED else []
    return ", ".join(named + more)


def _process_name(pid: int) -> str:
    with suppress(psutil.Error):
        return f"the process {pid} ({psutil.Process(pid).name()})"
    return f"the process {pid}"
