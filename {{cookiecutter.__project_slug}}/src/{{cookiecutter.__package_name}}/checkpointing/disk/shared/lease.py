"""A lease on the checkpoints at a URL: one run at a time, and a dead one loses it.

It is an object that names who holds it, written again every so often as a sign of life. Everybody
who takes it does so under a condition, so exactly one gets it. Who is dead is decided by the clock
of the storage alone, so the clocks of machines may differ: a holder whose last sign is older than
the lease's time, or that is a process of this machine which has ended.

What it is not: a barrier at the storage. A holder that stops for longer than its lease's time, and
then goes on, notices before it writes the next manifest, because it asks `require_held` first. The
write of the manifest has a condition of its own.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ...base.errors import ConfigurationError, Locked, StorageError
from ...base.settings import MEMORY_BUDGET_FILE
from ...base.units import duration
from .holder import Holder, forget, holder_of, new_holder
from .objects import Objects

LEASE = "lease.json"
CLOCK = ".clock-"
"""In the name of an object that is written to learn the time of the storage, and removed."""

_FORMAT = 1
_RENEWALS = 4  # in the time of a lease
_RESOLUTION = timedelta(seconds=1)  # of the clock of a storage: S3 gives whole seconds
_ATTEMPTS = 5  # to take what changes hands meanwhile
_LONGEST = 7 * 24 * 3600  # seconds; what a damaged lease says beyond that is not believed
_PATIENCE = 5.0  # seconds that the end of a run waits for the last sign of life
_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)  # goes on while a laptop sleeps


@dataclass(frozen=True)
class _Note:
    """What the object says."""

    holder: Holder | None
    """None if it was released, or does not say whose it is."""

    seconds: float
    renewals: int = 0
    is_released: bool = False

    def content(self) -> bytes:
        holder = self.holder and self.holder.as_json()
        note = {"format": _FORMAT, "holder": holder, "seconds": self.seconds}
        return json.dumps(note | {"renewals": self.renewals}, indent=1).encode() + b"\n"


class Lease:
    """The lease that this process has taken; made by `leased`.

    Safe to ask from any thread. A thread renews it until the context of `leased` ends.
    """

    def __init__(self, objects: Objects, name: str, note: _Note, tag: str, at: float) -> None:
        self._objects, self._name = objects, name
        self._note, self._tag = note, tag
        self._at = at  # when the last write that succeeded was begun
        self._taken_by: str | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have it now."""
        return self._taken_by is None and _clock() - self._at < self._note.seconds

    def require_held(self) -> None:
        """Refuse to go on without it. Raises StorageError."""
        if self.is_held:
            return
        where = f"{self._objects.url}/{self._name}"
        why = (
            f"{self._taken_by} has it now"
            if self._taken_by
            else f"it could not be renewed for {duration(self._note.seconds)}"
        )
        raise StorageError(
            f"the lease at {where} is lost: {why}. So this run writes nothing more there; what it "
            f"has written stays, and the next run goes on from it. If the machine or the network "
            f"stops for longer now and then, raise [checkpoints] lease in {MEMORY_BUDGET_FILE}."
        )

    def _renew(self) -> None:
        """Give signs of life until the lease ends, or somebody else has it."""
        while not self._ending.wait(self._note.seconds / _RENEWALS):
            at = _clock()
            note = _Note(self._note.holder, self._note.seconds, self._note.renewals + 1)
            try:
                tag = self._objects.replace(self._name, note.content(), self._tag)
            except Exception:  # `is_held` knows how long this has lasted
                continue
            if tag is None:
                self._taken_by = self._other()
                return
            self._note, self._tag, self._at = note, tag, at

    def _other(self) -> str:
        with suppress(StorageError):
            present = _read(self._objects, self._name, self._note.seconds)
            if present is not None and present[0].holder is not None:
                return str(present[0].holder)
        return "another run"

    def _release(self) -> None:
        """Let others have it at once. If that fails, they wait until it has run out."""
        self._ending.set()
        self._thread.join(_PATIENCE)
        if self.is_held and not self._thread.is_alive():
            note = _Note(None, self._note.seconds, self._note.renewals + 1, is_released=True)
            with suppress(StorageError):
                self._objects.replace(self._name, note.content(), self._tag)


