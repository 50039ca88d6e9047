"""The Spark application of a part: begun before the first step that needs it, ended with the part.

Its end is what frees its memory. On one machine it is a JVM of the worker's process tree, which the
watchdog counts; on a cluster the driver is that JVM, and executors are elsewhere. At a server of
Spark Connect it is no more than a session of the server's application.

`prepare` makes sure that it runs, `session` gives it, `close` ends it. One process has at most one.
None of these may be called by two threads at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base.errors import CheckpointingError, ConfigurationError
from ...base.masters import Master, parse_master
from ...base.units import size
from ..applications import Application
from ..room import Room
from . import spark_connect, spark_driver, spark_master
from .spark_budget import (
    Clustered,
    Embedded,
    clustered,
    embedded,
    enough,
    least_driver,
    least_embedded,
)
from .spark_conf import WAREHOUSE, conf_of
from .spark_driver import Driver, TooLate, too_late
from .spark_java import require_java
from .spark_peaks import embedded_peaks, peaks
from .spark_place import fitting, settings_of
from .spark_probe import require_shared
from .spark_watch import Watch

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from ...base.settings import Spark


@dataclass(frozen=True)
class Running:
    """What runs now.

    Attributes:
        driver: its JVM, if this process has it: not at a server of Spark Connect.
        sizes: what it may take.
    """

    name: str
    master: Master
    session: Any
    driver: Driver | None = None
    sizes: Embedded | Clustered | None = None
    watch: Watch | None = None

    @property
    def shares(self) -> str:
        """The memory that it has, for people."""
        match self.sizes:
            case Embedded(heap):
                return f"a heap of {size(heap)}, all that the budget leaves"
            case Clustered() as sizes:
                python = f", {size(sizes.python)} for Python" if sizes.python else ""
                return (
                    f"each executor has {size(sizes.container)}: a heap of {size(sizes.heap)}, "
                    f"{size(sizes.overhead)} of overhead{python}"
                )
        return "its memory is that of the server"


_now: Running | None = None


def prepare(room: Room) -> None:
    """Make sure that the part's application runs.

    Raises:
        NoRoom: the budget is too small for Spark to start.
        ConfigurationError: there is no Java, nobody at the master's address, no worker that is
            large enough, no executor after `wait`, or no folder that all share.
    """
    global _now
    if _now is not None and _has_ended(_now):
        close()  # it died between two steps, or one has stopped it: all values are on disk
    if _now is None:
        _now = _begun(room)
    if _now.watch is not None:
        _now.watch.disk = room.disk
        _now.watch.written = (room.spill, (room.lasting or room.spill) / WAREHOUSE)


def session() -> SparkSession:
    """The session of the part's application. Raises ConfigurationError if none was prepared."""
    if _now is None:
        raise ConfigurationError(
            "no application of Spark runs here: a step gets one if it takes or returns a "
            "pyspark.sql.DataFrame"
        )
    own: SparkSession = _now.session
    return own


def is_stopped(own: SparkSession) -> bool:
    """Whether somebody has called `stop()` of a session, or of its context."""
    if hasattr(own, "is_stopped"):  # of Spark Connect
        return bool(own.is_stopped)
    context: Any = own.sparkContext
    if context._jsc is None:
        return True
    try:
        return bool(context._jsc.sc().isStopped())
    except Exception:  # its JVM is gone, of which the next call says more
        return False


def _has_ended(running: Running) -> bool:
    if running.driver is not None and running.driver.process.poll() is not None:
        return True
    return is_stopped(running.session)


def write_to(path: Path) -> None:
    """Count a folder that is being written against the disk that the step may take."""
    if _now is not None and _now.watch is not None:
        _now.watch.written += (path,)


def running() -> Running | None:
    """What runs now, if anything does."""
    return _now


