"""The order for one segment of a run: what it reads, its limits, and what was known before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..disk.manifest import Manifest
from ..graph.steps import Segment
from ..memory.budget import EffectiveBudget
from ..memory.company import Company
from ..memory.profile import Profile
from ..reuse.bound import Bound
from ..reuse.key import Ingredients
from .shares import Shares


@dataclass(frozen=True)
class Job:
    """One segment to run: its inputs, its limits, and where it left off."""

    bound: Bound
    segment: Segment
    key: str
    ingredients: Ingredients

    identity: str
    """Identifies the code, params and inputs behind the segment's measurements."""

    params: dict[str, str]
    """The params that its values depend on, as text; those of earlier segments too."""

    upstream: Mapping[str, Manifest]
    """For each value of an earlier segment that it reads, the checkpoint that holds it."""

    anew: bool
    """Whether it runs all of its steps, whatever former checkpoints have."""

    budget: EffectiveBudget
    shares: Shares
    profile: Profile

    damaged: set[str]
    """All values, of any segment, that this run found damaged."""

    company: Company
    log: Path

    at_once: int = 1
    """How many segments may be at work at once, this one included."""

    lanes: int = 1
    """How many workers may run items of one of its steps at once."""
