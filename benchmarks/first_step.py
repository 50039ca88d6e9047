"""Run a project's pipeline in this process and print, for every segment, the seconds from the
request of its part to the start of its first step, as a JSON list."""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from typing import Any


def seconds_to_first_step(package: str) -> list[float]:
    """One figure a segment, in order; the processes that workers come from are up before."""
    runtime = f"{package}.checkpointing"
    describing, running, events, messages = (
        import_module(f"{runtime}.{module}")
        for module in ("run.describing", "run.run", "run.events", "worker.messages")
    )
    seconds: list[float] = []
    requested_at = 0.0

    def observe(event: Any) -> None:
        nonlocal requested_at
        if isinstance(event, events.SegmentStarted):
            requested_at = time.perf_counter()
        elif isinstance(event, messages.StepStarted) and requested_at:
            seconds.append(time.perf_counter() - requested_at)
            requested_at = 0.0

    running.run(describing.describe_project(package), running.RunOptions(fresh=True), observe)
    return seconds


if __name__ == "__main__":
    print(json.dumps(seconds_to_first_step(sys.argv[1])))
