"""What Spark raises, as what it is for the author of a step: a message without calls of Java."""

from __future__ import annotations

import re
import signal
import subprocess
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError

from ...base.errors import StorageError
from ..room import NoRoom
from . import spark_session
from .spark_session import Running

_FULL = "No space left on device"
_MEMORY = ("java.lang.OutOfMemoryError", "[UNABLE_TO_ACQUIRE_MEMORY]", "SparkOutOfMemoryError")
_LOST = re.compile(r"ExecutorLostFailure \(executor (\S+) exited[^)]*\) Reason: (.*)")
_CODE = re.compile(r"exit(?:ed with)?(?: exit)? code:? (\d+)")
_NO_MEMORY, _KILLED = 52, 128 + signal.SIGKILL  # as SparkExitCode.OOM has it, and a shell
_IN_PYTHON = re.compile(r"^MemoryError|\bArrowMemoryError", re.MULTILINE)
_PYTHON = ("Python worker", "PythonException", "PYTHON_EXCEPTION")
_LINES = 12  # of a message
_DEATH_SECONDS = 2.0  # until the end of a process is known after its connection has broken
_GONE = (ConnectionError, EOFError, Py4JNetworkError)


class SparkFailed(Exception):
    """A query has failed with an error that PySpark has no class for."""


def meant(error: Exception) -> Exception:
    """The error to raise in place of one that Spark has raised."""
    if isinstance(error, NoRoom | SparkFailed):
        return error  # it was asked for already, where the value was written
    running = spark_session.running()
    if running is not None and (why := _ended(error, running)) is not None:
        return why
    text = str(error)
    if isinstance(error, Py4JJavaError):
        text = _cause(error)
    if _FULL in text:
        return StorageError(
            f"Spark could not write on: {_FULL.lower()}. Free some room, or run `clean --old`."
        )
    shares = f" ({running.shares})" if running is not None else ""
    if any(sign in text for sign in _MEMORY):
        return NoRoom(f"Spark had no memory left{shares}: {_short(text)}")
    if any(sign in text for sign in _PYTHON) and _IN_PYTHON.search(text):
        return NoRoom(
            f"a Python worker of Spark had no memory left{shares}. `python_memory` of [spark] in "
            f"memory_budget.toml says what each may take"
        )
    if (lost := _LOST.search(text)) is not None:
        return _of_lost(lost[1], lost[2], shares)
    return SparkFailed(_short(text)) if isinstance(error, Py4JJavaError) else error


def _ended(error: Exception, running: Running) -> Exception | None:
    """Why the application has ended, or its jobs were cancelled; None if neither is so."""
    if running.watch is not None and running.watch.reason is not None:
        return running.watch.reason
    if running.driver is None or not isinstance(error, (Py4JError, *_GONE)):
        return None
    process, is_broken = running.driver.process, not isinstance(error, Py4JJavaError)
    try:
        code = process.wait(_DEATH_SECONDS if is_broken else 0)
    except subprocess.TimeoutExpired:
        return None
    if code in (_NO_MEMORY, 3):
        return NoRoom(f"the JVM of Spark had no memory left: it has {running.shares}")
    if code == -signal.SIGKILL:
        return NoRoom(
            "the JVM of Spark was killed from outside, by the system out of memory or by a person"
        )
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return SparkFailed(f"the JVM of Spark {how}, and left no error; see the log")


def _of_lost(executor: str, reason: str, shares: str) -> Exception:
    """The error for an executor that was lost so often that Spark gave up."""
    code = _CODE.search(reason)
    said = _short(reason).strip()
    if code is not None and int(code[1]) in (_NO_MEMORY, _KILLED):
        how = "had no memory left" if int(code[1]) == _NO_MEMORY else "was killed from outside"
        return NoRoom(f"an executor of Spark {how}{shares}: {said}")
    return SparkFailed(f"the executor {executor} of Spark was lost, and so were others: {said}")


def _cause(error: Any) -> str:
    """The message of the innermost cause, with the name of its class."""
    exception = error.java_exception
    while exception.getCause() is not None:
        exception = exception.getCause()
    return str(exception.toString())


def _short(text: str) -> str:
    """The text up to the calls of the JVM."""
    lines = []
    for line in text.splitlines():
        if line.startswith(("\tat ", "Driver stacktrace:")):
            break
        lines.append(line)
    return "\n".join(lines[:_LINES])
