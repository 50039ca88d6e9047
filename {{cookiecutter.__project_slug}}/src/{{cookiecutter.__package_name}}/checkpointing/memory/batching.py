"""How many rows the next batch of a table has, from what is free and what former batches took.

Sizes are bytes of held memory. A batch costs what is held more at the peak of the work on it than
before it was made: the batch itself, and what the step makes of it.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import meter

if TYPE_CHECKING:  # for real it would load pydantic before the fork server is started
    from ..base.units import Count

SAMPLE_SECONDS = 0.005
_SHARE = 0.35  # of what is free; the rest is for what a step collects, and for peaks nobody saw
_GROWTH = 4  # a batch has at most so many times the rows of the one before
_MARGIN = 16  # so many times its size on disk may a first batch take that nobody measured
_FIRST_BYTES = 64 << 20  # of its file, at most, in a first batch: it is there to be measured
_LEAST_BYTES = 1 << 20  # of its file, at least, in any batch
_UNKNOWN_BYTES = 256.0  # of a row of a file that does not tell
_ALIKE = 0.75  # of the rows of the largest batch: those of so many tell what a row costs


@dataclass(frozen=True)
class Allotment:
    """What a part may hold, and what is known of its steps that take batches.

    Attributes:
        budget: bytes that the process tree may hold.
        headroom: the share of it to leave free.
        row_bytes: by step, what a row of its batches took in a former run.
        shrunk: how many times less than usual batches and engines get: the part exceeded its budget
            before.
        granted: bytes that the part may hold on all machines together: its share of what was
            granted, as `budget` is of what this machine has.
    """

    budget: int
    headroom: float = 0.0
    row_bytes: Mapping[str, float] = field(default_factory=dict)
    shrunk: int = 1
    granted: int = 0

    def free(self, held: int) -> int:
        """The bytes that may come to be held on top of `held`; none if that is negative."""
        usable = math.floor(self.budget * (1 - self.headroom))
        return max(0, usable - held) // self.shrunk


class Pace:
    """The numbers of rows of the batches of one table, one after the other.

    What a row costs is told by the last batches: of small ones the memory that a step takes once,
    whatever it works on, is most of the cost, so they count no more once larger ones are known.

    Args:
        former: what a row took in a former run; 0 if that is not known.
        stored: the bytes of a row on disk; 0 if that is not known.
        shrunk: as of an Allotment.
    """

    def __init__(self, former: float = 0.0, stored: float = 0.0, shrunk: int = 1) -> None:
        self._former = former if former >= 1 else 0.0
        self._stored = stored if stored >= 1 else _UNKNOWN_BYTES
        self._least = max(1, int(_LEAST_BYTES / shrunk / self._stored))
        self._most_first = _FIRST_BYTES / shrunk
        self._rows = 0
        self._made = 0
        self._costs = _Costs()
        self._made_of_row = _Costs()

    @property
    def row_bytes(self) -> float:
        """What a row of the largest batches has cost; 0 if there were none."""
        return self._costs.of_row

    @property
    def made_bytes(self) -> int:
        """What making the last batch took."""
        return self._made

    def rows(self, free: float) -> int:
        """The number of rows for the next batch, where so many bytes are free.

        It is never so small that a batch could not matter: less would only take longer.
        """
        room = free * _SHARE
        if not self._rows:
            first = min(room / _MARGIN, self._most_first) / self._stored
            return max(self._least, int(room / self._former if self._former else first))
        limits = [self._rows * float(_GROWTH), room / self._stored]
        # The batch before is still held while this one is made, and let go of after that.
        if (made := self._made_of_row.of_row) > 0:
            limits.append(room / made)
        if (cost := self.row_bytes) > 0:
            limits.append((room + self._made * _SHARE) / cost)
        return max(self._least, int(min(limits)))

    def made(self, rows: int, risen: int) -> None:
        """A batch of so many rows has been made, which took so many bytes."""
        self._rows, self._made = max(1, rows), max(0, risen)
        self._made_of_row.add(self._rows, self._made)

    def worked(self, risen: int, before: int) -> None:
        """The work on the last batch is over.

        Args:
            risen: the most that was held meanwhile, above what was held before it was made.
            before: what the batch before had taken, which was let go of meanwhile.
        """
        if self._rows:
            self._costs.add(self._rows, max(0, risen + before))


class _Costs:
    """What rows of the largest batches have cost.

    Many a batch seems to cost nothing, because a library has kept the memory of one before it. So
    a batch counts until one that is clearly larger has been seen. The first counts until the
    second: what a step takes once, such as imports, is no matter of rows.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[int, float]] = []
        self._count = 0

    def add(self, rows: int, cost: int) -> None:
        """Some rows have cost so many bytes together."""
        self._count += 1
        of_row = cost / rows
        if self._count <= 2:
            self._seen.clear()
        if not any(more >= rows and most >= of_row for more, most in self._seen):
            rest = ((r, c) for r, c in self._seen if r > rows or c > of_row)
            self._seen = [*rest, (rows, of_row)]

    @property
    def of_row(self) -> float:
        """The most that a row has cost, in bytes; 0 if no batch was seen."""
        least = _ALIKE * max((rows for rows, _ in self._seen), default=0)
        return max((of_row for rows, of_row in self._seen if rows >= least), default=0.0)


class PeakWatch:
    """The most that this process has held since some moments, by a thread that looks now and then.

    Memory that is taken and let go of between two looks is not seen.
    """

    def __init__(self, count: Count) -> None:
        self._count: Count = count
        self._peaks: dict[object, int] = {}
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def held(self) -> int:
        """What is held now, in bytes."""
        now = meter.process_bytes(os.getpid(), self._count)
        for of, peak in list(self._peaks.items()):
            self._peaks[of] = max(peak, now)
        return now

    def begin(self, of: object) -> int:
        """Begin to watch the peak of something, or begin again; what is held now."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, daemon=True)
            self._thread.start()
        now = self.held()
        self._peaks[of] = now
        return now

    def peak(self, of: object) -> int:
        """The peak since `begin`, in bytes."""
        self.held()
        return self._peaks[of]

    def end(self) -> None:
        """Look no more."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            self.held()
