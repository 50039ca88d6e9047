"""What the master of a standalone cluster has: asked before a job is submitted to it.

A standalone master does not refuse an executor larger than any worker: the application waits for
ever. Its web page tells as JSON what its workers have.
"""

from __future__ import annotations

import json
import socket
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...base.errors import ConfigurationError
from ...base.units import size
from .spark_budget import MIB, Clustered

if TYPE_CHECKING:
    from ...base.masters import Master
    from ...base.settings import Spark

_SECONDS = 5.0
_MOST_BYTES = 64 << 20
_PAGE = 8080


@dataclass(frozen=True)
class Machine:
    """One worker of the cluster that is alive; memory in bytes."""

    name: str
    cores: int
    memory: int
    free_cores: int
    free_memory: int


@dataclass(frozen=True)
class Cluster:
    """What a master says.

    Attributes:
        master: its address, for people.
        machines: the workers that are alive.
        applications: the names of those that run or wait.
    """

    master: str
    machines: tuple[Machine, ...]
    applications: tuple[str, ...]

    def __str__(self) -> str:
        """For people: what it has and what is free."""
        if not self.machines:
            return f"{self.master} has no worker that is alive"
        listed = ", ".join(
            f"{m.name} with {size(m.memory)} and {_cores(m.cores)}, of which {size(m.free_memory)} "
            f"and {m.free_cores} are free"
            for m in self.machines[:5]
        )
        more = f" and {len(self.machines) - 5} more" if len(self.machines) > 5 else ""
        return f"{self.master} has {len(self.machines)} workers: {listed}{more}"


def cluster(master: Master, settings: Spark) -> Cluster | None:
    """What the master says; None if its web page cannot be reached, but the master itself can.

    Raises ConfigurationError if nobody listens at its address.
    """
    pages = [settings.master_ui] if settings.master_ui else []
    pages = pages or [f"http://{host}:{_PAGE}" for host, _ in master.hosts]
    for page in pages:
        try:
            said = _read(page)
        except (OSError, ValueError):
            continue
        answer = _cluster(master, said)
        is_this = answer is not None and (settings.master_ui or _is_of(master, said))
        if is_this:
            return answer
    _require_reachable(master)
    return None


def require_room(known: Cluster, sizes: Clustered) -> None:
    """Refuse executors that no worker could ever have. Raises ConfigurationError."""
    if not known.machines:
        return  # some may come while the part waits
    if any(m.memory >= sizes.container and m.cores >= sizes.cores for m in known.machines):
        return
    largest = max(known.machines, key=lambda m: (m.memory, m.cores))
    count = f"{sizes.executors} executors" if sizes.executors > 1 else "1 executor"
    raise ConfigurationError(
        f"{count} would each take {size(sizes.container)} and {_cores(sizes.cores)}, and no "
        f"worker of {known.master} has as much: the largest, {largest.name}, has "
        f"{size(largest.memory)} and {_cores(largest.cores)}. Nothing was "
        f"submitted. Have more `executors` that are smaller, or fewer `cores` for each, in [spark] "
        f"of memory_budget.toml; or lower the budget."
    )


def _cores(count: int) -> str:
    return f"{count} cores" if count != 1 else "1 core"


def _read(page: str) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{page.rstrip('/')}/json/", timeout=_SECONDS) as answer:
        said = json.loads(answer.read(_MOST_BYTES))
    if not isinstance(said, dict) or "workers" not in said:
        raise ValueError("no master of Spark")
    return said


def _is_of(master: Master, said: dict[str, Any]) -> bool:
    """Whether a page is that of the master, and not of another at the same host."""
    port = str(said.get("url", "")).rpartition(":")[2]
    return port in {str(number) for _, number in master.hosts}


def _cluster(master: Master, said: dict[str, Any]) -> Cluster | None:
    """None for a master that only stands by."""
    if said.get("status", "ALIVE") != "ALIVE":
        return None
    machines = tuple(
        Machine(
            f"{each.get('host')}:{each.get('port')}",
            int(each["cores"]),
            int(each["memory"]) * MIB,
            int(each["coresfree"]),
            int(each["memoryfree"]) * MIB,
        )
        for each in said["workers"]
        if each.get("state") == "ALIVE"
    )
    names = tuple(str(each.get("name")) for each in said.get("activeapps", ()))
    return Cluster(master.text, machines, names)


def _require_reachable(master: Master) -> None:
    refusals = []
    for host, port in master.hosts:
        try:
            socket.create_connection((host, port), timeout=_SECONDS).close()
            return
        except OSError as error:
            refusals.append(f"{host}:{port} ({error.strerror or error})")
    raise ConfigurationError(
        f"no master of Spark listens at {' or '.join(refusals)}. Start it, or correct `master` of "
        f"[spark] in memory_budget.toml or the variable SPARK_MASTER."
    )
