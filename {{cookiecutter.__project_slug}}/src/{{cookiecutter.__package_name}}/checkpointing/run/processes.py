"""Worker processes, seen from the parent: start one, watch its memory, tell how it ended."""

from __future__ import annotations

import multiprocessing.util
import os
import shutil
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from ..base import interrupts
from ..base.interrupts import Held, held
from ..base.location import RUNTIME_NAME
from ..memory import meter
from ..memory.gauge import Gauge

if TYPE_CHECKING:
    from ..base.units import Count

SAMPLE_SECONDS = 0.01
_EXIT_SECONDS = 5.0
_ARRIVAL_SECONDS = 1.0

PRELOADED = (
    "pandas",
    "pyarrow.parquet",
    "pyarrow.dataset",
    f"{RUNTIME_NAME}.worker.main",
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


class _NotStarted(Exception):
    """There is no worker, for the process that was to fork it is gone."""


def warm_up() -> None:
    """Start the process that workers are forked from, so that it imports libraries meanwhile."""
    if meter.START_METHOD != "forkserver":
        return
    from multiprocessing import forkserver, resource_tracker

    forkserver.set_forkserver_preload(list(PRELOADED))
    interrupts.end_others_by(end_children)
    with held(), _environment(_ENVIRONMENT):
        resource_tracker.ensure_running()  # unblocks what is blocked, so it has to come first
        with _deaf_to_interrupts():
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
    *,
    alone: bool = False,
) -> Ending:
    """Run `target(connection, *arguments)` in a fresh process and watch it until it ends.

    Args:
        is_last: tells the message by which the worker says how it ended.
        on_message: receives every other message; what it returns, unless None, is the answer.
        on_sample: receives the memory of this process and all its descendants, in bytes, every
            10 ms and at every message.
        limit: bytes above which the worker is killed.
        count: how memory is counted.
        alone: leave this process out, and count the worker's as if it were forked from none.

    The limit is not a wall: between two samples a worker may fill what it finds, at 8 MB a
    millisecond, so an overshoot is seen after the fact and the machine needs room for it. What a
    step detaches from its process tree is not watched.

    Whatever is raised here, Ctrl-C included, leaves no worker behind. An interrupt is raised
    between two looks at the worker, so that it cuts off nothing that happens here.
    """
    warm_up()
    try:
        with held() as interrupt, _worker(target, arguments, interrupt) as (process, ours):
            root = process.pid if alone else os.getpid()
            gauge = Gauge(root, count, limit=limit, suspect=process.pid, alone=alone)
            next_sample = time.monotonic()
            while True:
                interrupt.check()
                ready = wait([ours, process.sentinel], max(0.0, next_sample - time.monotonic()))
                if ours in ready:
                    try:
                        message = ours.recv()
                    except (EOFError, OSError):
                        return _died(process, interrupt)
                    if is_last(message):
                        _let_end(process, interrupt)
                        return Finished(message)
                    # Before the sample, which belongs to what begins now.
                    answer = on_message(message)
                    if answer is not None:
                        _send(ours, answer)
                elif process.sentinel in ready:
                    return _died(process, interrupt)
                held_bytes = gauge.sample()
                next_sample = time.monotonic() + SAMPLE_SECONDS
                if ours.poll():
                    continue  # the sample may be of the step that ended meanwhile, or of the next
                on_sample(held_bytes)
                if limit is not None and held_bytes > limit:
                    return OverBudget(held_bytes)
    except _NotStarted:
        return Died(None)


@contextmanager
def _worker(
    target: Callable[..., None], arguments: tuple[Any, ...], interrupt: Held
) -> Iterator[tuple[Any, Connection]]:
    """A worker that was started, and the connection to it; both are gone in the end.

    Only the start itself may be cut off by an interrupt, for it waits until libraries are loaded.
    """
    context = multiprocessing.get_context(meter.START_METHOD)
    ours, theirs = context.Pipe()
    process = context.Process(  # type: ignore[attr-defined]  # every context has one
        target=target, args=(theirs, *arguments)
    )
    try:
        with _environment(_ENVIRONMENT), _without_main(), interrupt.let_through():
            _start(process)
        theirs.close()
        yield process, ours
    finally:
        if process.pid is None:
            _end_fork_server()
        elif process.is_alive():
            meter.kill_tree(process.pid)
            process.join(_EXIT_SECONDS)  # one that waits for a broken disk cannot even be killed
        theirs.close()
        ours.close()


def _start(process: Any) -> None:
    """Have the fork server start a worker; it falls over a project's broken `__init__.py`."""
    try:
        process.start()
    except (EOFError, ConnectionError) as error:
        raise _NotStarted from error


def _died(process: Any, interrupt: Held) -> Died:
    """How a worker ended that did not say it.

    Whoever interrupts signals all processes, one after the other: when it is such a signal that
    ended the worker, ours is given the time to arrive.
    """
    _let_end(process, interrupt)
    if process.exitcode in [-number for number in interrupts.SIGNALS]:
        deadline = time.monotonic() + _ARRIVAL_SECONDS
        while time.monotonic() < deadline:
            interrupt.check()
            time.sleep(SAMPLE_SECONDS)
    return Died(process.exitcode)


def _let_end(process: Any, interrupt: Held) -> None:
    """Wait for a worker that has said its last; its threads may not let it go for long."""
    deadline = time.monotonic() + _EXIT_SECONDS
    while process.is_alive() and time.monotonic() < deadline:
        interrupt.check()
        process.join(SAMPLE_SECONDS)


def _end_fork_server() -> None:
    """Kill the process that workers are forked from: it may have forked one that nobody knows.

    The next worker has another one started. This one is awaited: as long as it is dying it counts
    as running, and would be asked in vain.
    """
    if meter.START_METHOD != "forkserver":
        return
    from multiprocessing import forkserver

    server: Any = forkserver._forkserver
    if server._forkserver_pid is not None:
        meter.kill_tree(server._forkserver_pid)
        server._stop()


def _send(connection: Connection, answer: Any) -> None:
    with suppress(OSError):  # it died meanwhile, which the next message will tell
        connection.send(answer)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What is started here is deaf to interrupts from its first moment: its parent decides.

    They are blocked, which a child inherits. One that comes meanwhile is not lost: it waits.
    """
    former = signal.pthread_sigmask(signal.SIG_BLOCK, interrupts.SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


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
