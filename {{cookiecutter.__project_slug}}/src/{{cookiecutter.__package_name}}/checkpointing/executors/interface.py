"""What an executor is: the one interface between a run and infrastructure that lives for a segment.

An executor makes a place, runs one command in it, and destroys it. It knows nothing of segments,
checkpoints or budgets; the run knows nothing of clouds. What the command reads and writes travels
by shared storage, not through the executor. A kind of its own is registered in `adapters.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Task:
    """A command to run once, on infrastructure that is made for it."""

    place: str
    """The name of the infrastructure: new for each task, and all that is needed to destroy it."""

    folder: Path
    """A local folder with the project's code: a copy of it is the command's working directory."""

    command: tuple[str, ...]
    """The program and its arguments. The program `python` is one with the project's packages."""

    time_limit: float
    """Seconds after its start at which the infrastructure ends itself, whatever lives here."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for the command; they may be secrets, so no log or file names one."""


@dataclass(frozen=True)
class Living:
    """Infrastructure that is there now."""

    place: str

    since: str = ""
    """The moment when it was made, in ISO 8601; empty if the infrastructure does not say."""

    state: str = ""
    """What the infrastructure says of it, in its own word."""

    cost: float | None = None
    """What it has cost so far by the engine's estimate, in US dollars; None if it gives none."""


class Executor(Protocol):
    """One kind of infrastructure, with the settings of one table [executors.NAME].

    An object of this kind keeps no state between calls: `destroy` and `living` also serve a process
    that never called `run`, after the one that did was killed.
    """

    def run(self, task: Task, say: Callable[[str], None]) -> int:
        """Make the infrastructure, run the task on it, and wait for its end.

        Args:
            say: takes each line that the command prints, and what the engine says meanwhile.

        Returns the exit code of the command.

        Raises:
            ExecutorError: there is no such infrastructure now, or it was lost.
            KeyboardInterrupt: at any moment; whatever was begun is left to `destroy`.
        """

    def destroy(self, place: str) -> None:
        """End a place, also one that is only half made or was never made; done when it is gone.

        Raises ExecutorError if that failed, or if it may still be there.
        """

    def living(self) -> list[Living]:
        """What is there now of all that this executor ever made. Raises ExecutorError."""

    def by_hand(self, place: str) -> str:
        """The shell command by which a person destroys a place."""
