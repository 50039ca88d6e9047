"""The answer of a process to what the system refuses before a command can answer for itself."""

from __future__ import annotations

import json
import os
import sys
from types import TracebackType

from .errors import CheckpointingError, as_ours
from .refusals import refused


def print_object(failure: CheckpointingError) -> None:
    """Print an error as an object, if the command line asks for JSON."""
    if "--json" in sys.argv:
        print(json.dumps({"error": failure.as_json()}))


def answer(failure: CheckpointingError) -> int:
    """Print an error, as an object too if the command line asks for JSON; the exit code."""
    print_object(failure)
    print(f"error: {failure.message}", file=sys.stderr)
    return failure.exit_code


def install() -> None:
    """Have this process end with such an answer if the system refuses what nothing catches."""
    sys.excepthook = _end


def remove() -> None:
    """Have Python print tracebacks again, for a command of the project's own."""
    sys.excepthook = sys.__excepthook__


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    is_refused = isinstance(error, MemoryError) or refused(error) is not None
    if not (isinstance(error, Exception) and is_refused):
        sys.__excepthook__(kind, error, trace)
        return
    code = answer(as_ours(error))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
