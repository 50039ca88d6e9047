"""Watch one worker at work, with the runtime's gauge and by adding up what is mapped, in turns, and
only wake as often; print the processor seconds that a second of each took, as JSON lists."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from flight_delays.checkpointing.memory import meter
from flight_delays.checkpointing.memory.family import Family
from flight_delays.checkpointing.memory.gauge import Gauge
from flight_delays.checkpointing.run import processes, workers
from measure import in_turns, mapped_bytes


def hold(connection: Connection, size: int, children: int) -> None:
    """Hold memory, and do nothing more; nor do forked processes, each of which has touched some."""
    held = bytearray(b"x") * size
    _end(connection, [_forked(lambda: held.__setitem__(0, 1)) for _ in range(children)])


def compute(connection: Connection, size: int, _: int) -> None:
    """Hold memory, and compute all the time."""
    held = bytearray(b"x") * size
    connection.send("ready")
    while not connection.poll():
        held.count(b"y")


def churn(connection: Connection, size: int, _: int) -> None:
    """Hold memory, and take and free a fifth as much all the time."""
    held = bytearray(b"x") * size
    connection.send(len(held))
    while not connection.poll():
        bytearray(b"y") * (size // 5)


def share(connection: Connection, size: int, children: int) -> None:
    """Hold memory that forked processes read all the time."""
    held = bytearray(b"x") * size

    def read() -> None:
        while os.getppid() != 1:
            held.count(b"y")

    _end(connection, [_forked(read) for _ in range(children)])


def _forked(work: Callable[[], object]) -> int:
    """A forked process that works, and then waits to be killed."""
    if (child := os.fork()) == 0:
        work()
        while True:
            time.sleep(60)
    return child


def _end(connection: Connection, children: list[int]) -> None:
    """Wait to be asked, and end all children."""
    connection.send("ready")
    connection.recv()
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)


def cpu_share(sample: Callable[[], int], seconds: float) -> float:
    """Processor seconds that a second of sampling takes."""
    started, spent = time.monotonic(), time.thread_time()
    while time.monotonic() - started < seconds:
        sample()
        time.sleep(processes.SAMPLE_SECONDS)
    return (time.thread_time() - spent) / (time.monotonic() - started)


def main(
    work: str, size: int, children: int, seconds: float, rounds: int
) -> dict[str, list[float]]:
    """How much of a processor each way of watching takes, a figure for each round."""
    workers.warm_up()
    context = multiprocessing.get_context(meter.START_METHOD)
    ours, theirs = context.Pipe()
    worker = context.Process(  # type: ignore[attr-defined]  # every context has one
        target=globals()[work], args=(theirs, size, children)
    )
    worker.start()
    ours.recv()
    with Family(os.getpid()) as family:
        gauge = Gauge(os.getpid(), limit=sys.maxsize, suspect=worker.pid, family=family)
        found = in_turns(
            rounds,
            gauge=lambda: cpu_share(gauge.sample, seconds),
            sum=lambda: cpu_share(lambda: mapped_bytes(os.getpid()), seconds),
            wake=lambda: cpu_share(lambda: 0, seconds),
        )
    ours.send("end")
    worker.join()
    return found


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    print(
        json.dumps(main(what, int(numbers[0]), int(numbers[1]), float(numbers[2]), int(numbers[3])))
    )
