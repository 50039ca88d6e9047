"""One folder for the temporary files of a test run, of all its processes: it goes with the run.

What a test kills cannot remove its temporary files, and no worker of pytest-xdist removes at its
end what a module made when it was imported.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

import psutil

_BEGUN = "TESTS_TEMPORARY"
_NAME = re.compile(r"tests-(\d+)-")


def begin() -> None:
    """Make the folder, unless a process that has started this one did; name it to all others.

    The folders that pytest makes stay where they are: those of failed tests are there to be read.
    Folders of runs that were killed are removed.
    """
    if _BEGUN in os.environ:
        return
    usual = tempfile.gettempdir()
    for folder in Path(usual).glob("tests-*-*"):
        owner = _NAME.match(folder.name)
        if owner and not psutil.pid_exists(int(owner[1])):
            shutil.rmtree(folder, ignore_errors=True)
    own = tempfile.mkdtemp(prefix=f"tests-{os.getpid()}-", dir=usual)
    atexit.register(_end, os.getpid(), own)
    os.environ |= {_BEGUN: own, "TMPDIR": own}
    os.environ.setdefault(PYTEST_ROOT, usual)
    tempfile.tempdir = None  # it is chosen again, by TMPDIR


PYTEST_ROOT = "PYTEST_DEBUG_TEMPROOT"
"""The variable for the folder below which pytest makes its own."""


def _end(owner: int, folder: str) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
