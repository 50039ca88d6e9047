"""A thread beside a Spark application: it cancels what would fill the disk, or never end.

Spark has no limit for what it spills. And a job whose executors are all gone waits for others for
ever, if the master is gone too.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...base.errors import CheckpointingError, ConfigurationError, StorageError
from ...base.units import duration, size

_LOOK_SECONDS = 0.5
_SHARE = 10  # so many times as long as a look takes is the pause until the next


class Watch:
    """Looks at one application until it is closed.

    Args:
        cancel: ends all jobs that run.
        executors: how many there are now; None where that does not matter.
        patience: for how many seconds there may be none.
        spilled: the folder of what Spark does not hold in memory; None if it is elsewhere.

    Attributes:
        disk: the most bytes that may lie in that folder, and in those that are `written`.
        written: the folders of what the step that runs writes on disk by Spark.
        reason: why the jobs were cancelled, if they were.
    """

    def __init__(
        self,
        cancel: Callable[[], Any],
        executors: Callable[[], int] | None,
        patience: float,
        spilled: Path | None,
    ) -> None:
        self._cancel = cancel
        self._executors = executors
        self._patience = patience
        self._spilled = spilled
        self._alone_since: float | None = None
        self._is_over = threading.Event()
        self.disk = 0
        self.written: tuple[Path, ...] = ()
        self.reason: CheckpointingError | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._is_over.set()

    def _watch(self) -> None:
        pause = _LOOK_SECONDS
        while not self._is_over.wait(pause):
            began = time.monotonic()
            with suppress(Exception):  # the driver is gone, as the next call will show
                self.reason = self.too_much() or self._alone() or self.reason
                if self.reason is not None:
                    self._cancel()
            pause = max(_LOOK_SECONDS, _SHARE * (time.monotonic() - began))

    def too_much(self) -> CheckpointingError | None:
        """The error for more bytes on disk than may lie there; None if there are not."""
        folders = {*self.written, *([] if self._spilled is None else [self._spilled])}
        if (count := sum(map(_bytes_below, folders))) <= self.disk:
            return None
        return StorageError(
            f"Spark has {size(count)} on disk, of what the step writes and of what Spark does not "
            f"hold in memory, and max_disk in memory_budget.toml leaves {size(self.disk)}. Run "
            f"`clean --old`, or raise max_disk."
        )

    def _alone(self) -> CheckpointingError | None:
        if self._executors is None:
            return None
        if self._executors():
            self._alone_since = None
            return None
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since < self._patience:
            return None
        return ConfigurationError(
            f"all executors of Spark are lost, and the cluster gave no other for "
            f"{duration(self._patience)}: the time that `wait` of [spark] in memory_budget.toml "
            f"allows. See whether the master and its workers still run."
        )


def _bytes_below(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size
    return total
