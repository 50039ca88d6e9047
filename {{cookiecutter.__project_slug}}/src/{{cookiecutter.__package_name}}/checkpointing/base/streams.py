"""Standard streams that never end a command: closed, full, without a reader, in any encoding.

The work of a command must not depend on whether anybody can read what it prints. A stream that
fails keeps silent from then on; `failure_of` says why, and the end of the command decides what that
means.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from typing import Any, TextIO

_FAILURES: dict[int, OSError] = {}


class _Lasting(io.FileIO):
    """A file that takes all that it is given, and remembers the first error."""

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        if self.fileno() in _FAILURES:
            return count
        try:
            written = super().write(data)
        except OSError as error:
            _FAILURES[self.fileno()] = error
            return count
        if written is None:  # a pipe that does not block, and is full now
            with contextlib.suppress(OSError, ValueError):
                select.select([], [self], [])
            return self.write(data)
        return written


def make_lasting() -> None:
    """Give this process standard streams that last, in the encoding that they have.

    What their encoding lacks is printed as an escape. A stream that was closed before this process
    began prints nowhere.
    """
    occupy()
    sys.stdout, sys.stderr = _lasting(sys.stdout, 1), _lasting(sys.stderr, 2)


def occupy() -> None:
    """Open the null device for each standard stream that is closed, as a daemon's may be.

    Otherwise the next file or pipe would get its number, and what a step prints would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # It gets the lowest number that is free. Workers need streams as well.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def failure_of(number: int) -> OSError | None:
    """The error with which the stream of that number failed; None if all of it was delivered.

    The reader of a pipe that has read enough is no failure.
    """
    stream: TextIO | None = sys.stdout if number == 1 else sys.stderr
    with contextlib.suppress(OSError, ValueError):
        if stream is not None:  # closed before this process began
            stream.flush()
    error = _FAILURES.get(number)
    return None if error is None or error.errno == errno.EPIPE else error


def _lasting(stream: TextIO | None, number: int) -> TextIO:
    buffer = getattr(stream, "buffer", None)
    is_plain = isinstance(getattr(buffer, "raw", buffer), io.FileIO)
    if stream is not None and (not is_plain or stream.fileno() != number):
        return stream  # a test's, say, which cannot fail
    if stream is not None:
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Lasting(number, "w", closefd=False)),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=getattr(stream, "line_buffering", False),
        write_through=getattr(stream, "write_through", False),
    )
