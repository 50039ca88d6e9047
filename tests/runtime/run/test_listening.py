"""What is ready is told, each time it is asked, until it is read."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import pytest
from flight_delays.checkpointing.memory import meter
from flight_delays.checkpointing.run.listening import listening


def test_of_several_pipes_those_are_told_that_have_something() -> None:
    (first, at_first), (second, at_second) = multiprocessing.Pipe(), multiprocessing.Pipe()
    with listening(first, second) as listen:
        assert listen(0.0) == []
        assert listen(0.01) == []
        at_second.send("a")
        assert listen(60.0) == [second]
        assert listen(60.0) == [second]
        at_first.send("b")
        assert set(listen(60.0)) == {first, second}
        second.recv()
        assert listen(60.0) == [first]


def test_a_pipe_whose_other_end_is_closed_is_ready() -> None:
    ours, theirs = multiprocessing.Pipe()
    with listening(ours) as listen:
        theirs.close()
        assert listen(60.0) == [ours]
        with pytest.raises(EOFError):
            ours.recv()


@pytest.mark.skipif(not meter.ON_LINUX, reason="other systems tell it by other means")
def test_the_end_of_a_process_is_told() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        descriptor = os.pidfd_open(process.pid)
        try:
            with listening(descriptor) as listen:
                assert listen(0.0) == []
                process.kill()
                assert listen(60.0) == [descriptor]
        finally:
            os.close(descriptor)
