"""One thread at a time is at a file of the cache."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...base.interrupts import held

_LOOK_SECONDS = 0.1  # so often a thread that waits sees whether it is called off


class Turns:
    """Files that a thread looks at, fetches or drops, while others wait with the same file.

    A thread that has its turn with a file must not ask for another one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken: dict[Path, threading.Thread] = {}

    @contextmanager
    def at(self, path: Path) -> Iterator[None]:
        """Have the turn with a file as long as this context.

        Raises KeyboardInterrupt in a thread whose work is called off.
        """
        me = threading.current_thread()
        try:
            while self._taken.get(path) is not me:
                with self._changed, held() as interrupt:
                    interrupt.check()
                    if self._taken.setdefault(path, me) is not me:
                        self._changed.wait(_LOOK_SECONDS)
            yield
        finally:
            with held(), self._changed:
                if self._taken.get(path) is me:
                    del self._taken[path]
                    self._changed.notify_all()
