"""Call a step: with random numbers of its own, and arguments that are made for it alone.

Of a table a step gets the columns that it asks for: those that a part reads are loaded once.
"""

from __future__ import annotations

import contextlib
import copy
import random
import sys
import weakref
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from ..base.errors import CheckpointingError, InexactValue
from ..base.files import storage_errors
from ..base.secrets import Secret
from ..codecs import frozen_bytes
from ..disk.hashed import is_sound
from ..disk.store import Damaged
from ..graph.steps import Step
from .forks import children_end_here
from .messages import Source

_SMALL = 64 * 2**20  # bytes of a value that is kept while a step uses it, whatever the step does


def seed(key: str, step: str) -> None:
    """Seed the random numbers, so that a step draws the same ones in every run.

    Args:
        key: of the step's own code, params and inputs, so no edit of another step changes them.
    """
    number = zlib.crc32(f"{key} {step}".encode())
    random.seed(number)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(number)


def call(function: Callable[..., Any], names: list[str], take: Callable[[str], Any]) -> Any:
    """Call a step so that only the step itself holds its arguments.

    A call through `*args` or `**kwargs` keeps every argument alive until it returns, even after
    the step rebinds its name; a plain positional call hands the references over.
    """
    arguments = ", ".join(f"take({name!r})" for name in names)
    with children_end_here():
        return eval(f"lambda function, take: function({arguments})")(function, take)


def given(argument: Any) -> Any:
    """An input, a param or a variable as a step of its own receives it; a secret as plain text."""
    return argument.reveal() if isinstance(argument, Secret) else copy.deepcopy(argument)


@contextlib.contextmanager
def thawing(name: str, source: Source | None) -> Iterator[None]:
    """Turn any error while an argument is made of a value's frozen form into one of these.

    Args:
        source: the file that the form is read from; None: a step of this process made the value.

    Raises:
        Damaged: the file is not what was committed.
        InexactValue: it is, or there is none: what is asked of the value cannot be made.
        StorageError: the system does not let this process look at the file.
    """
    try:
        yield
    except (CheckpointingError, MemoryError):
        raise
    except Exception as error:  # codecs raise what they like
        if source is None:
            raise InexactValue(
                f"`{name}` is of a kind that no checkpoint gives back ({error}). Convert it to a "
                f"plainer type, with astype(...) say.",
                step=name,
            ) from error
        with storage_errors(f"Reading `{name}`", source.folder):
            if not is_sound(source.folder, source.record):
                raise Damaged(name) from error
            if isinstance(error, OSError):
                raise
        raise InexactValue(
            f"`{name}` cannot be given in the form that the step asks for ({error}), though its "
            f"file is as it was committed. Annotate the parameter as another type. If an older "
            f"version wrote the file, make it anew: `run --rerun-from {source.folder.parent.name}`."
        ) from error


def lend(frozen: Any, argument: Any) -> Callable[[], Any]:
    """A function that returns a frozen value while the step holds what was thawed of it.

    After that the function returns None, so that a step that lets go of a large value frees its
    memory. A small value is kept in any case, and one of a type without weak references.
    """
    if frozen_bytes(frozen) <= _SMALL:
        return lambda: frozen
    try:
        watched = weakref.ref(argument)
        if argument is frozen:
            return watched
        kept = {"frozen": frozen}
        weakref.finalize(argument, kept.clear).atexit = False
    except TypeError:
        return lambda: frozen
    return lambda: kept.get("frozen")


def columns_read(steps: tuple[Step, ...]) -> dict[str, tuple[str, ...] | None]:
    """For each value or item, the columns that these steps read; None for all."""
    columns: dict[str, tuple[str, ...] | None] = {}
    for parameter in (p for step in steps for p in step.parameters):
        former = columns.get(parameter.taken, ())
        if former is None or parameter.columns is None:
            columns[parameter.taken] = None
        else:
            columns[parameter.taken] = tuple(dict.fromkeys((*former, *parameter.columns)))
    return columns