def figures() -> Application | None:
    """What the application has taken until now; None if none runs, or if nobody knows."""
    if _now is None or _now.driver is None or _now.sizes is None:
        return None
    sizes = _now.sizes
    if isinstance(sizes, Clustered):
        shares = sizes.driver + sizes.driver_overhead, sizes.container
    else:
        shares = sizes.heap, 0
    try:
        if isinstance(sizes, Embedded):
            taken = embedded_peaks(_now.driver.context, _now.session.sparkContext._jvm)
        else:
            taken = peaks(_now.driver.context)
    except Exception:  # its JVM is gone
        return None
    return Application(_now.name, _now.master.text, *shares, taken)


def close() -> None:
    """End the application, and the JVM of its driver; nothing if there is none."""
    global _now
    ended, _now = _now, None
    if ended is None:
        return
    if ended.watch is not None:
        ended.watch.end()
    if ended.driver is not None:
        spark_driver.stop(ended.driver)
    else:
        spark_connect.disconnect(ended.session)


def _begun(room: Room) -> Running:
    settings = settings_of(room)
    master = parse_master(settings.master)
    name = room.part or "part"
    place = room.lasting or room.spill
    deadline = time.monotonic() + settings.wait
    if master.kind == "connect":
        own = spark_connect.connect(master.text, name, settings.conf, settings.wait)
        begun = Running(name, master, own)
    else:
        require_java()
        cores = master.cores or room.threads
        if master.is_local:
            sizes: Embedded | Clustered = embedded(
                enough(room, least_embedded(cores, settings)), cores, settings
            )
            known = None
        else:
            sizes = clustered(room.granted or room.memory, enough(room, least_driver()), settings)
            known = fitting(master, settings, sizes)
        conf = conf_of(name, master, settings, cores, place)
        conf |= sizes.conf(cores) if isinstance(sizes, Embedded) else sizes.conf()
        try:
            driver = spark_driver.start(conf, place, settings.wait)
        except TooLate:
            if master.is_local:
                raise ConfigurationError(
                    f"{too_late('Spark did not start on this machine', settings.wait)}. Other "
                    f"programs may keep it busy: see the log, try again, or allow a longer `wait`."
                ) from None
            what = f"Spark did not start on {master.text}"
            raise _without(what, master, settings, known) from None
        watch = Watch(
            driver.cancel,
            None if master.is_local else driver.executors,
            settings.wait,
            place / "local" if master.is_local else None,
        )
        watch.disk = room.disk
        watch.begin()
        begun = Running(name, master, driver.session, driver, sizes, watch)
    if not master.is_local:
        _require_cluster(begun, room, settings, deadline)
    return begun


def _require_cluster(begun: Running, room: Room, settings: Spark, deadline: float) -> None:
    """Wait for an executor that writes where this machine reads, or end the application."""
    global _now
    master = begun.master
    try:
        if begun.driver is not None:
            spark_driver.wait_for_executor(begun.driver, deadline)
        require_shared(begun.session, room.lasting or room.spill, master.text)
    except TooLate:
        _now = begun
        close()
        known = _asked(master, settings)
        what = f"{master.text} gave no executor to `{begun.name}`"
        raise _without(what, master, settings, known) from None
    except BaseException:
        _now = begun
        close()
        raise


def _asked(master: Master, settings: Spark) -> spark_master.Cluster | None:
    if master.kind != "standalone":
        return None
    try:
        return spark_master.cluster(master, settings)
    except CheckpointingError:
        return None


def _without(
    what: str, master: Master, settings: Spark, known: spark_master.Cluster | None
) -> ConfigurationError:
    """The error for a cluster that gave nothing in time, with what it has."""
    if known is not None:
        others = ", ".join(name for name in known.applications[:5])
        has = f"{known}" + (f"; at work there: {others}" if others else "")
    elif master.kind == "standalone":
        has = (
            "what it has is not known: its web page is not at port 8080 of its host. Write the "
            "page's address as `master_ui`"
        )
    else:
        has = "look there for what it has, and for what it says of the application"
    return ConfigurationError(
        f"{too_late(what, settings.wait)}; {has}. Wait until others have ended, ask for less with "
        f"`executors` and `cores`, or for a longer `wait`."
    )
