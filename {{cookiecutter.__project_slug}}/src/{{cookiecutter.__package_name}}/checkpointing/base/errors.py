"""The errors, one class for each cause, with its kind in `run --json` and its exit code."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol


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
        super().__init__(message)
        self.message = message
        self.segment = segment
        self.step = step
        self.details = details
        self.record: Any = None  # of the run or comparison that this error ended

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


class Locked(CheckpointingError):
    """Another run of the same pipeline uses the same checkpoints."""

    kind = "locked"
    exit_code = 5


class Interrupted(CheckpointingError):
    """A person or the scheduler asked the run to stop."""

    kind = "interrupted"
    exit_code = 130


BY_KIND: dict[str, type[CheckpointingError]] = {
    error.kind: error
    for error in (
        ConfigurationError,
        StepFailed,
        BudgetExceeded,
        InexactValue,
        StorageError,
        Locked,
        Interrupted,
    )
}


class Record(Protocol):
    """The record of a run or a comparison: it says by which error that ended, if by any."""

    error: dict[str, Any] | None


@contextmanager
def recorded(record: Record, stopped: Callable[[], Interrupted]) -> Iterator[None]:
    """Make any error that ends a run a CheckpointingError that carries the record so far.

    Args:
        stopped: makes the error for Ctrl-C.
    """
    failure: CheckpointingError
    try:
        yield
    except KeyboardInterrupt:
        failure, cause = stopped(), None
    except CheckpointingError as error:
        failure, cause = error, error.__cause__
    except OSError as error:
        failure = StorageError(f"{error}. Check the disk and who may read and write there.")
        cause = error
    else:
        return
    record.error, failure.record = failure.as_json(), record
    raise failure from cause


def nearest(name: str, candidates: list[str]) -> str:
    """A hint for a mistyped name: "; did you mean `x`?", or nothing."""
    matches = difflib.get_close_matches(name, candidates, n=1)
    return f"; did you mean `{matches[0]}`?" if matches else ""
