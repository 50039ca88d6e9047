"""The first thing that a command does: answer interrupts, and have libraries loaded meanwhile."""

from __future__ import annotations

import sys

from .base.interrupts import listen


def start() -> None:
    """Prepare this process for the command that was typed; called before anything else.

    From here on an interrupt ends it without a traceback. Libraries load in the process that
    workers are forked from while this one loads its own.
    """
    listen()
    if sys.argv[1:] and not {"--help", "review", "update"} & set(sys.argv):
        from .run.processes import warm_up

        warm_up()
