"""Values that are written while the next step computes.

A value never changes once it is frozen. So where it is certain that the part will write it at its
end, its file can be written at once: the disk works while the processor does, and the order of the
commit stays, because the manifest comes last. What goes wrong with a file is raised where the value
would have been written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ..disk.commit import Kept


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

    @property
    def names(self) -> Collection[str]:
        """The values whose writing has begun and that `take` has not returned."""
        return self._begun.keys()

    def begin(self, name: str, write: Callable[[], Kept]) -> None:
        """Write a value as soon as those before it are written."""

        def work() -> Written:
            started = time.perf_counter()
            return Written(name, write(), time.perf_counter() - started)

        self._begun[name] = self._thread.submit(work)

    def take(self, *, all_of_them: bool) -> Iterator[Written]:
        """Those that are written; of the others nothing, or wait for them, too.

        Raises what went wrong with a file.
        """
        for name, future in list(self._begun.items()):
            if all_of_them or future.done():
                del self._begun[name]
                yield future.result()

    def close(self) -> None:
        """Wait for the file that is being written; no other is begun."""
        self._thread.shutdown(cancel_futures=True)
