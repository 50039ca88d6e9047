"""How many bytes the checkpoints of a project take, without a look at every file before each part.

Such a look takes the longer the more checkpoints there are. So a run counts anew what it has
written itself, and everything only when that has come to take a twentieth of the time.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from ..base.settings import Settings
from .folders import bytes_in, used_bytes

_SHARE = 20  # of the time that passes: a look at everything may take one such part


class Usage:
    """What the checkpoints of all pipelines take on this disk, as one run sees it.

    Safe for threads.

    Args:
        folder: of the run's own pipeline.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._total = 0
        self._known: dict[str, int] = {}
        """The bytes, within the total, of the segments that this run has asked for."""
        self._last = ""
        self._looked = float("-inf")
        self._cost = 0.0

    def bytes(self, settings: Settings, segment: str) -> int:
        """Bytes on disk before a part of a segment writes.

        What another run has written or removed may be missing for a while.
        """
        with self._lock:
            return self._bytes(settings, segment)

    def _bytes(self, settings: Settings, segment: str) -> int:
        began = time.monotonic()
        if began - self._looked >= _SHARE * self._cost:
            # Before the look at everything: what is written meanwhile counts twice, not never.
            self._known = {name: self._count(name) for name in {*self._known, segment}}
            self._total = used_bytes(settings)
            self._looked = time.monotonic()
            self._cost = self._looked - began
        else:
            for name in {self._last, segment} - {""}:  # the last one was written since
                count = self._count(name)
                self._total += count - self._known.get(name, count)
                self._known[name] = count
        self._last = segment
        return self._total

    def _count(self, segment: str) -> int:
        return bytes_in(self._folder / segment)
