"""The memory budget of a part in Spark's terms. Spark counts in MiB, which it writes `512m`.

A JVM holds more than its heap: its own code, the classes, threads, and buffers outside of the heap.
Spark calls that *overhead*. Python workers, where steps have functions of their own, come on top.

On one machine driver and executors are one JVM. On a cluster, from a budget B with n executors of c
cores and p for a Python worker:

    driver          a tenth of B, from 1 to 4 GiB, and as overhead a tenth of that, at least 384 MiB
    an executor     E = (B - driver and its overhead) / n, of which are
      Python        p × c
      heap          the smaller of (E - p × c) / 1.1 and E - p × c - 384 MiB
      overhead      the rest
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...base.errors import ConfigurationError
from ...base.units import size
from ..room import NoRoom, Room

if TYPE_CHECKING:
    from ...base.settings import Spark

MIB = 1 << 20
LEAST_HEAP = 512 * MIB
"""Spark refuses to start with less than 450 MiB."""

_LEAST_OVERHEAD, _OVERHEAD = 384 * MIB, 0.1  # Spark's own defaults on YARN and Kubernetes
_DRIVER, _LEAST_DRIVER, _MOST_DRIVER = 0.1, 1024 * MIB, 4096 * MIB
# Of an embedded JVM, measured on sorts, joins and aggregates: 520 to 600 MB above a heap of 512
# MiB, and 620 MB above one of 1 GiB: 160 for classes, 150 for buffers of files, 70 for the garbage
# collector, the rest for its code, its symbols and what the system's allocator keeps.
_EMBEDDED, _EMBEDDED_SHARE = 520 * MIB, 0.1


@dataclass(frozen=True)
class Embedded:
    """What the one JVM of `local[n]` may take, in bytes.

    Attributes:
        heap: the most of its heap.
        python: what each Python worker may take; 0 if there is no limit but the budget.
    """

    heap: int
    python: int = 0

    def conf(self, cores: int) -> dict[str, str]:
        """The settings of Spark."""
        own = {"spark.driver.memory": _mib(self.heap)}
        if self.python:
            own["spark.executor.pyspark.memory"] = _mib(self.python * cores)
        return own


@dataclass(frozen=True)
class Clustered:
    """What driver and executors may take on a cluster, in bytes; `heap` and others of each."""

    driver: int
    driver_overhead: int
    executors: int
    cores: int
    heap: int
    overhead: int
    python: int
    """Of all Python workers of an executor together; 0 if Spark limits them by nothing."""

    @property
    def container(self) -> int:
        """What one executor takes in all."""
        return self.heap + self.overhead + self.python

    @property
    def total(self) -> int:
        """What driver and executors take together."""
        return self.driver + self.driver_overhead + self.executors * self.container

    def conf(self) -> dict[str, str]:
        """The settings of Spark."""
        own = {
            "spark.driver.memory": _mib(self.driver),
            "spark.driver.memoryOverhead": _mib(self.driver_overhead),
            "spark.executor.memory": _mib(self.heap),
            "spark.executor.memoryOverhead": _mib(self.overhead),
            "spark.executor.cores": str(self.cores),
            "spark.executor.instances": str(self.executors),
            "spark.cores.max": str(self.executors * self.cores),  # a standalone master knows this
            "spark.dynamicAllocation.enabled": "false",
        }
        if self.python:
            own["spark.executor.pyspark.memory"] = _mib(self.python)
        return own


def enough(room: Room, least: int) -> int:
    """What a step may take, and with less than Spark needs to start just that, if it is there."""
    return room.memory if room.memory >= least else max(room.memory, min(room.most, least))


def least_embedded(cores: int, settings: Spark) -> int:
    """The bytes with which a JVM of this machine starts."""
    python = int(settings.python_memory) * cores
    return math.ceil(LEAST_HEAP * (1 + _EMBEDDED_SHARE)) + 1 + _EMBEDDED + python


def least_driver() -> int:
    """The bytes of this machine with which the driver of a cluster starts."""
    return LEAST_HEAP + _over(LEAST_HEAP)


def embedded(memory: int, cores: int, settings: Spark) -> Embedded:
    """The share of a JVM of this machine, from the bytes that a step may take. Raises NoRoom."""
    python = int(settings.python_memory)
    heap = int((memory - python * cores - _EMBEDDED) / (1 + _EMBEDDED_SHARE))
    if heap < LEAST_HEAP:
        least = least_embedded(cores, settings)
        workers = f", {size(python * cores)} of it for Python workers" if python else ""
        raise NoRoom(
            f"Spark needs {size(least)} on top of what is held when a step begins{workers}, and "
            f"the budget leaves {size(memory)}",
            least,
        )
    return Embedded(heap, python)


def clustered(granted: int, memory: int, settings: Spark) -> Clustered:
    """The shares of driver and executors.

    Args:
        granted: bytes that may come to be held on all machines together.
        memory: bytes of these that may come to be held on this one, where the driver runs.

    Raises:
        NoRoom: driver or executors would have less heap than Spark starts with.
        ConfigurationError: only fewer executors, or less for Python, would leave enough.
    """
    driver = min(max(int(granted * _DRIVER), _LEAST_DRIVER), _MOST_DRIVER)
    while driver >= LEAST_HEAP and driver + _over(driver) > memory:
        driver -= MIB
    if driver < LEAST_HEAP:
        raise NoRoom(
            f"the driver of Spark needs {size(least_driver())} of this machine on "
            f"top of what is held when a step begins, and the budget leaves {size(memory)}",
            least_driver(),
        )
    count, cores = settings.executors, settings.cores
    container = (granted - driver - _over(driver)) // count
    python = int(settings.python_memory) * cores
    left = container - python
    heap = min(int(left / (1 + _OVERHEAD)), left - _LEAST_OVERHEAD)
    if heap < LEAST_HEAP:
        least = driver + _over(driver) + count * (LEAST_HEAP + _LEAST_OVERHEAD + python)
        for_python = f" and {size(python)} for Python" if python else ""
        named = f"{count} executors of Spark, each" if count > 1 else "an executor of Spark"
        needed = (
            f"{named} with {size(LEAST_HEAP)} of heap, "
            f"{size(_LEAST_OVERHEAD)} of overhead{for_python}, and a driver of "
            f"{size(driver + _over(driver))} need {size(least)}, and the budget leaves "
            f"{size(granted)}"
        )
        if count > 1 or python:
            raise ConfigurationError(
                f"{needed}. Lower `executors`"
                f"{' or `python_memory`' if python else ''} of [spark] in memory_budget.toml, or "
                f"ask for more"
            )
        raise NoRoom(needed)
    whole = heap // MIB * MIB
    return Clustered(driver, _over(driver), count, cores, whole, left - whole, python)


def _over(heap: int) -> int:
    return max(_LEAST_OVERHEAD, int(heap * _OVERHEAD))


def _mib(count: int) -> str:
    return f"{count // MIB}m"
