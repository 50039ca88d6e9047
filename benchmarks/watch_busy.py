"""Watch a worker whose threads all compute, as a run does and by a loop that sleeps between two
sums, in turns, and print the seconds from each sample to the next, as JSON lists."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
import time
from itertools import pairwise
from multiprocessing.connection import Connection

import numpy as np
from flight_delays.checkpointing.memory import meter
from flight_delays.checkpointing.run import processes, workers
from measure import in_turns, mapped_bytes

SORTED = 200_000  # so many numbers are sorted in 10 ms, without Python's lock


def compute(connection: Connection, threads: int, seconds: float) -> None:
    """Let threads compute for so long, and say when that begins and when it ends."""
    connection.send("begin")
    numbers = np.random.default_rng(0).random(SORTED)
    until = time.monotonic() + seconds

    def work() -> None:
        while time.monotonic() < until:
            np.sort(numbers)

    all_threads = [threading.Thread(target=work) for _ in range(threads)]
    for thread in all_threads:
        thread.start()
    for thread in all_threads:
        thread.join()
    connection.send("end")


def as_a_run(threads: int, seconds: float) -> list[float]:
    """The times of samples, by the loop of a run."""
    times: list[float] = []
    processes.run_worker(
        compute,
        (threads, seconds),
        is_last=lambda message: message == "end",
        on_message=lambda _: times.clear(),
        on_sample=lambda *_: times.append(time.monotonic()),
    )
    return times


def as_a_loop(threads: int, seconds: float) -> list[float]:
    """The times of samples, by a loop that sleeps when it has read."""
    times: list[float] = []
    context = multiprocessing.get_context(meter.START_METHOD)
    ours, theirs = context.Pipe()
    worker = context.Process(  # type: ignore[attr-defined]  # every context has one
        target=compute, args=(theirs, threads, seconds)
    )
    worker.start()
    ours.recv()
    while not ours.poll():
        times.append(time.monotonic())
        mapped_bytes(os.getpid())
        time.sleep(processes.SAMPLE_SECONDS)
    worker.join()
    return times


def intervals(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def main(threads: int, seconds: float, rounds: int) -> dict[str, list[list[float]]]:
    """The intervals of both ways of watching, a list for each round."""
    workers.warm_up()
    return in_turns(
        rounds,
        run=lambda: intervals(as_a_run(threads, seconds)),
        loop=lambda: intervals(as_a_loop(threads, seconds)),
    )


if __name__ == "__main__":
    # Workers import this module by its name.
    import watch_busy

    print(json.dumps(watch_busy.main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))))
