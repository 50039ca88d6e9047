"""The options of the command `run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import ConfigurationError, nearest
from ..graph.graph import Graph


@dataclass(frozen=True)
class RunOptions:
    """The options of the command `run`."""

    params: Mapping[str, Any] = field(default_factory=dict)
    """Replace params and inputs of the same name."""

    budget: str | None = None
    """A size such as 2GB."""

    fresh: bool = False
    """Run every segment, also where a checkpoint could be reused."""

    rerun_from: str | None = None
    """Run this segment and all after it."""

    only: str | None = None
    """Run this segment alone, from existing checkpoints."""

    jobs: int | None = None
    """How many segments may be at work at once; None: as many as there are cores."""

    keep_all: bool = False
    """Keep every value of the segments that run, as `keep_all = true` in memory_budget.toml."""


def forced_segments(graph: Graph, options: RunOptions) -> set[str]:
    """The segments to run even with a usable checkpoint. Raises ConfigurationError."""
    names = [segment.name for segment in graph.segments]
    for name in (options.rerun_from, options.only):
        if name is not None and name not in names:
            raise ConfigurationError(
                f"no segment is named `{name}`{nearest(name, names)}; the segments are "
                f"{', '.join(names)}"
            )
    if options.fresh:
        return set(names)
    return set(names[names.index(options.rerun_from) :]) if options.rerun_from else set()
