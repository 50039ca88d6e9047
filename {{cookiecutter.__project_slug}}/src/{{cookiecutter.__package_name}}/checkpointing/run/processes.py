"""Where a part runs: start a worker process on this machine, watch its memory, report its end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from ..base import interrupts
from ..base.interrupts import Held, held
from ..memory import meter
from ..memory.company import Company
from ..memory.family import Family
from ..memory.gauge import Gauge
from ..memory.guard import Guard, guarded
from ..worker.messages import total_held, with_held
from .ceilings import Ceiling
from .events import Noticed
from .leftovers import Leftovers, is_alone, server_pid
from .listening import listening
from .waking import waking_soon
from .workers import (
    NotStarted,
    Worker,
    end_fork_server,
    next_worker,
    prepare,
    started_ahead,
)

if TYPE_CHECKING:
    from ..base.units import Count

SAMPLE_SECONDS = 0.01
_EXIT_SECONDS = 5.0
_ARRIVAL_SECONDS = 1.0
_NOT_JOINED = "its process could not move into the control group that was made for it"


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
    prepare()
    try:
        with (
            held() as interrupt,
            closing(next_worker()) as worker,
            guarded(limit.most if limit else None, 0 if alone else _outside()) as guard,
            Leftovers(lambda note: on_message(Noticed(note)), started_ahead) as left,
            _at_work(worker, target, arguments, interrupt, left, guard, company) as (process, ours),
            Family(
                process.pid if alone else os.getpid(), count, server_pid() or 0 if alone else 0
            ) as family,
            waking_soon(),
            listening(ours, process.sentinel) as listen,
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
            sentinel, has_begun = process.sentinel, False
            while True:
                interrupt.check()
                ready = listen(max(0.0, next_sample - time.monotonic()))
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
                elif sentinel in ready:
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
                if ours in listen(0.0):
                    continue  # a message came meanwhile: the sample may belong to the next step
                on_sample(held_bytes, gauge.beside_bytes)
                if limit is not None and not limit.widen(held_bytes):
                    return OverBudget(held_bytes)
    except NotStarted:
        return Died(None)


@contextmanager
def _at_work(
    worker: Worker,
    target: Callable[..., None],
    arguments: tuple[Any, ...],
    interrupt: Held,
    left: Leftovers,
    guard: Guard | None,
    company: Company | None,
) -> Iterator[tuple[Any, Connection]]:
    """The process of a worker that has its work, and the connection to it; both end here.

    It is one of the company until it has ended: what it holds is not that of another part.
    """
    process = worker.process
    joined = ExitStack()
    try:
        worker.start(interrupt)
        left.begin(process.pid, worker.registrations)
        worker.give(str(guard.folder) if guard is not None else "", target, arguments)
        if company is not None:
            joined.enter_context(company.joined_by(process.pid))
        yield process, worker.ours
    finally:
        if process.pid is None:
            if worker.was_requested and is_alone():
                end_fork_server()
        elif process.is_alive():
            meter.stop_tree(process.pid)
            left.look()
            meter.kill_tree(process.pid, patient=True)
            process.join(_EXIT_SECONDS)  # a process in a disk wait cannot even be killed
        joined.close()


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


def _outside() -> int:
    """What this process and the fork server hold, in bytes: they are in no worker's group."""
    return sum(meter.process_bytes(pid) for pid in (os.getpid(), server_pid()) if pid)


def _send(connection: Connection, answer: Any) -> None:
    with suppress(OSError):  # it died meanwhile, as the next read will show
        connection.send(answer)
