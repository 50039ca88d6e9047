"""What the place where Spark runs cannot give, told before anything is started there."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ...base.masters import Master, parse_master
from ..room import NoRoom, Room
from . import spark_connect, spark_master
from .spark_budget import Clustered, clustered
from .spark_java import require_java

if TYPE_CHECKING:
    from ...base.settings import Spark


def check(room: Room) -> None:
    """Refuse a place without Java, master or workers that are large enough.

    A budget that is too small for Spark to start is left to the step that needs it.
    Raises ConfigurationError.
    """
    settings = settings_of(room)
    master = parse_master(settings.master)
    if master.kind == "connect":
        spark_connect.require_reachable(master.text, settings.wait)
        return
    require_java()
    if not master.is_local:
        with suppress(NoRoom):
            fitting(master, settings, clustered(room.granted, room.memory, settings))


def fitting(master: Master, settings: Spark, sizes: Clustered) -> spark_master.Cluster | None:
    """What the master says that it has; None if it cannot be asked.

    Raises ConfigurationError if nobody is there, or no worker is large enough.
    """
    if master.kind != "standalone":
        return None
    known = spark_master.cluster(master, settings)
    if known is not None:
        spark_master.require_room(known, sizes)
    return known


def settings_of(room: Room) -> Spark:
    """[spark], or what holds without."""
    if room.spark is not None:
        return room.spark
    from ...base.settings import Spark

    return Spark()
