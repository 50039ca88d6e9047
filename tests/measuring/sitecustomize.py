"""Measures coverage in every Python process of the tests but in those that only serve others.

Python imports this file when it starts, because `dev.py test` puts the folder on PYTHONPATH. The
fork server takes half as long again to import pandas while it is traced, and runs no line that a
test is about: its workers are measured from their fork on. Python's resource tracker has nothing
to measure.
"""

import atexit
import os
import sys

_SETTINGS = os.environ.get("MEASURED_BY")  # the absolute path of pyproject.toml
_DATA = os.environ.get("MEASURED_INTO")  # the absolute path of the data files, without suffix


def _begin() -> None:
    measured = coverage.Coverage(data_file=_DATA, data_suffix=True, config_file=str(_SETTINGS))
    measured.start()
    atexit.register(measured.save)


if _SETTINGS and "multiprocessing.resource_tracker" not in " ".join(sys.orig_argv):
    import coverage

    if "multiprocessing.forkserver" in " ".join(sys.orig_argv):
        os.register_at_fork(after_in_child=_begin)
    else:
        _begin()
