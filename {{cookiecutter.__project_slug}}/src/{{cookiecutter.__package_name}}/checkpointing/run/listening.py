"""Wait for the first of some pipes, again and again.

`multiprocessing.connection.wait` is told of the pipes anew each time, which takes as long as to
read the memory of four processes.
"""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any


@contextmanager
def listening(*sources: Connection | int) -> Iterator[Callable[[float], list[Any]]]:
    """A function that waits, at most so many seconds, and returns the sources that are ready.

    One whose other end is closed is ready, too. A source is a connection, or the sentinel of a
    process.
    """
    if os.name != "posix":  # there a source is no file
        yield partial(wait, sources)
        return
    with selectors.PollSelector() as selector:
        for source in sources:
            selector.register(source, selectors.EVENT_READ)
        yield lambda seconds: [key.fileobj for key, _ in selector.select(seconds)]
