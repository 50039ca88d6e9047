"""The ledger: how the runs of a project on one machine share its memory budget.

`runs/ledger.json` has an entry for each run at work, and is gone when there is none. It says what
the run may hold now: during a part the limit of that part, and between parts what its own processes
hold. All entries together stay within the budget, which is the largest that any of these runs was
given: when a run arrives, a part that runs gets less. An entry counts while its run, or a worker
that this left, has the lock of its checkpoints: so it ends with its process, however that ends.

A part takes what it is expected to need, or all that is left if it was never measured, and more
while it runs as long as some is left. A part for which too little is left waits, in the order of
arrival. While it waits it holds nothing for itself, so two runs never wait for each other. A step
that alone exceeds its share runs again when the other runs have ended, with all of the budget.

Limits: what a command holds before its run begins, while it reads the pipeline, is not in the
ledger, and neither are commands that only look. A run that cannot write its entry, on a full disk
say, goes on without one. Runs on another machine have a budget of their own.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ..base.errors import Locked, StorageError
from ..base.files import replace_text, storage_errors
from ..base.interrupts import held
from ..base.reading import read_json
from ..base.refusals import NotAFile, Unreadable
from ..base.settings import Settings
from ..base.units import size
from ..disk.locks import acquired
from ..disk.store import Store
from ..memory.budget import EffectiveBudget
from ..memory.gauge import Gauge
from .events import Noticed, Observer
from .record import LEDGER, LEDGER_LOCK

_LOCK_SECONDS = 30.0  # it is held for milliseconds at a time
LOOK_SECONDS = 0.1

State = Literal["between", "running", "waiting", "last"]
"""Between parts, in a part, waiting for a share, or waiting until all other runs have ended."""


@dataclass(frozen=True)
class Entry:
    """One run at work; sizes in bytes."""

    pipeline: Annotated[str, Field(pattern=r"^[^./\\\x00][^/\\\x00]*$")]
    pid: int
    host: str

    budget: Annotated[int, Field(ge=0)]
    """The most that the run may ever hold."""

    holds: Annotated[int, Field(ge=0)]
    """What it may hold now."""

    state: State = "between"

    turn: int = 0
    """Its place among those that wait: the smallest comes first."""

    @property
    def name(self) -> str:
        """The run, as people know it."""
        return f"the run of `{self.pipeline}` (process {self.pid})"


_ENTRIES = TypeAdapter(list[Entry])


def runs_at_work(settings: Settings) -> list[Entry]:
    """The runs of the project that are at work on this machine now. Raises StorageError."""
    entries = _read(settings.runs)
    return [entry for entry in entries if _is_here(entry) and _is_alive(entry, settings)]


class Ledger:
    """The entry of one run, which has the lock of its checkpoints, among those of the others.

    Args:
        budget: of this run.
        observe: receives a `Noticed` when the run has to wait; it may be replaced.

    Attributes:
        bare_bytes: what the run held when it was last between parts.
    """

    def __init__(
        self, settings: Settings, pipeline: str, budget: EffectiveBudget, observe: Observer
    ) -> None:
        self.bare_bytes = 0
        self._lock = threading.RLock()
        self._settings = settings
        self._path = str(settings.runs / LEDGER)
        self._budget = budget
        self.observe = observe
        self._is_unknown = False
        self._beside: list[Entry] = []
        self._had_company = False
        self._mine = Entry(pipeline, os.getpid(), socket.gethostname(), budget.bytes, 0)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Have an entry as long as this context. Raises Locked."""
        try:
            self._between_parts()
            yield
        finally:
            # Without the lock of its run an entry counts for nothing, should it stay.
            with held(), suppress(Locked), self._open():
                self._write(self._beside)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep other runs of the project from beginning or changing their entries for a moment.

        Gives whether no other run is at work.
        """
        with self._open():
            yield not any(map(_is_here, self._beside))

    def begin(self, needed: int | None, *, last: bool = False) -> int:
        """Wait for a share of the budget, in bytes, and take it until `rest`.

        Args:
            needed: the bytes that all processes of the run are expected to hold; None if that is
                not known.
            last: wait until no other run is at work.
        """
        self._had_company = False
        self._wait(needed, "last" if last else "waiting")
        return self._mine.holds

    def rest(self) -> None:
        """Hold no more than what the run holds between parts."""
        self._between_parts()

    @property
    def most(self) -> int:
        """The most that the run may ever hold, in bytes."""
        return self._budget.bytes

    def had_all(self) -> bool:
        """Whether no other run took anything of what this one could have had, since its grant."""
        return self._mine.holds >= self._budget.bytes or not self._had_company

    def widened(self) -> int:
        """Take all that is left; what the run may hold then."""
        with self._open() as others:
            share = min(self._budget.bytes, self._left(others))
            if share > self._mine.holds:
                self._keep(replace(self._mine, holds=share))
        return self._mine.holds

    def reach(self, wanted: int, *, begins: bool = False) -> bool:
        """Whether the run may hold so many bytes now; it takes nothing if not.

        `begins`: another part would begin. It lets those first that other runs wait with.
        """
        with self._open() as others:
            may = wanted <= min(self._budget.bytes, self._left(others))
            may &= not (begins and any(entry.state == "waiting" for entry in others))
            if may and wanted > self._mine.holds:
                self._keep(replace(self._mine, holds=wanted))
        return may

    def shrink(self, holds: int) -> None:
        """Leave to others what the run no longer needs."""
        with self._open():
            if holds < self._mine.holds:
                self._keep(replace(self._mine, holds=max(0, holds)))

    def narrowed(self) -> int:
        """Give way to runs that came meanwhile; what the run may hold then."""
        with self._open() as others:
            if (left := self._left(others)) < self._mine.holds:
                self._keep(replace(self._mine, holds=max(0, left)))
        return self._mine.holds

    def stamp(self) -> tuple[int, int]:
        """It changes whenever an entry does."""
        try:
            stat = os.stat(self._path)  # every 10 ms
        except OSError:
            return 0, 0
        return stat.st_mtime_ns, stat.st_ino

    def _wait(self, needed: int | None, state: Literal["waiting", "last"]) -> None:
        noticed: set[int] = set()
        while True:
            with self._open() as others:
                if self._mine.state != state:
                    turn = 1 + max((entry.turn for entry in others), default=0)
                    self._mine = replace(self._mine, state=state, turn=turn)
                before = self._before(needed, others)
                if not before:
                    share = min(
                        self._budget.bytes, needed or self._budget.bytes, self._left(others)
                    )
                    granted = replace(self._mine, state="running", turn=0, holds=max(0, share))
                    self._keep(granted)
                    return
                self._keep(self._mine)
            if not noticed.issuperset(entry.pid for entry in before):
                noticed |= {entry.pid for entry in before}
                self.observe(Noticed(self._reason(needed, before, others)))
            time.sleep(LOOK_SECONDS)
            with held() as interrupt:
                interrupt.check()

    def _before(self, needed: int | None, others: Sequence[Entry]) -> list[Entry]:
        """The runs that a part has to wait for now."""
        mine = self._mine
        earlier = [e for e in others if e.state == mine.state and e.turn < mine.turn]
        if mine.state == "last":
            return [entry for entry in others if entry.state != "last"] + earlier
        is_enough = self._left(others) >= (needed or self._budget.bytes)
        return earlier or [e for e in others if e.state == "running" and not is_enough]

    def _reason(self, needed: int | None, before: Sequence[Entry], others: Sequence[Entry]) -> str:
        names = " and ".join(entry.name for entry in before)
        waits = f"{self._mine.pipeline}: waits for {names}"
        if self._mine.state == "last":
            return f"{waits} to end, because this part needs all of the budget"
        need = "was never measured" if needed is None else f"may need {size(needed)}"
        left = size(max(0, self._left(others)))
        return f"{waits}: of {size(self._total(others))}, {left} are left, and this part {need}"

    def _total(self, others: Sequence[Entry]) -> int:
        return max(entry.budget for entry in (self._mine, *others))

    def _left(self, others: Sequence[Entry]) -> int:
        """What the other runs leave of the budget; negative if they hold more."""
        return self._total(others) - sum(entry.holds for entry in others)

    def _between_parts(self) -> None:
        self.bare_bytes = Gauge(os.getpid(), self._budget.count).sample()
        with self._open():
            self._keep(replace(self._mine, state="between", turn=0, holds=self.bare_bytes))

    def _keep(self, mine: Entry) -> None:
        self._mine = mine
        self._write([*self._beside, mine])

    @contextmanager
    def _open(self) -> Iterator[list[Entry]]:
        """The entries of other processes' runs, while nobody else may change them.

        A run in another thread of this process is none of them: its memory is in the same tree of
        processes, so each of both is watched with the memory of both.
        """
        runs = self._settings.runs
        with self._lock, ExitStack() as stack:
            self._beside = []
            try:
                lock = acquired(runs / LEDGER_LOCK, _LOCK_SECONDS)
                if lock is None:
                    raise Locked(
                        f"{runs / LEDGER_LOCK} is locked by a process that does not go on. Look "
                        f"for a run of the project that was stopped, and end it."
                    )
                stack.callback(lock.release)
                self._beside = [entry for entry in _read(runs) if self._is_to_stay(entry)]
            except StorageError as error:
                self._go_without(error)
            others = [e for e in self._beside if _is_here(e) and e.pid != self._mine.pid]
            self._had_company |= bool(others)
            yield others

    def _is_to_stay(self, entry: Entry) -> bool:
        """Whether an entry is that of another machine, or of another run that is at work."""
        is_other = entry.pipeline != self._mine.pipeline
        return not _is_here(entry) or (is_other and _is_alive(entry, self._settings))

    def _write(self, entries: Sequence[Entry]) -> None:
        runs = self._settings.runs
        if self._is_unknown:
            return  # something else may be in the ledger's place
        try:
            with storage_errors("Writing the ledger of runs", runs):
                if entries:
                    text = json.dumps([asdict(entry) for entry in entries], indent=1)
                    replace_text(runs / LEDGER, text, durable=False)
                else:
                    (runs / LEDGER).unlink(missing_ok=True)
        except StorageError as error:
            self._go_without(error)

    def _go_without(self, error: StorageError) -> None:
        """Say that other runs cannot know of this one. Its work is worth more than its entry."""
        if not self._is_unknown:
            self._is_unknown = True
            self.observe(Noticed(f"other runs do not see what this one holds: {error.message}"))


def _is_here(entry: Entry) -> bool:
    return entry.host == socket.gethostname()


def _is_alive(entry: Entry, settings: Settings) -> bool:
    return Store(settings.checkpoints / entry.pipeline).is_in_use()


def _read(runs: Path) -> list[Entry]:
    """The entries as they were written; none if there are none that can be read.

    Runs at work write theirs again. Raises StorageError if it is no file.
    """
    with storage_errors("Reading the ledger of runs", runs):
        try:
            return _ENTRIES.validate_python(read_json(runs / LEDGER))
        except NotAFile:
            raise
        except (FileNotFoundError, NotADirectoryError, Unreadable, ValidationError):
            return []
