"""Worker processes, seen from the parent: start one, watch its memory, tell how it ended."""

from __future__ import annotations

import multiprocessing.util
import os
import shutil
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from . import meter

if TYPE_CHECKING:
    from .settings import Count

SAMPLE_SECONDS = 0.01
_EXIT_SECONDS = 5.0

_PRELOADED = (
    "pandas",
    "pyarrow.parquet",
    "pyarrow.dataset",
    f"{__package__}.worker",
)
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the order of sets of strings must be the same in every run
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # freed buffers go back to the system at once
    # glibc keeps what it once served from its heap; what is larger goes back when it is freed.
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
}


@dataclass(frozen=True)
class Finished:
    """The worker said how it ended."""

    last: Any


@dataclass(frozen=True)
class OverBudget:
    """The worker was killed by us, for the process tree held more than the limit."""

    held_bytes: int


@dataclass(frozen=True)
class Died:
    """The worker ended without a word: killed from outside, or brought down by native code."""

    exit_code: int | None


Ending = Finished | OverBudget | Died


def warm_up() -> None:
    """Start the process that workers are forked from, so that it imports libraries meanwhile."""
    if meter.START_METHOD != "forkserver":
        return
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload(list(_PRELOADED))
    with _environment(_ENVIRONMENT), _deaf_to_interrupts():
        forkserver.ensure_running()


def end_children() -> None:
    """Kill all that this process started, the fork server too. For a process that is to end.

    The folder of the fork server's socket goes as well: who leaves by `os._exit` has to see to it.
    """
    meter.kill_children(os.getpid())
    shutil.rmtree(multiprocessing.util.get_temp_dir(), ignore_errors=True)


def run_worker(
    target: Callable[..., None],
    arguments: tuple[Any, ...],
    is_last: Callable[[Any], bool],
    on_message: Callable[[Any], Any],
    on_sample: Callable[[int], None],
    limit: int | None = None,
    count: Count = "held",
) -> Ending:
    """Run `target(connection, *arguments)` in a fresh process and watch it until it ends.

    Args:
        is_last: tells the message by which the worker says how it ended.
        on_message: receives every other message; what it returns, unless None, is the answer.
        on_sample: receives the memory of this process and all its descendants, in bytes, every
            10 ms and at every message.
        limit: bytes above which the worker is killed.
        count: how memory is counted.

    Whatever is raised here, Ctrl-C included, leaves no worker behind.
    """
    warm_up()
    context = multiprocessing.get_context(meter.START_METHOD)
    ours, theirs = context.Pipe()
    process = context.Process(  # type: ignore[attr-defined]  # every context has one
        target=target, args=(theirs, *arguments)
    )
    with _environment(_ENVIRONMENT), _without_main():
        process.start()
    theirs.close()
    own_pid = os.getpid()
    try:
        next_sample = time.monotonic()
        while True:
            ready = wait([ours, process.sentinel], max(0.0, next_sample - time.monotonic()))
            if ours in ready:
                try:
                    message = ours.recv()
                except (EOFError, OSError):
                    process.join()
                    return Died(process.exitcode)
                if is_last(message):
                    process.join(_EXIT_SECONDS)  # its threads may not let it go; then it is killed
                    return Finished(message)
                answer = on_message(message)  # before the sample: that belongs to what begins now
                if answer is not None:
                    _send(ours, answer)
            elif process.sentinel in ready:
                process.join()
                return Died(process.exitcode)
            held = meter.tree_bytes(own_pid, count)
            next_sample = time.monotonic() + SAMPLE_SECONDS
            on_sample(held)
            if limit is not None and held > limit:
                return OverBudget(held)
    finally:
        if process.is_alive() and process.pid is not None:
            meter.kill_tree(process.pid)
            process.join()
        ours.close()


def _send(connection: Connection, answer: Any) -> None:
    with suppress(OSError):  # it died meanwhile, which the next message will tell
        connection.send(answer)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What is started here ignores Ctrl-C from its first moment: its parent decides."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep the program's own script out of a worker that is started now.

    multiprocessing would run it again there: needless, and without end for a script that calls
    `PIPELINE.run()` outside of `if __name__ == "__main__"`.
    """
    former = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = former


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    former = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
