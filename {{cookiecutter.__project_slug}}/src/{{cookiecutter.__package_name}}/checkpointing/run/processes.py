"""Where a part runs: start a worker process on this machine, watch its memory, report its end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from ..base import interrupts, safe_path, streams
from ..base.errors import ConfigurationError
from ..base.interrupts import Held, held
from ..base.location import RUNTIME_NAME
from ..memory import meter
from ..memory.company import Company
from ..memory.family import Family
from ..memory.gauge import Gauge
from ..memory.guard import Guard, guarded
from ..worker.messages import total_held, with_held
from ..worker.registrations import enter
from . import starting
from .ceilings import Ceiling
from .events import Noticed
from .leftovers import Leftovers, remove_all, server_pid
from .waking import waking_soon

if TYPE_CHECKING:
    from ..base.units import Count

SAMPLE_SECONDS = 0.01
_starting = threading.RLock()
"""Held while a worker starts: what belongs to this process is changed meanwhile."""

_EXIT_SECONDS = 5.0
_ARRIVAL_SECONDS = 1.0
_NOT_JOINED = "its process could not move into the control group that was made for it"

PRELOADED = (
    "pandas",
    "pyarrow.parquet",
    "pyarrow.dataset",
    f"{RUNTIME_NAME}.codecs.readback",
    f"{RUNTIME_NAME}.worker.main",
    f"{RUNTIME_NAME}.worker.server",
)
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the order of sets of strings must be the same in every run
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # freed buffers go back to the system at once
    # glibc keeps what it once served from its heap; what is larger goes back when it is freed.
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
    # The allocator of polars keeps what is freed for half a second, which is held memory: the peak
    # of a few queries was 160 MB above their table, and is 60 MB, while they take a third longer.
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0",
}


@dataclass(frozen=True)
class Finished:
    """The worker reported how it ended."""

    last: Any


@dataclass(frozen=True)
class OverBudget:
    """We killed the worker, because the process tree exceeded the memory limit."""

    held_bytes: int


@dataclass(frozen=True)
class Died:
    """The worker ended without a report: killed from outside, or crashed in native code."""

    exit_code: int | None


Ending = Finished | OverBudget | Died


class _NotStarted(Exception):
    """There is no worker, because the fork server is gone."""


def warm_up() -> None:
    """Start the fork server, so that it imports libraries while this process continues.

    What prevents its start is reported when it is needed.
    """
    with suppress(OSError, ConfigurationError):
        _prepare()


def _prepare() -> None:
    """Make this process ready to start workers. Raises ConfigurationError, OSError."""
    streams.occupy()
    interrupts.end_others_by(end_children)
    if os.name != "posix":
        return
    from multiprocessing import resource_tracker

    with held(), _environment():
        resource_tracker.ensure_running()  # it unblocks signals, so it has to come first
    if meter.START_METHOD == "forkserver":
        _start_fork_server()


def _start_fork_server() -> None:
    from multiprocessing import forkserver

    server: Any = forkserver._forkserver
    starting.forget_lost_server(server)
    if server._forkserver_pid is not None:
        return
    forkserver.set_forkserver_preload(list(PRELOADED))
    with held(), _environment():
        folder = starting.choose_socket_folder()
        with starting.named_to_server(folder), _deaf_to_interrupts():
            forkserver.ensure_running()


def end_children() -> None:
    """Kill all children of this process, the fork server too, before the process ends.

    This removes the folder of the fork server's socket too, which `os._exit` would leave.
    """
    meter.kill_children(os.getpid())
    remove_all()
    starting.remove_socket_folder()


def run_worker(
    target: Callable[..., None],
    arguments: tuple[Any, ...],
    is_last: Callable[[Any], bool],
    on_message: Callable[[Any], Any],
    on_sample: Callable[[int, int], None],
    limit: Ceiling | None = None,
    count: Count = "held",
    *,
    alone: bool = False,
    company: Company | None = None,
) -> Ending:
    """Run `target(connection, *arguments)` in a fresh process and watch it until it ends.

    Args:
        is_last: whether a message is the last one, with which the worker reports how it ended.
        on_message: receives every other message; its result, unless None, is sent as the answer.
        on_sample: receives the memory of this process and all its descendants, in bytes, every
            10 ms and at every message; what other workers hold of their own is told apart.
        limit: what all processes may hold; above it the worker is killed.
        count: how memory is counted.
        company: the workers of other threads, whose own memory does not count for this one.
        alone: leave this process out, and count the worker's pages as if it shared none with it.

    Where the kernel guards the worker (`memory.guard`), it stops it at the limit. Elsewhere this is
    no hard limit: a worker may allocate 8 MB a millisecond between two samples, so an overshoot is
    seen after the fact, and the machine needs room for it. Outside of Linux a process that a step
    detaches from its process tree is neither watched nor ended.

    However this ends, by an exception too, it leaves neither the worker nor a process that this
    started, nor the shared memory that they made (see `Leftovers`); what it cannot end or does
    not remove, it says by a message `Noticed`. An interrupt is raised between two looks at the
    worker, so it never cuts off a message.
    """
    with _starting:
        _prepare()
    try:
        with (
            held() as interrupt,
            guarded(limit.most if limit else None, 0 if alone else _outside()) as guard,
            Leftovers(lambda note: on_message(Noticed(note))) as left,
            _worker(target, arguments, interrupt, left, guard) as (process, ours),
            Family(
                process.pid if alone else os.getpid(), count, server_pid() or 0 if alone else 0
            ) as family,
            waking_soon(),
            company.joined_by(process.pid) if company else nullcontext(),
        ):
            gauge = Gauge(
                family.root,
                count,
                limit=limit.bytes if limit else None,
                suspect=process.pid,
                alone=alone,
                family=family,
                beside=partial(company.beside, process.pid) if company else frozenset,
                objects=left.bytes,
            )
            next_sample = time.monotonic()
            has_begun = False
            while True:
                interrupt.check()
                ready = wait([ours, process.sentinel], max(0.0, next_sample - time.monotonic()))
                if ours in ready:
                    try:
                        message = ours.recv()
                    except (EOFError, OSError):
                        return _died(process, interrupt, guard, on_sample)
                    left.look()  # the next step may let go of what this one made
                    gauge.begin()
                    if is_last(message):
                        _let_end(process, interrupt)
                        return Finished(message)
                    message = with_held(message, gauge.unmapped())
                    held_bytes = total_held(message)
                    # The steps of a part may be so quick that no sample falls between them.
                    if not has_begun and limit is not None and not limit.widen(held_bytes):
                        return OverBudget(held_bytes)
                    if guard is not None and not has_begun and not guard.has(process.pid):
                        on_message(Noticed(f"only the watchdog guards this part: {_NOT_JOINED}"))
                    has_begun = has_begun or held_bytes > 0
                    # Before the sample, which belongs to the step that begins now.
                    answer = on_message(message)
                    if answer is not None:
                        _send(ours, answer)
                elif process.sentinel in ready:
                    return _died(process, interrupt, guard, on_sample)
                if limit is not None:
                    gauge.limit = limit.bytes
                began = time.thread_time()
                held_bytes = gauge.sample()
                if guard is not None:
                    guard.adjust()
                # A late sample does not make the next one late, and no more than half of the time
                # goes into samples, however long they take.
                now, spent = time.monotonic(), time.thread_time() - began
                next_sample = max(now + spent, min(next_sample, now) + SAMPLE_SECONDS)
                if ours.poll():
                    continue  # a message came meanwhile: the sample may belong to the next step
                on_sample(held_bytes, gauge.beside_bytes)
                if limit is not None and not limit.widen(held_bytes):
                    return OverBudget(held_bytes)
    except _NotStarted:
        return Died(None)


@contextmanager
def _worker(
    target: Callable[..., None],
    arguments: tuple[Any, ...],
    interrupt: Held,
    left: Leftovers,
    guard: Guard | None,
) -> Iterator[tuple[Any, Connection]]:
    """A started worker and the connection to it; both are closed at the end.

    An interrupt may cut off the start only, because it waits until libraries are loaded.
    """
    context = multiprocessing.get_context(meter.START_METHOD)
    is_child = meter.START_METHOD == "spawn"  # else the fork server, which is deaf, forks it
    deaf = _deaf_to_interrupts() if is_child else nullcontext()
    ours, theirs = context.Pipe()
    group = str(guard.folder) if guard is not None else ""
    process = context.Process(  # type: ignore[attr-defined]  # every context has one
        target=enter, args=(left.registrar, group, target, theirs, *arguments), daemon=False
    )
    try:
        with _starting, _environment(), starting.without_main(), interrupt.let_through(), deaf:
            _start(process)
        left.begin(process.pid)
        theirs.close()
        yield process, ours
    finally:
        if process.pid is None:
            _end_fork_server()
        elif process.is_alive():
            meter.stop_tree(process.pid)
            left.look()
            meter.kill_tree(process.pid, patient=True)
            process.join(_EXIT_SECONDS)  # a process in a disk wait cannot even be killed
        theirs.close()
        ours.close()


def _start(process: Any) -> None:
    """Let the fork server start a worker; a broken `__init__.py` of the project ends it."""
    starting.ensure_files()
    try:
        with starting.children_allowed():
            process.start()
    except (EOFError, ConnectionError) as error:
        raise _NotStarted from error


def _died(
    process: Any, interrupt: Held, guard: Guard | None, on_sample: Callable[[int, int], None]
) -> Died | OverBudget:
    """How a worker ended that did so without a report.

    A terminal signals all processes, one after the other. If such a signal ended the worker, wait
    for the one that this process gets.
    """
    _let_end(process, interrupt)
    if guard is not None and (held_bytes := guard.exceeded()) is not None:
        on_sample(held_bytes, 0)
        return OverBudget(held_bytes)
    if process.exitcode in [-number for number in interrupts.SIGNALS]:
        deadline = time.monotonic() + _ARRIVAL_SECONDS
        while time.monotonic() < deadline:
            interrupt.check()
            time.sleep(SAMPLE_SECONDS)
    return Died(process.exitcode)


def _let_end(process: Any, interrupt: Held) -> None:
    """Wait for a worker that has sent its last message; its threads may keep it for a while."""
    deadline = time.monotonic() + _EXIT_SECONDS
    while process.is_alive() and time.monotonic() < deadline:
        interrupt.check()
        process.join(SAMPLE_SECONDS)


def _end_fork_server() -> None:
    """Kill the fork server: it may have forked a worker whose number did not arrive here.

    The next worker starts another server. Wait for the end of this one: until then it counts as
    running, and a request to it would fail.
    """
    if (pid := server_pid()) is not None:
        from multiprocessing import forkserver

        server: Any = forkserver._forkserver
        meter.kill_tree(pid)
        server._stop()


def _outside() -> int:
    """What this process and the fork server hold, in bytes: they are in no worker's group."""
    return sum(meter.process_bytes(pid) for pid in (os.getpid(), server_pid()) if pid)


def _send(connection: Connection, answer: Any) -> None:
    with suppress(OSError):  # it died meanwhile, as the next read will show
        connection.send(answer)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Start children that ignore interrupts from their first moment: the parent decides.

    A child inherits blocked signals. A signal that comes meanwhile is not lost: it stays pending.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows, where an interrupt may end a worker
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, interrupts.SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


@contextmanager
def _environment() -> Iterator[None]:
    """The environment in which the Python processes of a run start."""
    variables = _ENVIRONMENT | {safe_path.VARIABLE: safe_path.value()}
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
