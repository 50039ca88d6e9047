"""The peaks of memory of each executor, as Spark or its JVM itself has measured them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..applications import Executor

_HEAP, _OFF_HEAP = "JVMHeapMemory", "JVMOffHeapMemory"
_TREE = ("ProcessTreeJVMRSSMemory", "ProcessTreePythonRSSMemory", "ProcessTreeOtherRSSMemory")


def peaks(context: Any) -> tuple[Executor, ...]:
    """The executors that an application has had until now, the driver first.

    Args:
        context: the SparkContext of Java.

    Spark hears of the peaks by a heartbeat a second: one that comes and goes between is not seen,
    and of a quick job there may be none.
    """
    summaries = context.statusStore().executorList(False)
    known = [_executor(summaries.apply(n)) for n in range(summaries.size())]
    return tuple(sorted(known, key=lambda each: (each.name != "driver", _number(each.name))))


def embedded_peaks(context: Any, jvm: Any) -> tuple[Executor, ...]:
    """The one executor of `local[n]`, which is the driver; its JVM knows its peaks by itself.

    The heap consists of pools, whose peaks may be at different times: their sum is no less than
    what it held at any time.
    """
    bytes_of = {"HEAP": 0, "NON_HEAP": 0}
    for pool in jvm.java.lang.management.ManagementFactory.getMemoryPoolMXBeans():
        bytes_of[str(pool.getType().name())] += int(pool.getPeakUsage().getUsed())
    heap = min(bytes_of["HEAP"], int(jvm.java.lang.Runtime.getRuntime().maxMemory()))
    [driver, *_] = peaks(context)
    return (replace(driver, heap_bytes=heap, off_heap_bytes=bytes_of["NON_HEAP"]),)


def _executor(summary: Any) -> Executor:
    name = str(summary.id())
    host = str(summary.hostPort()).rpartition(":")[0]
    measured = summary.peakMemoryMetrics()
    if not measured.isDefined():
        return Executor(name, host, int(summary.totalCores()))
    value = measured.get().getMetricValue
    return Executor(
        name,
        host,
        int(summary.totalCores()),
        heap_bytes=int(value(_HEAP)),
        off_heap_bytes=int(value(_OFF_HEAP)),
        tree_bytes=sum(int(value(each)) for each in _TREE),
    )


def _number(name: str) -> int:
    return int(name) if name.isdecimal() else -1
