"""Python's safe path, for the processes of a run and not for what the steps in them start.

Python started with `-c` or `-m` looks for modules in the current folder first. There `random.py`
may be anybody's script, and would run in place of the library's module.
"""

from __future__ import annotations

import os

VARIABLE = "PYTHONSAFEPATH"
_OURS = "checkpointing"  # any text will do for Python


def value() -> str:
    """The value of the variable with which a process of a run starts."""
    return os.environ.get(VARIABLE) or _OURS


def lift() -> None:
    """Remove the variable, if a person has not set it: a step may start a script that needs none.

    This process keeps its own safe path.
    """
    if os.environ.get(VARIABLE) == _OURS:
        del os.environ[VARIABLE]
