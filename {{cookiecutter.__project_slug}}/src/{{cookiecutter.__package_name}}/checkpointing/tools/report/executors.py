"""What engines say that their processes have taken, on this machine and on others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...codecs.applications import Executor
from .facts import Measured


@dataclass(frozen=True)
class ExecutorRow:
    """One process of an application.

    Attributes:
        allowed_bytes: what it may take.
        is_elsewhere: whether no peak of the run counts it, for it is none of the run's own.
    """

    application: str
    master: str
    process: Executor
    allowed_bytes: int
    is_elsewhere: bool

    @property
    def name(self) -> str:
        """What it is called, for people."""
        return f"executor {self.process.name}" if self.is_elsewhere else self.process.name


def executor_rows(segments: Sequence[Measured]) -> Iterator[ExecutorRow]:
    """The processes of the applications of these segments, each application's driver first."""
    for segment in segments:
        for application in segment.facts.applications:
            for process in application.executors:
                is_elsewhere = process.name != "driver"
                yield ExecutorRow(
                    application.name,
                    application.master,
                    process,
                    application.executor_bytes if is_elsewhere else application.driver_bytes,
                    is_elsewhere,
                )
