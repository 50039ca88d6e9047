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
    described = import_module(f"{runtime}.describing").describe_project(package)
    runner, events = import_module(f"{runtime}.runner"), import_module(f"{runtime}.events")
    found: list[float] = []
    asked = 0.0

    def observe(event: Any) -> None:
        nonlocal asked
        if isinstance(event, events.SegmentStarted):
            asked = time.perf_counter()
        elif isinstance(event, events.StepStarted) and asked:
            found.append(time.perf_counter() - asked)
            asked = 0.0

    runner.run(described, runner.RunOptions(fresh=True), observe)
    return found


if __name__ == "__main__":
    print(json.dumps(seconds_to_first_step(sys.argv[1])))
