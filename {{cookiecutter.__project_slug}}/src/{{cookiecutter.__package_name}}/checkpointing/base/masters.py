"""Where Spark runs: what `[spark] master` and SPARK_MASTER may be, and what that means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["local", "standalone", "yarn", "kubernetes", "connect"]

MASTERS = "local[*], local[4], spark://host:7077, yarn, k8s://https://host:443 or sc://host:15002"

_LOCAL = re.compile(r"local(?:\[(\*|[1-9]\d{0,3})\])?")
_STANDALONE = re.compile(r"spark://([^\s/@:,]+:\d{1,5}(?:,[^\s/@:,]+:\d{1,5})*)/?")
_KUBERNETES = re.compile(r"k8s://(?:https?://)?[^\s@]+")
_CONNECT = re.compile(r"sc://[^\s@]+")
_SECRET = re.compile(r"(?i);(?:token|user_id|x-)[^=;]*=|://[^/]*@|password|secret")


@dataclass(frozen=True)
class Master:
    """Where Spark runs.

    Attributes:
        text: as Spark wants it.
        cores: of `local[n]`; None for all that there are.
        hosts: of `spark://`, each as (host, port).
    """

    text: str
    kind: Kind
    cores: int | None = None
    hosts: tuple[tuple[str, int], ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether driver and executors are one process of this machine."""
        return self.kind == "local"

    @property
    def is_loopback(self) -> bool:
        """Whether all of a standalone cluster is on this machine."""
        own = ("127.0.0.1", "localhost", "::1")
        return bool(self.hosts) and all(host in own for host, _ in self.hosts)


def parse_master(text: str) -> Master:
    """What a text says. Raises ValueError, which repeats no text that may contain a password."""
    if _SECRET.search(text):
        raise ValueError(
            "the address of a master contains no user, password or token: it would be in a file, "
            "and in logs. Spark Connect takes a token from SPARK_CONNECT_AUTHENTICATE_TOKEN"
        )
    text = text.strip()
    if match := _LOCAL.fullmatch(text):
        count = match[1] or "1"
        return Master(f"local[{count}]", "local", None if count == "*" else int(count))
    if match := _STANDALONE.fullmatch(text):
        pairs = (each.rpartition(":") for each in match[1].split(","))
        hosts = tuple((host, int(port)) for host, _, port in pairs)
        return Master(f"spark://{match[1]}", "standalone", hosts=hosts)
    if text == "yarn":
        return Master(text, "yarn")
    if _KUBERNETES.fullmatch(text):
        return Master(text, "kubernetes")
    if _CONNECT.fullmatch(text):
        return Master(text, "connect")
    raise ValueError(f"{text!r:.80} is no master of Spark that is known here; write {MASTERS}")


_FROM_BUDGET = re.compile(
    r"spark\.(?:driver|executor)\.(?:memory|memoryOverhead|memoryOverheadFactor|pyspark\.memory)"
    r"|spark\.(?:executor\.(?:cores|instances)|cores\.max|memory\.offHeap\.(?:size|enabled))"
    r"|spark\.dynamicAllocation\.enabled"
)
_OURS = re.compile(
    r"spark\.(?:master|remote|app\.name|submit\.deployMode|local\.dir|ui\.enabled|api\.mode)"
    r"|spark\.sql\.(?:session\.timeZone|ansi\.enabled|parquet\.outputTimestampType|warehouse\.dir"
    r"|catalogImplementation)"
)
_IN_RESULTS = re.compile(r"spark\.(?:sql|hadoop\.parquet|files\.ignore\w+Files)\b.*")
_IN_NO_RESULT = re.compile(
    r"spark\.sql\.(?:adaptive\..*|shuffle\.partitions|autoBroadcastJoinThreshold|broadcastTimeout"
    r"|files\.(?:maxPartitionBytes|openCostInBytes|minPartitionNum|maxPartitionNum)"
    r"|sources\.parallelPartitionDiscovery\..*|execution\.arrow\.maxRecordsPerBatch"
    r"|join\.preferSortMergeJoin|inMemoryColumnarStorage\..*|catalog\.(?!spark_catalog\b).*"
    r"|maxPlanStringLength|debug\.maxToStringFields|ui\..*)"
)
"""How Spark computes, where its catalogs are, and what it shows."""

_CONFIDENTIAL = re.compile(
    r"(?i)secret|password|passphrase|token|(?:access|account|private)[._-]?key|credential|[.]sas\b"
    r"|encryption[.]key"
)
_NOT_CONFIDENTIAL = ("File", "file", "enabled", "provider", "provider.path")


def checked_conf(conf: object) -> object:
    """Further settings of Spark as text by full name; TOML may write their names as tables.

    Raises ValueError for one that follows from the budget, that a result may depend on, or whose
    name says that it is a secret.
    """
    flat = _flat(conf, "") if isinstance(conf, dict) else conf
    if not isinstance(flat, dict):
        return conf
    for name in flat:
        if not name.startswith("spark."):
            raise ValueError(f"`{name}` is no setting of Spark: their names begin with spark.")
        if _FROM_BUDGET.fullmatch(name):
            raise ValueError(
                f"`{name}` follows from the budget; change `executors`, `cores` or "
                f"`python_memory` of [spark], or the budget"
            )
        if _OURS.fullmatch(name):
            raise ValueError(f"`{name}` is set for each part, and cannot be set here")
        if _CONFIDENTIAL.search(name) and not name.endswith(_NOT_CONFIDENTIAL):
            raise ValueError(
                f"`{name}` may be a secret, which belongs into no file of the project and would "
                f"be seen in the list of processes; put it into spark-defaults.conf of the place"
            )
        if _IN_RESULTS.fullmatch(name) and not _IN_NO_RESULT.fullmatch(name):
            raise ValueError(
                f"a result may depend on `{name}`, and no key contains what is set here; set it in "
                f"the step: `SparkSession.active().conf.set(...)`, or as an option of its reader"
            )
    return flat


def _flat(table: dict[str, object], prefix: str) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            flat |= _flat(value, name)
        elif isinstance(value, bool):
            flat[name] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            flat[name] = str(value)
        else:
            raise ValueError(f"`{name}`: write text, a number, true or false")
    return flat
