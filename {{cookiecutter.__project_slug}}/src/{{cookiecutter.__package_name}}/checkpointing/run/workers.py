"""Worker processes: forked from a server that has loaded the libraries, some ahead of their work.

A worker waits for its work at its pipe. So the process of the next part can start while the part
before it writes its last values: to fork takes as long as to write a small file. One that is
started ahead has touched next to nothing of what it shares with the server. It holds no work, so
it may be ended at any time, and ends by itself when nobody is left at the other end of its pipe.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from ..base import interrupts, safe_path, streams
from ..base.errors import ConfigurationError
from ..base.interrupts import Held, held
from ..base.location import RUNTIME_NAME
from ..memory import meter
from ..worker.registrations import enter
from . import starting
from .leftovers import remove_all, server_pid

AHEAD_BYTES = 64 << 20
"""The room that there has to be in the budget to start a worker ahead; it takes a tenth of it."""

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
_starting = threading.RLock()
"""Held while a worker starts: what belongs to this process is changed meanwhile."""


class NotStarted(Exception):
    """There is no worker, because the fork server is gone."""


class Worker:
    """The process of a worker, and the pipes to it; nothing is started yet.

    Attributes:
        ours: our end of the pipe for its work, its messages and our answers.
        registrations: what the worker and its children register of shared memory.
        was_requested: whether the fork server was asked for the process, which may be there then
            though its number did not arrive. It ends by itself, when our end of its pipe is closed.

    Raises OSError where this process may open no more files.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context(meter.START_METHOD)
        self.ours, self._theirs = context.Pipe()
        self.registrations, self._registrar = multiprocessing.Pipe(duplex=False)
        self.process: Any = context.Process(  # type: ignore[attr-defined]  # every context has one
            target=enter, args=(self._registrar, self._theirs), daemon=False
        )
        self.was_requested = False

    def start(self, interrupt: Held | None = None) -> None:
        """Start the process, unless that was done ahead.

        An interrupt may cut off the start only, because it waits until libraries are loaded.

        Raises NotStarted, OSError.
        """
        if self.process.pid is not None:
            return
        is_child = meter.START_METHOD == "spawn"  # else the fork server, which is deaf, forks it
        deaf = _deaf_to_interrupts() if is_child else nullcontext()
        through = interrupt.let_through() if interrupt is not None else nullcontext()
        with _starting, _environment(), starting.without_main(), through, deaf:
            starting.ensure_files()
            try:
                with starting.children_allowed():
                    self.was_requested = True
                    self.process.start()
                    # Whoever starts a process looks at all others that are listed, and of two who
                    # look at once one takes the exit code away from the other.
                    multiprocessing.process._children.discard(self.process)  # type: ignore[attr-defined]
            except (EOFError, ConnectionError) as error:
                raise NotStarted from error  # a broken `__init__.py` of the project ends the server
        self._theirs.close()
        self._registrar.close()

    def give(self, group: str, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """Give it its work: see `registrations.enter`."""
        _ahead.let_go(self.process.pid)
        with suppress(OSError):  # it has died, as the next read will show
            self.ours.send((group, target, arguments))

    def close(self) -> None:
        """Close all pipes; a worker without work ends then."""
        if self.process.pid is not None:
            _ahead.let_go(self.process.pid)
        for end in (self.ours, self._theirs, self.registrations, self._registrar):
            end.close()


class _Ahead:
    """The worker that is started ahead, if there is one.

    The end of a part ends all children of the fork server that no part has made. So this knows of a
    worker until its part has begun.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._worker: Worker | None = None
        self._taken: set[int] = set()

    def begin(self) -> None:
        """Start a worker in a thread, because that takes longer than a watch may look away."""
        with self._lock:
            if self._thread is None and self._worker is None:
                thread = threading.Thread(target=self._start, name="ahead", daemon=True)
                with suppress(RuntimeError):  # there are as many threads as there may be
                    thread.start()
                    self._thread = thread

    def take(self) -> Worker | None:
        """The worker, which is the caller's now; None if there is none that lives."""
        self._settle()
        with self._lock:
            worker, self._worker = self._worker, None
            if worker is not None:
                self._taken.add(worker.process.pid)
        if worker is not None and not worker.process.is_alive():
            worker.close()
            return None
        return worker

    def let_go(self, pid: int) -> None:
        """Count a worker that was taken as one at work, or as ended."""
        with self._lock:
            self._taken.discard(pid)

    def pids(self) -> Collection[int]:
        """The processes of the worker, and of those that were taken and are not at work yet."""
        self._settle()
        with self._lock:
            worker = self._worker
            return self._taken | ({worker.process.pid} if worker is not None else set())

    def end(self) -> None:
        """End the worker."""
        if (worker := self.take()) is not None:
            worker.process.kill()
            worker.process.join()
            worker.close()

    def _settle(self) -> None:
        """Wait for a start that was begun."""
        thread = self._thread
        if thread is not None:
            thread.join()
            with self._lock:
                if self._thread is thread:
                    self._thread = None

    def _start(self) -> None:
        with suppress(OSError, NotStarted):  # the next part says what is wrong
            worker = Worker()
            try:
                worker.start()
            except BaseException:
                worker.close()
                raise
            self._worker = worker


_ahead = _Ahead()


def begin_ahead(room: int) -> None:
    """Start the worker of the next part, if `room` bytes of the budget are left for it."""
    if meter.START_METHOD == "forkserver" and room >= AHEAD_BYTES:
        _ahead.begin()


def started_ahead() -> Collection[int]:
    """The process that was started ahead, if there is one."""
    return _ahead.pids()


@contextmanager
def none_left_ahead() -> Iterator[None]:
    """At the end of this context no worker waits for work."""
    try:
        yield
    finally:
        with held():
            _ahead.end()


def next_worker() -> Worker:
    """One that was started ahead, or one to start. Raises OSError as `Worker`."""
    return _ahead.take() or Worker()


def warm_up() -> None:
    """Start the fork server, so that it imports libraries while this process continues.

    What prevents its start is reported when it is needed.
    """
    with suppress(OSError, ConfigurationError):
        prepare()


def prepare() -> None:
    """Make this process ready to start workers. Raises ConfigurationError, OSError."""
    with _starting:
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


def end_fork_server() -> None:
    """Kill the fork server: it may have forked a worker whose number did not arrive here.

    The next worker starts another server. Wait for the end of this one: until then it counts as
    running, and a request to it would fail.
    """
    if (pid := server_pid()) is not None:
        from multiprocessing import forkserver

        server: Any = forkserver._forkserver
        meter.kill_tree(pid)
        server._stop()


def end_children() -> None:
    """Kill all children of this process, the fork server too, before the process ends.

    This removes the folder of the fork server's socket too, which `os._exit` would leave.
    """
    meter.kill_children(os.getpid())
    remove_all()
    starting.remove_socket_folder()


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
