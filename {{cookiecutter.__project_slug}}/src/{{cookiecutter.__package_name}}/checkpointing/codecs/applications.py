"""What an application of an engine was allowed to take and has taken, as the engine itself says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Executor:
    """One process that computed for the application. Its peaks are bytes, 0 if not known."""

    name: str
    """`driver`, or the number of an executor."""

    host: str
    cores: int

    heap_bytes: int = 0
    """The most of its JVM's heap."""

    off_heap_bytes: int = 0
    """The most that the JVM held beside the heap: classes, code and buffers."""

    tree_bytes: int = 0
    """The most RAM of the JVM and its Python workers together."""


@dataclass(frozen=True)
class Application:
    """The application of a part."""

    name: str
    master: str

    driver_bytes: int
    """What the driver may take; its process is one of the part's own, and counted there too."""

    executor_bytes: int
    """What each executor may take; 0 if the driver is the only one, or if nobody knows."""

    executors: tuple[Executor, ...] = ()
    """Those that there were, lost ones too, the driver first."""
