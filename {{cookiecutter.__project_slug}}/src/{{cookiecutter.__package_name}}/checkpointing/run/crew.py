"""The segments of a run that are at work at once, each in a thread of this process.

A thread only controls: it waits for the worker process of its part. What it raises comes back to
the main thread, which alone gets interrupts: it then calls all threads off.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from ..base.errors import ConfigurationError
from ..base.interrupts import called_off_by, held

_LOOK_SECONDS = 0.2  # so often a main thread that waits is there for an interrupt

Result = TypeVar("Result")


@dataclass(frozen=True)
class Done(Generic[Result]):
    """How the work of one thread ended."""

    name: str
    result: Result | None
    error: Exception | None = None
    """What it raised; what is no Exception comes as the cause of one."""


class Crew(Generic[Result]):
    """Threads that work at once; a context, at whose end none of them is left.

    Attributes:
        at_work: the names of those whose end `next` has not returned yet.
    """

    def __init__(self) -> None:
        self.at_work: list[str] = []
        self._threads: list[threading.Thread] = []
        self._done = queue.SimpleQueue[Done[Result]]()
        self._off = threading.Event()

    def __enter__(self) -> Crew[Result]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with held():
            self._off.set()
            for thread in self._threads:
                thread.join()

    def start(self, name: str, work: Callable[[], Result]) -> None:
        """Begin to work in a new thread."""

        def go() -> None:
            with called_off_by(self._off):
                try:
                    self._done.put(Done(name, work()))
                except Exception as error:
                    self._done.put(Done(name, None, error))
                except BaseException as error:  # a library may raise what ends a program
                    if not self._off.is_set():  # else nobody waits for it
                        self._done.put(Done(name, None, _as_exception(error)))

        thread = threading.Thread(target=go, name=name, daemon=True)
        with held():  # an interrupt in between would leave a thread behind
            try:
                thread.start()
            except RuntimeError:
                raise ConfigurationError(
                    f"`{name}` gets no thread: this user may have no more processes and threads. "
                    f"Raise that limit (`ulimit -u`), or run with `--jobs 1`."
                ) from None
            self.at_work.append(name)
            self._threads.append(thread)

    def next(self) -> Done[Result]:
        """Wait for the next thread that ends. An interrupt is raised meanwhile."""
        while True:
            try:
                done = self._done.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                with held() as interrupt:
                    interrupt.check()  # of this thread, if it is not the main one
                continue
            self.at_work.remove(done.name)
            return done


def _as_exception(error: BaseException) -> Exception:
    made = RuntimeError(f"{type(error).__name__}: {error}")
    made.__cause__ = error
    return made
