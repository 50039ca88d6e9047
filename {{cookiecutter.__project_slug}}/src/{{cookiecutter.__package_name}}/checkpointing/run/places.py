"""What engines and executors need, checked before anything of a run is started."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..base.elsewhere import FOLDER
from ..base.errors import ConfigurationError
from ..base.settings import Settings
from ..codecs import Room
from ..graph.steps import Segment, Step
from ..memory.batching import Allotment
from ..memory.budget import EffectiveBudget
from ..memory.gauge import Gauge
from ..worker.engines import check, usable_cores


def require_executor(segment: Segment, settings: Settings) -> None:
    """Refuse a run with a segment that cannot be sent to where it is to run.

    Raises ConfigurationError, and ExecutorError if a program is missing.
    """
    from ..executors.opening import open_executor  # a project without executors does without these

    name = settings.wiring.run_on[segment.name]
    table = settings.wiring.executors[name]
    if lacking := [variable for variable in table.variables if variable not in os.environ]:
        raise ConfigurationError(
            f"segment `{segment.name}` is sent to [executors.{name}], whose `variables` name "
            f"{', '.join(lacking)}, and here that is not set. Set it, or take the name out.",
            segment=segment.name,
        )
    open_executor(name, table, settings.root / FOLDER)


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
