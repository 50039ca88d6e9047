"""How soon a thread runs again after it has slept, beside threads that compute all the time.

A watch sleeps nearly always, and then has a few microseconds of work that should be done in time.
With the slice of an ordinary thread it waits until the slices of others are over: tens of
milliseconds where there are more of them than processors. The scheduler of Linux (EEVDF) takes the
thread first that is the first to be done with its slice. Since Linux 6.12 a thread may ask for a
short one, without any privilege, for it gets no more in the end: other threads lose nothing.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..memory import meter

_SLICE_NANOSECONDS = 100_000  # the shortest that there is
_FAIR = (0, 3)  # SCHED_OTHER and SCHED_BATCH of linux/sched.h: the policies with such slices
_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275), "riscv64": (274, 275)}
"""The numbers of sched_setattr and sched_getattr; not every C library has functions for them."""


class _Attributes(ctypes.Structure):
    """`struct sched_attr` of sched_setattr(2), in its first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


@contextmanager
def waking_soon() -> Iterator[None]:
    """Have this thread run soon whenever it wakes, as long as this context.

    Where the system does not know of that, or does not let it happen, nothing changes. A process
    that this thread forks meanwhile would have it too.
    """
    former = slice_nanoseconds()
    _ask_for_slice(_SLICE_NANOSECONDS)
    try:
        yield
    finally:
        _ask_for_slice(former)


def slice_nanoseconds() -> int:
    """For how long this thread gets the processor at once; 0 where the system does not say."""
    attributes = _attributes()
    return attributes.runtime if attributes is not None else 0


def _ask_for_slice(nanoseconds: int) -> None:
    attributes = _attributes()
    if attributes is not None and attributes.policy in _FAIR:
        attributes.runtime = nanoseconds
        _call(0, ctypes.byref(attributes), 0)


def _attributes() -> _Attributes | None:
    """How this thread is scheduled; None where the system does not say."""
    attributes = _Attributes()
    size = ctypes.sizeof(attributes)
    return attributes if _call(1, ctypes.byref(attributes), size, 0) else None


def _call(which: int, *arguments: object) -> bool:
    """Call sched_setattr or sched_getattr of this thread; whether that is done."""
    if not meter.ON_LINUX or (numbers := _CALLS.get(os.uname().machine)) is None:
        return False
    return bool(ctypes.CDLL(None).syscall(numbers[which], 0, *arguments) == 0)
