"""Command start-up: handle interrupts, and load libraries in the background."""

from __future__ import annotations

import sys

from .base import last_resort
from .base.interrupts import listen
from .base.streams import make_lasting


def start() -> None:
    """Prepare this process for its command, before anything else.

    From here on an interrupt ends it without a traceback, and so does what the system refuses. The
    fork server loads libraries while this process loads its own.
    """
    last_resort.install()
    make_lasting()
    listen()
    if sys.argv[1:] and not {"--help", "review", "update", "new"} & set(sys.argv):
        from .run.workers import warm_up

        warm_up()
