"""Watch one worker at work, with the runtime's gauge and by adding up what is mapped, in turns, and
print the processor seconds that a second of each took, as two JSON lists."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from flight_delays.checkpointing.memory import meter
from flight_delays.checkpointing.memory.gauge import Gauge
from flight_delays.checkpointing.run import processes
from measure import in_turns, mapped_bytes

CHILDREN = 4


def hold(connection: Connection, size: int) -> None:
    """Hold memory, and do nothing more."""
    held = bytearray(b"x") * size
    connection.send(len(held))
    connection.recv()


def churn(connection: Connection, size: int) -> None:
    """Hold memory, and take and free a fifth as much all the time."""
    held = bytearray(b"x") * size
    connection.send(len(held))
    while not connection.poll():
        bytearray(b"y") * (size // 5)


def share(connection: Connection, size: int) -> None:
    """Hold memory that forked processes read all the time."""
    held = bytearray(b"x") * size
    children = []
    for _ in range(CHILDREN):
        if (child := os.fork()) == 0:
            while os.getppid() != 1:
                held.count(b"y")
            os._exit(0)
        children.append(child)
    connection.send(len(held))
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


def main(work: str, size: int, seconds: float, rounds: int) -> dict[str, list[float]]:
    """How much of a processor each way of watching takes, a figure for each round."""
    processes.warm_up()
    context = multiprocessing.get_context(meter.START_METHOD)
    ours, theirs = context.Pipe()
    worker = context.Process(  # type: ignore[attr-defined]  # every context has one
        target=globals()[work], args=(theirs, size)
    )
    worker.start()
    ours.recv()
    gauge = Gauge(os.getpid(), limit=sys.maxsize, suspect=worker.pid)
    found = in_turns(
        rounds,
        gauge=lambda: cpu_share(gauge.sample, seconds),
        sum=lambda: cpu_share(lambda: mapped_bytes(os.getpid()), seconds),
    )
    ours.send("end")
    worker.join()
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))))
