"""The memory budget: every limit that applies to a run, and the one that binds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base.settings import MEMORY_BUDGET_FILE, MemoryBudget, parse_size
from ..base.units import Count, size
from .limits import Limit

VARIABLE = "MEMORY_BUDGET"


@dataclass(frozen=True)
class EffectiveBudget:
    """The limits that apply, the smallest first, and how memory is counted against them."""

    limits: tuple[Limit, ...]
    count: Count
    executor: str = ""
    """The table of [executors] whose memory it is; empty: it is that of a run here."""

    @property
    def bytes(self) -> int:
        return self.limits[0].bytes

    @property
    def granted(self) -> int:
        """The bytes that the run may hold on all machines together, where an engine uses others."""
        return next((each.bytes for each in self.limits if not each.of_machine), self.bytes)

    @property
    def source(self) -> str:
        return self.limits[0].source


def effective_budget(
    settings: MemoryBudget, machine: Iterable[Limit], option: str | int | None = None
) -> EffectiveBudget:
    """The budget of a run: the smallest of the quota, the machine's limits and `--budget`.

    Args:
        settings: memory_budget.toml.
        machine: the limits of the machine and the container, from `limits`.
        option: `--budget`, as bytes or text such as "2GB"; when None, the environment variable
            MEMORY_BUDGET counts.

    Raises:
        ConfigurationError: the option or the variable is not a positive size.
    """
    cluster = settings.cluster
    share = f"{cluster.quota * 100:g} % of {size(cluster.ram)}, {MEMORY_BUDGET_FILE}"
    limits = [Limit(round(cluster.ram * cluster.quota), share)]
    limits += [replace(limit, of_machine=True) for limit in machine]
    if option is not None:
        limits.append(Limit(parse_size(option, "--budget"), "--budget"))
    elif VARIABLE in os.environ:
        limits.append(Limit(parse_size(os.environ[VARIABLE], VARIABLE), VARIABLE))
    limits.sort(key=lambda limit: limit.bytes)
    return EffectiveBudget(tuple(limits), settings.budget.count)


def executor_budget(
    name: str, memory: int, count: Count, machine: Iterable[Limit] = ()
) -> EffectiveBudget:
    """The budget of a segment that runs elsewhere: the memory of its executor, not the quota.

    Args:
        name: of the table in [executors].
        memory: what that grants, in bytes.
        machine: the limits of the machine there, where these are known.
    """
    limits = [Limit(memory, f"memory of [executors.{name}], pipeline.toml")]
    limits += [replace(limit, of_machine=True) for limit in machine]
    limits.sort(key=lambda limit: limit.bytes)
    return EffectiveBudget(tuple(limits), count, name)
