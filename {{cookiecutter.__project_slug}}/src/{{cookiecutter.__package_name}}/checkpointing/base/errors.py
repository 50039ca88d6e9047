"""The errors, one class for each cause, with its kind in `run --json` and its exit code."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

from .refusals import refusal_of, refused, remedy_of
from .texts import MESSAGE_CHARACTERS, VALUE_CHARACTERS, cut


class CheckpointingError(Exception):
    """An error that a person can act on.

    The message says what is wrong, where, and what to do. `segment` and `step` say where in the
    pipeline the error happened; `details` are further JSON-able facts for `run --json`.
    """

    kind: ClassVar[str] = "configuration"
    exit_code: ClassVar[int] = 2

    def __init__(
        self, message: str, *, segment: str | None = None, step: str | None = None, **details: Any
    ) -> None:
        self.message = cut(message, MESSAGE_CHARACTERS)
        super().__init__(self.message)
        self.segment = segment
        self.step = step
        self.details = details
        self.record: Any = None  # of the run or comparison that this error ended

    def add(self, sentence: str) -> None:
        """Add to the message what a person has to know besides."""
        self.message = f"{self.message}\n  {sentence}"
        self.args = (self.message,)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "segment": self.segment,
            "step": self.step,
            "message": self.message,
            **self.details,
        }


class ConfigurationError(CheckpointingError):
    """The pipeline, a TOML file or the command line asks for something that is impossible."""


class StepFailed(CheckpointingError):
    """A step raised, or its process died for a reason that is not the budget."""

    kind = "step_failed"
    exit_code = 1


class BudgetExceeded(CheckpointingError):
    """A step used more memory than the budget allows."""

    kind = "budget_exceeded"
    exit_code = 3


class InexactValue(CheckpointingError):
    """A step returned something that its checkpoint could not give back exactly."""

    kind = "inexact_value"
    exit_code = 5


class StorageError(CheckpointingError):
    """A checkpoint or an output could not be written or read."""

    kind = "storage"
    exit_code = 5


class MaxDiskReached(StorageError):
    """What a checkpoint needs is more than `max_disk` leaves."""


class Locked(CheckpointingError):
    """Another run of the same pipeline uses the same checkpoints."""

    kind = "locked"
    exit_code = 5


class ExecutorError(CheckpointingError):
    """Infrastructure for a segment could not be made, was lost, or may still be there."""

    kind = "executor"
    exit_code = 5


class Interrupted(CheckpointingError):
    """A person or the scheduler asked the run to stop."""

    kind = "interrupted"
    exit_code = 130


class Internal(CheckpointingError):
    """A bug of this runtime: an exception that no part of it expects."""

    kind = "internal"
    exit_code = 1


BY_KIND: dict[str, type[CheckpointingError]] = {
    error.kind: error
    for error in (
        ConfigurationError,
        StepFailed,
        BudgetExceeded,
        InexactValue,
        StorageError,
        Locked,
        ExecutorError,
        Interrupted,
        Internal,
    )
}


class Record(Protocol):
    """The record of a run or a comparison: it says by which error that ended, if by any."""

    error: dict[str, Any] | None


@contextmanager
def recorded(record: Record, stopped: Callable[[], Interrupted]) -> Iterator[None]:
    """Make whatever ends a run a CheckpointingError that carries the record so far.

    Args:
        stopped: makes the error for Ctrl-C.
    """
    failure: CheckpointingError
    try:
        yield
    except KeyboardInterrupt:
        failure, cause = stopped(), None
    except Exception as error:
        failure = as_ours(error)
        cause = error.__cause__ if failure is error else error
    else:
        return
    record.error, failure.record = failure.as_json(), record
    raise failure from cause


def as_ours(error: Exception) -> CheckpointingError:
    """Any exception as an error of ours: what the system refuses is storage, the rest is a bug.

    Where a person has named what is refused, an input or a setting, a ConfigurationError was raised
    already.
    """
    if (refusal := refused(error)) is not None:
        return StorageError(f"{refusal_of(refusal)}. {remedy_of(refusal)}")
    match error:
        case CheckpointingError():
            return error
        case MemoryError():
            return BudgetExceeded(
                "the process of the command itself ran out of memory, outside of any step. End "
                "other programs, or raise the limit that it runs under (`ulimit -v`)."
            )
    return _bug(error)


def _bug(error: Exception) -> Internal:
    """The error for an exception that nothing expects; its traceback is in a file."""
    import tempfile  # here, because most commands meet no bug
    import traceback

    text = "".join(traceback.format_exception(error))
    named = f"this is a bug of the runtime ({type(error).__name__}: {_said(error)})."
    try:
        descriptor, path = tempfile.mkstemp(prefix="checkpointing-bug-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return Internal(f"{named} Report it with the traceback above.", traceback=text)
    return Internal(f"{named} Report it with the traceback in {path}.")


def _said(error: Exception) -> str:
    return cut(" ".join(str(error).split()), VALUE_CHARACTERS)


def message_of(failure: CheckpointingError) -> str:
    """The message of an error for people: where in the pipeline, what is wrong, what to do."""
    place = ""
    if failure.segment and f"`{failure.segment}`" not in failure.message:
        step = f", step `{failure.step}`" if failure.step else ""
        place = f"segment `{failure.segment}`{step}: "
    return f"{place}{failure.message}"


def nearest(name: str, candidates: list[str]) -> str:
    """A hint for a mistyped name: "; did you mean `x`?", or nothing."""
    matches = difflib.get_close_matches(name, candidates, n=1)
    return f"; did you mean `{matches[0]}`?" if matches else ""
