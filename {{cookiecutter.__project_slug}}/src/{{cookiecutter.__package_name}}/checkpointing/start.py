"""Command start-up: handle interrupts, and load libraries in the background."""

from __future__ import annotations

import contextlib
import sys

from .base.interrupts import listen
from .base.streams import make_lasting


def start() -> None:
    """Prepare this process for its command, before anything else.

    From here on an interrupt ends it without a traceback, and so does a stream that fails. The fork
    server loads libraries while this process loads its own.
    """
    make_lasting()
    listen()
    if sys.argv[1:] and not {"--help", "review", "update"} & set(sys.argv):
        from .run.processes import warm_up

        with contextlib.suppress(OSError):  # the command tries it again, and tells what is wrong
            warm_up()
