"""Children that a project's code forks: they end where that code does, and never act for us.

`os.fork()` gives a child that stands in the same frames as its parent, ours included. When the code
of a step returns there, or raises, the child would go on as the worker: send, commit, clean up.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from .traces import user_traceback


@contextmanager
def children_end_here() -> Iterator[None]:
    """Call a project's code within: only the process that came in goes on after it.

    A child that was forked meanwhile, and comes to the end of this, ends as any forked process
    does: with the code of its `sys.exit`, with 1 and a traceback on stderr, or else with 0.
    """
    own = os.getpid()
    try:
        yield
    except BaseException as error:
        if os.getpid() != own:
            _end(error)
        raise
    if os.getpid() != own:
        _end(None)


def children_go_without(close: Callable[[], None]) -> None:
    """Have `close` called in every child that this process will fork, as its first act."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=close)


def close_file(path: Path) -> None:
    """Close all that this process has open of a file, whoever opened it.

    A file lock lasts until the last process has closed its file, forked children included.
    """
    try:
        sought = os.stat(path)
        descriptors = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return
    for descriptor in descriptors:
        with contextlib.suppress(OSError):  # one is of the listing itself, which is over
            if os.path.samestat(os.fstat(descriptor), sought):
                os.close(descriptor)


def _end(error: BaseException | None) -> NoReturn:
    code = 1
    try:
        if error is None:
            code = 0
        elif not isinstance(error, SystemExit):
            print(user_traceback(error, Path.cwd()), end="", file=sys.stderr)
        elif error.code is None or isinstance(error.code, int):
            code = error.code or 0
        else:
            print(error.code, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)
