"""What engines need where they work, checked before anything of a run is started."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..base.settings import Settings
from ..codecs import Room
from ..graph.steps import Step
from ..memory.batching import Allotment
from ..memory.budget import EffectiveBudget
from ..memory.gauge import Gauge
from ..worker.engines import check, usable_cores


def require_places(steps: Sequence[Step], settings: Settings, budget: EffectiveBudget) -> None:
    """Refuse a run whose steps use an engine that has no place to work, or not enough of it.

    Raises ConfigurationError.
    """
    held = Gauge(os.getpid(), budget.count).sample()
    free = Allotment(budget.bytes, settings.memory.segment.headroom).free(held)
    room = Room(
        free,
        settings.checkpoints,
        settings.memory.checkpoints.max_disk,
        usable_cores(),
        granted=max(0, budget.granted - held),
        spark=settings.spark,
    )
    check(steps, room)
