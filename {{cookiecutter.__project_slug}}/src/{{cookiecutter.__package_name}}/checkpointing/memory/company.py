"""The workers of one run that are at work at once, so that each is told apart from the others.

All are in the tree of processes of the run. Its process knows them, and notes their numbers in a
file for the workers, each of which reads its memory itself where a step begins and ends.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..base.files import replace_text


class Company:
    """Keeps count of the workers of a run, in its process.

    Args:
        path: of the file. It is there only while more than one worker is at work.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._members: frozenset[int] = frozenset()

    @contextmanager
    def joined_by(self, worker: int) -> Iterator[None]:
        """Have a worker among those at work, as long as this context."""
        with self._lock:
            self._note(self._members | {worker})
        try:
            yield
        finally:
            with self._lock:
                self._note(self._members - {worker})

    def beside(self, worker: int) -> frozenset[int]:
        """The other workers that are at work now."""
        return self._members - {worker}

    def _note(self, members: frozenset[int]) -> None:
        self._members = members
        with suppress(OSError):  # on a full disk a worker takes what all hold for its own
            if len(members) > 1:
                replace_text(self.path, "\n".join(map(str, members)), durable=False)
            else:
                self.path.unlink(missing_ok=True)


def beside_this(path: Path) -> frozenset[int]:
    """The workers that are at work beside this process, which is one; none if there is no file."""
    try:
        numbers = path.read_bytes().split()
    except OSError:
        return frozenset()
    return frozenset(map(int, numbers)) - {os.getpid()}
