"""Values that are written while the next steps compute.

A value never changes once it is frozen. So where it is certain that the part will write it at its
end, its file can be written at once: the disk works while the processor does. The commit keeps its
order, because the manifest comes last, and only then the file belongs to a checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from ..base.errors import StorageError
from ..disk.value_files import Kept

PLAIN_FORMATS = ("arrow", "npy")
"""Formats whose files are copies of what lies in memory: to write them takes no memory."""


@dataclass(frozen=True)
class Written:
    """A value that was written ahead, and the seconds that it took."""

    name: str
    kept: Kept
    seconds: float


class Ahead:
    """One thread that writes values, one after the other."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "write-ahead")
        self._begun: dict[str, Future[Written]] = {}
        self._sizes: dict[str, int] = {}

    @property
    def bytes(self) -> int:
        """What the files of the values take that are not written yet."""
        return sum(self._sizes[name] for name, future in self._begun.items() if not future.done())

    def begin(self, name: str, size: int, write: Callable[[], Kept]) -> None:
        """Write a value, whose files take `size` bytes, as soon as those before it are written."""

        def work() -> Written:
            started = time.perf_counter()
            return Written(name, write(), time.perf_counter() - started)

        self._sizes[name] = size
        self._begun[name] = self._thread.submit(work)

    def wait(self) -> Iterator[Written]:
        """All of them, each when it is written.

        One for which there was no room is left out: there may be some at the end of the part.
        Raises what else went wrong with one.
        """
        for name in list(self._begun):
            with suppress(StorageError):
                yield self._begun.pop(name).result()

    def close(self) -> None:
        """Wait for the file that is being written, and begin no other."""
        self._thread.shutdown(cancel_futures=True)
