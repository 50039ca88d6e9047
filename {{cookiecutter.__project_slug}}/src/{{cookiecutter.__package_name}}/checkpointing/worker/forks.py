"""Children that a project's code forks: they end where that code ends.

`os.fork()` makes a child with the same call stack as its parent, the runtime's frames included.
When a step returns there, or raises, the child would continue as the worker: send, commit, clean
up.
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
    """Guard a call of the project's code: only the process that enters continues after it.

    A child that the code forks, and that reaches the end of this block, ends as any forked process
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
    """Call `close` first in every child that this process forks from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=close)


def close_file(path: Path) -> None:
    """Close all descriptors of a file in this process, whoever opened them.

    A file lock lasts until all processes have closed the file, forked children included.
    """
    try:
        sought = os.stat(path)
        descriptors = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return
    for descriptor in descriptors:
        with contextlib.suppress(OSError):  # the listing itself had a descriptor, closed by now
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
