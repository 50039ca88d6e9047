"""The disk that parts of one run may take which are at work at once: their sum keeps to `max_disk`.

A part is told as it begins how many bytes its files may take. Beside others that is twice of what
they took when they were measured, and at least some part of all that is left, should they grow.
A part waits until there is so much, in the order of arrival. One that was never measured waits
until no other is at work and gets all, and so does one for which its share was too small.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..base.errors import StorageError
from ..base.interrupts import held
from .ledger import LOOK_SECONDS

_SLACK = 2  # times what the files of a part took
_STEP = 32  # a part gets at least such a part of all that is left


class Granted:
    """What the files of a part may take.

    Attributes:
        bytes: of them.
        is_all: whether no other part had anything of what was left.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.is_all = False


class Room:
    """What the files of all parts of one run that are at work may take. Safe for threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: list[Granted] = []
        self._parts: list[Granted] = []

    @contextmanager
    def grant(self, left: Callable[[], int], expected: int | None) -> Iterator[Granted]:
        """Wait for room for a part, and have it as long as this context.

        Args:
            left: gives the bytes that checkpoints may still take beside those on disk.
            expected: the bytes that the files of the part may come to take; None to wait until no
                other part is at work, and to get all.

        Raises KeyboardInterrupt in a thread whose work is called off.
        """
        granted = Granted()
        with self._changed:
            self._queue.append(granted)
        try:
            self._await_turn(granted, left, expected)
            yield granted
        finally:
            with held(), self._changed:
                with suppress(StorageError):  # whoever begins next is told
                    left()  # so that it counts what the part has written
                for parts in (self._queue, self._parts):
                    if granted in parts:
                        parts.remove(granted)
                self._changed.notify_all()

    def _await_turn(self, granted: Granted, left: Callable[[], int], expected: int | None) -> None:
        while True:
            with self._changed, held() as interrupt:
                interrupt.check()
                if self._queue[0] is granted and self._begin(granted, left, expected):
                    return
                self._changed.wait(LOOK_SECONDS)

    def _begin(self, granted: Granted, left: Callable[[], int], expected: int | None) -> bool:
        """Begin a part, if there is room for it."""
        if self._parts and expected is None:
            return False
        every = left()
        rest = max(0, every - sum(part.bytes for part in self._parts))
        wanted = rest if expected is None else max(_SLACK * expected, every // _STEP)
        if wanted > rest and self._parts:
            return False
        granted.bytes = min(wanted, rest)
        granted.is_all = not self._parts and granted.bytes == rest
        self._queue.remove(granted)
        self._parts.append(granted)
        self._changed.notify_all()
        return True
