"""A URL for checkpoints, as the settings of a project describe it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .objects import Objects


@dataclass(frozen=True)
class Remote:
    """A URL for the checkpoints of a project, and how it is used."""

    open: Callable[[bool | None], Objects]
    """Opens it; the argument says whether it has conditional writes, as far as that is known."""

    lease: float | None
    """The seconds after which a run without a sign of life counts as dead; None: no lease."""

    cache_max: int
    """The bytes that the local cache may take."""
