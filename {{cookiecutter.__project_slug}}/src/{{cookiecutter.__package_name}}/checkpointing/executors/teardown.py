"""Destroying places, so that it can be trusted: tried again, verified, and swept by a later run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from ..base.errors import CheckpointingError, ExecutorError
from ..base.interrupts import held, taking_time
from ..base.units import duration
from .interface import Executor
from .ledger import Entry, read_entries, remove_entry, staged_folder, write_entry
from .opening import open_executor
from .storage import has_made_something, remove_all

_PAUSES = (0.0, 5.0)  # seconds before each attempt
MOST_SECONDS = 300.0
"""How long a destruction may take after an interrupt."""


@dataclass(frozen=True)
class Swept:
    """What a sweep did about one entry."""

    entry: Entry
    seconds: float
    failure: str = ""
    """Why the place may still live, and what to do; empty if it is gone."""


def destroy(executor: Executor, place: str) -> None:
    """Destroy a place, with several attempts; an interrupt waits until it is done.

    Raises ExecutorError, with the command to do so by hand.
    """
    failure: Exception | None = None
    with held(), taking_time(MOST_SECONDS):
        for pause in _PAUSES:
            time.sleep(pause)
            try:
                return executor.destroy(place)
            except Exception as error:  # an executor of the project's own may raise anything
                failure = error
    reason = failure.message if isinstance(failure, CheckpointingError) else repr(failure)
    message = (
        f"`{place}` MAY STILL LIVE, and cost money: {reason.rstrip('. ')}. The next run, or "
        f"`executors sweep`, tries again."
    )
    with suppress(Exception):  # an executor of the project's own may not know
        message += f" To end it by hand:\n    {executor.by_hand(place)}"
    raise ExecutorError(message, place=place)


def sweep(
    folder: Path,
    tell: Callable[[str], None],
    *,
    results: bool = False,
    place: str | None = None,
) -> list[Swept]:
    """Destroy every place that nobody takes care of any more.

    What waits in storage for the next run of its segment stays there.

    Args:
        folder: of the ledger.
        tell: takes a sentence before each destruction.
        results: drop what waits, too.
        place: look at this one alone, and destroy it whoever made it.
    """
    swept = []
    for entry in read_entries(folder):
        if place not in (None, entry.place):
            continue
        is_left = entry.state == "made" and (entry.is_abandoned() or place is not None)
        if is_left:
            tell(f"`{entry.place}` was left behind by {entry.holder}: it is destroyed")
        if is_left or entry.state == "done" or (results and entry.state == "waits"):
            swept.append(_swept(folder, entry, results=results))
    return swept


def _swept(folder: Path, entry: Entry, *, results: bool) -> Swept:
    started = time.monotonic()
    failure = ""
    try:
        if entry.state == "made":
            destroy(open_executor(entry.executor, entry.settings, folder), entry.place)
            entry = settled(folder, entry)
        if results or entry.state == "done":
            forget(folder, entry)
    except ValidationError:
        failure = f"`{entry.place}` has settings that this version of the runtime does not know"
    except CheckpointingError as error:
        failure = error.message
    except Exception as error:  # adapters.py is the project's own
        failure = f"`{entry.place}` cannot be destroyed, as adapters.py raises {error!r}"
    return Swept(entry, time.monotonic() - started, failure)


def settled(folder: Path, entry: Entry) -> Entry:
    """The entry of a place that is gone, noted: whether what it has made is still to be taken.

    Raises StorageError.
    """
    made = has_made_something(entry.storage, entry.pipeline, entry.segment, entry.key)
    entry = replace(entry, state="waits" if made else "done")
    write_entry(folder, entry)
    return entry


def forget(folder: Path, entry: Entry) -> None:
    """Remove what travelled for a place that is gone, and then its entry.

    Raises StorageError; then a sweep does it.
    """
    if entry.state != "done":
        write_entry(folder, replace(entry, state="done"))
    remove_all(entry.storage)
    shutil.rmtree(staged_folder(folder, entry.place), ignore_errors=True)
    remove_entry(folder, entry.place)


def sentence_of(swept: Swept) -> str:
    """A sentence about it."""
    if swept.failure:
        return swept.failure
    return f"`{swept.entry.place}` is gone, after {duration(swept.seconds)}"
