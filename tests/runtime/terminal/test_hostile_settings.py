"""Every hostile value in the place of every setting: it is a setting after all, or refused."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.base.settings import Settings, load_settings
from flight_delays.checkpointing.base.units import size
from flight_delays.checkpointing.memory.budget import effective_budget
from flight_delays.checkpointing.memory.limits import machine_limits

from ..builders import write
from .settings_fuzz import MEMORY, NUMBERS, PIPELINE, TEXTS, toml

PLACES = [
    *(("memory_budget.toml", table, name) for table, names in MEMORY.items() for name in names),
    *(("pipeline.toml", table, name) for table, names in PIPELINE.items() for name in names),
]
VALUES: list[Any] = [*TEXTS, *NUMBERS, True, [], {}, [[]], {"x": 1}]


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_no_value_of_a_setting_ends_in_anything_but_a_refusal(
    tmp_path: Path, place: tuple[str, str, str]
) -> None:
    file, table, name = place
    write(tmp_path / "memory_budget.toml", toml(MEMORY))
    write(tmp_path / "pipeline.toml", toml(PIPELINE))
    good: Any = MEMORY if file == "memory_budget.toml" else PIPELINE
    limits, messages = machine_limits(), []
    for value in VALUES:
        content = json.loads(json.dumps(good))
        content[table][name] = value
        (tmp_path / file).write_text(toml(content), encoding="utf-8")
        try:
            require_usable(load_settings(tmp_path), limits)
        except ConfigurationError as error:
            messages.append(error.message)
    assert messages or table == "params"
    for message in messages:
        assert file in message
        assert len(message) < 1_000


def require_usable(settings: Settings, limits: Any) -> None:
    """Look at the paths of the settings, and calculate and write what commands do of the rest."""
    outputs = settings.wiring.outputs.values()
    for path in (settings.checkpoints, settings.runs, *(settings.root / text for text in outputs)):
        with contextlib.suppress(OSError):
            path.stat()
    memory = settings.memory
    budget = effective_budget(memory, limits)
    for count in (budget.bytes, memory.checkpoints.max_disk, *(x.bytes for x in budget.limits)):
        assert size(count)
