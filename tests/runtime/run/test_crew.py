"""Threads that work at once: each tells how it ended, and none is left."""

from __future__ import annotations

import threading

import pytest
from flight_delays.checkpointing.base.interrupts import held
from flight_delays.checkpointing.run.crew import Crew


def test_each_thread_tells_how_it_ended() -> None:
    with Crew[int]() as crew:
        crew.start("well", lambda: 1)
        done = crew.next()
        assert (done.name, done.result, done.error) == ("well", 1, None)
        crew.start("badly", lambda: [][0])
        done = crew.next()
        assert (done.name, done.result) == ("badly", None)
        assert isinstance(done.error, IndexError)
        assert crew.at_work == []


@pytest.mark.parametrize("ending", [SystemExit(1), KeyboardInterrupt()])
def test_what_would_end_a_program_is_an_error_of_its_thread(ending: BaseException) -> None:
    def work() -> None:
        raise ending

    with Crew[None]() as crew:
        crew.start("a", work)
        error = crew.next().error
        assert isinstance(error, RuntimeError)
        assert error.__cause__ is ending


def test_at_the_end_those_at_work_are_called_off() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        try:
            while True:
                with held() as interrupt:
                    interrupt.check()
        finally:
            ended.set()

    with Crew[None]() as crew:
        crew.start("a", work)
        begun.wait()
    assert ended.is_set()
