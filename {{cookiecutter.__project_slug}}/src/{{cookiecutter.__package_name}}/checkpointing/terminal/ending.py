"""How a command ends: an error becomes a message on stderr and an exit code, in one place."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from rich.console import Console

from ..base.errors import CheckpointingError, Interrupted, Record, as_ours, message_of
from ..base.interrupts import interruptible

_ERROR_STYLE = "bold red"

Given = ParamSpec("Given")
Made = TypeVar("Made", bound=Record)


def ended(command: Callable[Given, int]) -> Callable[Given, int]:
    """A command whose errors end it with a message, and whose interrupts with exit code 130.

    With `as_json` it prints one JSON object all the same, which contains the error.
    """
    signature = inspect.signature(command)

    @functools.wraps(command)
    def run(*arguments: Given.args, **options: Given.kwargs) -> int:
        failure: CheckpointingError
        try:
            with interruptible:
                return command(*arguments, **options)
        except KeyboardInterrupt:
            failure = Interrupted("stopped.")
        except Exception as error:
            failure = as_ours(error)
        if signature.bind(*arguments, **options).arguments.get("as_json"):
            print(json.dumps({"error": failure.as_json()}))
        return failure.exit_code if isinstance(failure, Interrupted) else exit_code(failure)

    return run


def attempt(
    make: Callable[[], Made], empty: Callable[[], Made], what: str
) -> tuple[Made, CheckpointingError | None]:
    """The record that `make` returns, or the record so far and the error that ended it.

    An interrupt that comes after `make` has returned changes nothing.

    Args:
        empty: makes a record for an error that comes before there is one.
        what: names what `make` does, for the message of an interrupt.
    """
    made: Made | None = None
    failure: CheckpointingError
    try:
        with interruptible:
            made = make()
    except KeyboardInterrupt:
        failure = Interrupted(f"stopped before {what} started.")
    except Exception as error:
        failure = as_ours(error)
    if made is not None:
        return made, None
    if failure.record is None:
        failure.record = empty()
        failure.record.error = failure.as_json()
    return failure.record, failure


def exit_code(failure: CheckpointingError | None) -> int:
    """Print an error for a person: the traceback of a step first, then what to do.

    Returns the exit code; 0 if there is no error.
    """
    if failure is None:
        return 0
    console = Console(stderr=True)
    if trace := failure.details.get("traceback"):
        console.print(trace.rstrip(), highlight=False, markup=False, soft_wrap=True)
    console.print("error:", style=_ERROR_STYLE, end=" ")
    console.print(message_of(failure), highlight=False, markup=False, soft_wrap=True)
    return failure.exit_code
