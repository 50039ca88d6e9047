"""Interrupts: Ctrl-C, a scheduler's SIGTERM, a terminal that closes. Each ends the command.

By default Python raises a KeyboardInterrupt wherever the main thread happens to be. That is not
enough: one that is raised within a destructor or a callback is printed and forgotten, a second one
stops the cleanup after the first, and one that comes while modules load prints a traceback. So, in
a process that listens,

- an interrupt waits until a command can answer it (`interruptible`), and until code that must not
  be cut off has finished (`held`);
- it is raised once, and again after a second if nobody answered it;
- a process that is still alive some seconds later is ended, with all processes that it started:
  that is safe, because a killed run loses nothing.

This module imports nothing heavy: code that is not imported yet cannot answer an interrupt.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec

if TYPE_CHECKING:
    import socket

EXIT_CODE = 130
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_AGAIN_SECONDS = 1.0
_MOST_SECONDS = 8.0  # Docker kills ten seconds after its SIGTERM, most schedulers later

Arguments = ParamSpec("Arguments")


class Held:
    """Whether an interrupt came while interrupts were held; `check` raises it."""

    def __init__(self) -> None:
        self.noted = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was an interrupt, or this thread is called off."""
        if self.noted:
            _raise()
        end_if_called_off()

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Let interrupts through in a part of the held code, because it may take long."""
        self.check()
        if _state.held is not self:  # in another thread than the main one
            yield
            return
        _state.held = None
        try:
            yield
        finally:
            _state.held = self


@dataclass
class _State:
    """The state of interrupts in this process; its main thread and `_insist` alone change it."""

    listening: bool = False
    former: dict[int, Any] = field(default_factory=dict)
    """The handlers before `listen`, by signal."""
    noted: bool = False
    answerable: bool = False
    """Whether a command is running that answers KeyboardInterrupt."""
    raised: bool = False
    until: float = 0.0
    """The moment, by the monotonic clock, until which an interrupted process is not ended."""
    held: Held | None = None
    end_others: Callable[[], None] = lambda: None


_state = _State()
_thread = threading.local()


def listen() -> None:
    """Handle the interrupts of a process that is a command line; call it in the main thread."""
    if _state.listening:
        return
    _state.listening = True
    for number in SIGNALS:
        former = signal.getsignal(number)
        # Background processes of a shell ignore Ctrl-C, those of nohup a terminal that closes.
        if former is not signal.SIG_IGN or number == signal.SIGTERM:
            _state.former[number] = former
            signal.signal(number, _on_signal)
    import socket

    waker, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.detach(), warn_on_full_buffer=False)
    threading.Thread(target=_insist, args=(waker,), daemon=True).start()
    sys.unraisablehook = functools.partial(_on_unraisable, sys.unraisablehook)


def hand_back() -> None:
    """Give interrupts back to Python, for a command that answers them in its own way."""
    if not _state.listening:
        return
    signal.set_wakeup_fd(-1)
    sys.unraisablehook = sys.__unraisablehook__
    _state.listening = False
    for number, former in _state.former.items():
        signal.signal(number, former)
    if _state.noted:
        raise KeyboardInterrupt


def interrupted() -> bool:
    """Whether there was an interrupt since this process listens."""
    return _state.noted


def end_others_by(function: Callable[[], None]) -> None:
    """Set the function that ends all processes that this one started."""
    _state.end_others = function


def end_others() -> None:
    """End all processes that this one started, because it is about to end itself."""
    _state.end_others()


@contextmanager
def ending_later() -> Iterator[None]:
    """Have a signal that would end this program interrupt this code first, and then end it.

    A program that is no command line does not listen. There a closed terminal or a SIGTERM would
    end it in the middle: here it raises KeyboardInterrupt, so that the code can clean up. Only the
    main thread can do so, and only for signals that the program leaves to the system.
    """
    came: list[int] = []

    def note(number: int, frame: object) -> None:
        came.append(number)
        _on_signal(number, frame)

    is_main = threading.current_thread() is threading.main_thread()
    ours = SIGNALS if is_main and not _state.listening else ()
    ours = tuple(number for number in ours if signal.getsignal(number) is signal.SIG_DFL)
    for number in ours:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        if came:
            signal.raise_signal(came[0])


class _Interruptible:
    """The code in which a command answers interrupts: there they raise KeyboardInterrupt.

    An interrupt that came earlier is raised at once. Afterwards interrupts wait again, so that
    they do not cut off what a command prints in the end.
    """

    def __enter__(self) -> None:
        if _state.noted:
            _raise()
        _state.answerable = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _state.answerable = False


interruptible = _Interruptible()


def answered(command: Callable[Arguments, int]) -> Callable[Arguments, int]:
    """Make a command end with exit code 130, and without a message, when it is interrupted."""

    @functools.wraps(command)
    def run(*arguments: Arguments.args, **options: Arguments.kwargs) -> int:
        try:
            with interruptible:
                return command(*arguments, **options)
        except KeyboardInterrupt:
            return EXIT_CODE

    return run


@contextmanager
def held() -> Iterator[Held]:
    """Let this code finish: an interrupt waits for its end, or for `Held.check`.

    In a program of somebody else, such as a notebook, this applies to Ctrl-C. In threads other than
    the main one no interrupt is raised; there `Held.check` tells whether they are called off.
    """
    here = Held()
    if threading.current_thread() is not threading.main_thread():
        yield here
        return
    outer, borrowed = _state.held, None
    if outer is None and not _state.listening and callable(signal.getsignal(signal.SIGINT)):
        borrowed = signal.signal(signal.SIGINT, _on_signal)
    _state.held = here
    try:
        yield here
    except KeyboardInterrupt:
        here.noted = False  # the caller answers it, and also one that came after it
        raise
    finally:
        _state.held = outer
        if borrowed is not None:
            signal.signal(signal.SIGINT, borrowed)
        if here.noted:
            _on_signal(signal.SIGINT, None)


@contextmanager
def called_off_by(event: threading.Event) -> Iterator[None]:
    """Have this thread, which is not the main one, end its work when an event is set.

    No interrupt is raised in such a thread. So its main thread, which gets them, sets the event,
    and `Held.check` raises KeyboardInterrupt here.
    """
    _thread.event = event
    try:
        yield
    finally:
        del _thread.event


def is_called_off() -> bool:
    """Whether the main thread has called off the work of this thread."""
    event: threading.Event | None = getattr(_thread, "event", None)
    return event is not None and event.is_set()


def end_if_called_off() -> None:
    """Raise KeyboardInterrupt in a thread whose work is called off: for what may take long."""
    if is_called_off():
        raise KeyboardInterrupt


@contextmanager
def taking_time(seconds: float) -> Iterator[None]:
    """Give this code so many seconds, also if the process was interrupted and would be ended.

    For what must not be left undone: destroying infrastructure that costs money, say.
    """
    _state.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _state.until = time.monotonic() + _MOST_SECONDS if _state.noted else 0.0


def _on_signal(number: int, frame: object) -> None:
    _state.noted = True
    if _state.held is not None:
        _state.held.noted = True
    elif not _state.listening:
        raise KeyboardInterrupt
    elif _state.answerable and not _state.raised:
        _raise()


def _raise() -> NoReturn:
    _state.raised = True
    raise KeyboardInterrupt


def _insist(waker: socket.socket) -> None:
    """After the first interrupt: raise it again until it is answered, then end the process.

    This runs in a thread, because the main one may be anywhere. The system's own handler of the
    signal wakes it, which needs no Python to run.
    """
    waker.recv(1)
    deadline = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < max(deadline, _state.until):
        time.sleep(_AGAIN_SECONDS)
        if _state.answerable:
            _state.raised = False
            _wake_main_thread()
    end_others()
    os._exit(EXIT_CODE)


def _wake_main_thread() -> None:
    """Send the main thread a signal, which also ends a system call in which it waits."""
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signal.SIGTERM)
    else:
        signal.raise_signal(signal.SIGTERM)


def _on_unraisable(former: Callable[[Any], Any], unraisable: Any) -> None:
    """Print nothing for an interrupt that Python could not raise: it is raised again."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        former(unraisable)