@contextmanager
def leased(objects: Objects, seconds: float, name: str = LEASE) -> Iterator[Lease]:
    """Hold the lease of that name while this context lasts.

    Args:
        seconds: how long after its last sign of life the holder counts as dead.

    Raises:
        Locked: another run holds it, and is alive as far as can be known.
        ConfigurationError: the storage has no writes under a condition, so there can be no lease.
        StorageError: the storage fails.
    """
    if not objects.is_conditional:
        raise ConfigurationError(
            f"{objects.url} cannot say which of two runs came first, because it has no writes "
            f"under a condition. So nothing would keep them from writing over each other. If a "
            f'scheduler sees to it that just one run is at work, write `lease = "none"` under '
            f"[checkpoints] in {MEMORY_BUDGET_FILE}; or name another URL there."
        )
    holder = new_holder()
    try:
        lease = _take(objects, seconds, name, holder)
        try:
            yield lease
        finally:
            lease._release()
    finally:
        forget(holder)


def _take(objects: Objects, seconds: float, name: str, holder: Holder) -> Lease:
    note = _Note(holder, seconds)
    for _ in range(_ATTEMPTS):
        at = _clock()
        present = _read(objects, name, seconds)
        if present is None:
            tag = objects.create(name, note.content())
        else:
            former, former_tag = present
            if not _is_free(objects, name, former, former_tag):
                raise _locked(objects, former)
            at = _clock()
            tag = objects.replace(name, note.content(), former_tag)
        if tag is not None:
            return Lease(objects, name, note, tag, at)
    raise Locked(f"several runs try to start on {objects.url} at the same time. Start one again.")


def _is_free(objects: Objects, name: str, note: _Note, tag: str) -> bool:
    """Whether nobody holds a lease, or who does is dead."""
    is_dead = note.holder is not None and note.holder.is_dead()
    return note.is_released or is_dead or _is_old(objects, name, tag, note.seconds)


def _is_old(objects: Objects, name: str, tag: str, seconds: float) -> bool:
    """Whether the last sign of life is older than that, by the clock of the storage."""
    clock = f"{name}{CLOCK}{secrets.token_hex(8)}"
    try:
        objects.create(clock, b"")
        now, last = objects.stat(clock), objects.stat(name)
    except FileNotFoundError:  # somebody removes them by hand
        return False
    finally:
        objects.remove([clock])
    return (
        last.tag == tag and now.modified - last.modified > timedelta(seconds=seconds) + _RESOLUTION
    )


def _locked(objects: Objects, note: _Note) -> Locked:
    who = str(note.holder) if note.holder else "it does not say whose"
    return Locked(
        f"another run of this pipeline is in progress on {objects.url} ({who}). Wait for it, or "
        f"stop it; its finished segments will be reused. If its machine is gone, wait for "
        f"{duration(note.seconds)}: then its lease has run out."
    )


def _read(objects: Objects, name: str, seconds: float) -> tuple[_Note, str] | None:
    """The note and its tag; None if there is none. One that is damaged has an unknown holder."""
    try:
        content, tag = objects.read(name)
    except FileNotFoundError:
        return None
    return _note_of(content, seconds), tag


def _note_of(content: bytes, seconds: float) -> _Note:
    try:
        note: Any = json.loads(content)
        lasts, holder = float(note["seconds"]), note["holder"]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return _Note(None, seconds)
    if not 0 < lasts < _LONGEST:
        lasts = seconds
    return _Note(holder_of(holder), lasts, is_released=holder is None)


def _clock() -> float:
    """Seconds that pass also while this machine sleeps."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
