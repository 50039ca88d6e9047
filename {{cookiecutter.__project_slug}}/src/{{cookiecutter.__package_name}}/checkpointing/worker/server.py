"""The fork server of a run: it adopts what steps detach, and takes it along when it ends itself.

The fork server imports this module before it forks a worker, and nothing else does: the import
changes the process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import warnings

from ..memory import meter
from ..memory.orphans import FOLDER, end_adopted


def _end(server: int, folder: str | None) -> None:
    """End all workers and what they left; a process that the server forked ends alone.

    The run removes the folder of the socket itself, unless it was killed.
    """
    if os.getpid() == server:
        end_adopted(server)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


meter.adopt_orphans()
warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")
atexit.register(_end, os.getpid(), os.environ.pop(FOLDER, None))  # no step's environment has it
