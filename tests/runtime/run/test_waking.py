"""A thread that asks for short slices has them meanwhile, and its own ones afterwards."""

from __future__ import annotations

import threading

import pytest
from flight_delays.checkpointing.run.waking import slice_nanoseconds, waking_soon


def test_slices_are_short_meanwhile_and_of_this_thread_alone() -> None:
    before = slice_nanoseconds()
    if before == 0:
        pytest.skip("needs Linux 6.12")
    others: list[int] = []
    is_short = threading.Event()

    def read() -> None:
        is_short.wait()
        others.append(slice_nanoseconds())

    other = threading.Thread(target=read)
    other.start()
    with waking_soon():
        assert slice_nanoseconds() < before
        is_short.set()
        other.join()

    assert slice_nanoseconds() == before
    assert others == [before]


def test_where_the_system_does_not_know_of_slices_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flight_delays.checkpointing.memory.meter.ON_LINUX", False)
    with waking_soon():
        assert slice_nanoseconds() == 0
