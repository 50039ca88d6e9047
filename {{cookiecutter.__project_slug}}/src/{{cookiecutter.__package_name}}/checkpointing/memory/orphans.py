"""Processes whose parent has ended: on Linux one process of the run adopts them, and ends them.

A process that a step detaches (a daemon, with its own session) would belong to the system's first
process otherwise: not counted, and there for ever. This is prctl(2), PR_SET_CHILD_SUBREAPER.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from . import meter, procfs

FOLDER = "CHECKPOINTING_SOCKETS"
"""The variable that names a fork server the folder of its socket, which has to go with it."""

_TRACKER_SECONDS = 2.0  # to remove what is registered with it
_END_SECONDS = 5.0  # a process in a disk wait cannot even be killed
_AGAIN_SECONDS = 0.002


def end_adopted(parent: int, keep: Callable[[], Collection[int]] = tuple) -> list[int]:
    """End all children of the process that adopts, with their own, but those to keep.

    A tracker of resources that a step started gets the time to do its work. Killed processes leave
    their children to be adopted: so this looks again until there are none.

    Returns the processes that could not be ended: another user's, since `sudo` and the like.
    """
    began, foreign = time.monotonic(), set[int]()
    while waiting := set(procfs.children(parent)) - {*keep(), *foreign}:
        passed = time.monotonic() - began
        if passed > _END_SECONDS:
            return [*foreign, *waiting]
        for pid in waiting:
            if parent == os.getpid():
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            try:
                os.kill(pid, 0)
            except PermissionError:
                foreign.add(pid)
            except ProcessLookupError:
                continue
            meter.kill_tree(pid, patient=passed < _TRACKER_SECONDS)
        time.sleep(_AGAIN_SECONDS)
    return list(foreign)
