"""The settings with which an application of Spark starts, but those of its memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...base.masters import Master
    from ...base.settings import Spark

LOOPBACK = "127.0.0.1"
WAREHOUSE = "warehouse"
"""The folder of the tables that a step makes, below the place of the application."""

VALUES = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.ansi.enabled": "true",
}
"""What the values of steps depend on: the same wherever Spark runs."""

_QUIET = {
    "spark.submit.deployMode": "client",
    "spark.ui.enabled": "false",  # nobody looks at its page, and it listens on every address
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.catalogImplementation": "in-memory",  # no metastore, no derby
}
_MEASURED = {
    "spark.executor.heartbeatInterval": "1s",  # it brings the peaks of memory
    "spark.executor.heartbeat.maxFailures": "600",  # of these: ten minutes, as it is by default
    "spark.executor.metrics.pollingInterval": "500ms",
    "spark.executor.processTreeMetrics.enabled": "true",
}
_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
_EXECUTOR_OPTIONS = "spark.executor.extraJavaOptions"


def conf_of(name: str, master: Master, settings: Spark, cores: int, place: Path) -> dict[str, str]:
    """The settings of one application.

    Args:
        name: what it is called.
        cores: of `local[n]`.
        place: the folder for what it does not hold in memory, as long as it runs.
    """
    own = {
        "spark.master": f"local[{cores}]" if master.is_local else master.text,
        "spark.app.name": name,
        "spark.local.dir": str(place / "local"),
        "spark.sql.warehouse.dir": str(place / WAREHOUSE),
        **_QUIET,
        **VALUES,
    }
    if not master.is_local:  # where it is, the JVM knows its peaks, and the watchdog the tree
        own |= _MEASURED
    if master.is_local or master.is_loopback:
        own |= {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
    further = dict(settings.conf)
    # Java's temporary files go with the part, also if it is killed; so would its figures in /tmp.
    java = f"-Djava.io.tmpdir={_quoted(place / 'tmp')} -XX:-UsePerfData"
    own[_JAVA_OPTIONS] = f"{java} {further.pop(_JAVA_OPTIONS, '')}".strip()
    if master.kind == "standalone":
        # An executor that is killed leaves its libraries in the folder that its worker gave it, and
        # that the worker removes. YARN and Kubernetes see to this themselves.
        java = "-Djava.io.tmpdir=. -XX:-UsePerfData"
        own[_EXECUTOR_OPTIONS] = f"{java} {further.pop(_EXECUTOR_OPTIONS, '')}".strip()
    return own | further


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
