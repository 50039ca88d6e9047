"""Who holds a lease: a process, by all that tells it apart from another one with its number."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from ...base.units import moment

_PROC = Path("/proc")
_AFTER_THE_NAME = 19  # of the fields of /proc/<pid>/stat: when the process started
_DEAD_STATES = "ZX"

_here: set[str] = set()  # numbers of holders of this process that have not ended


@dataclass(frozen=True)
class Holder:
    """A process that holds a lease, or held it."""

    host: str
    pid: Annotated[int, Field(gt=0)]

    machine: str
    """The boot of the machine and the process namespace, where a number means one process; empty
    where the system does not tell."""

    started: str
    """When the process started, as the system counts it."""

    number: str
    """Random: two leases of one process are two holders."""

    since: str
    """The moment in UTC, by the clock of the host, for people."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {moment(self.since)}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_of_here(self) -> bool:
        """Whether it is a process of this machine since its last boot, which can be looked for."""
        return bool(self.machine) and (self.host, self.machine) == (
            socket.gethostname(),
            _machine(),
        )

    def is_dead(self) -> bool:
        """Whether it certainly is: a process of this machine that has ended, or let go.

        False for one of another machine, of which nothing can be known here.
        """
        if not self.is_of_here:
            return False
        if self.pid == os.getpid():
            return self.number not in _here
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # it is another user's
            return False
        state, started = _stat(self.pid)
        return state in _DEAD_STATES or (started != self.started and bool(started))


_HOLDER = TypeAdapter(Holder)


def new_holder() -> Holder:
    """This process as a holder, until `forget` is called."""
    number = secrets.token_hex(8)
    _here.add(number)
    return Holder(
        host=socket.gethostname(),
        pid=os.getpid(),
        machine=_machine(),
        started=_stat(os.getpid())[1],
        number=number,
        since=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def forget(holder: Holder) -> None:
    """This process holds nothing any more as that holder."""
    _here.discard(holder.number)


def holder_of(content: Any) -> Holder | None:
    """A holder from its JSON; None for none, and for what is no holder."""
    try:
        return _HOLDER.validate_python(content)
    except ValidationError:
        return None


def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except (OSError, ValueError):
        return ""


def _stat(pid: int) -> tuple[str, str]:
    """The state of a process and when it started, in ticks since the boot; empty if unknown."""
    try:
        text = (_PROC / f"{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return "", ""
    fields = text.rpartition(")")[2].split()  # its name may contain anything
    return fields[0], fields[_AFTER_THE_NAME]
