"""[executors] of pipeline.toml: the infrastructure that a segment may be sent to, by name."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_serializer

from .forms import Seconds, SharedUrl, Size, VariableName

BUILT_IN = ("local", "skypilot")
"""The kinds of executors that need no adapters.py."""

FOLDER = "executors"
"""The folder, in the project's, of the ledger and of what travels; ignored by git."""

_ATLEAST = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(\+?)\s*")


def _memory(value: object) -> object:
    """ "512+" and 512, which SkyPilot reads as GB, as a size; other sizes as they are."""
    if isinstance(value, bool):
        raise ValueError('write a size like "64 GB", or "512+" for that many GB or more')
    match = _ATLEAST.fullmatch(str(value))
    return f"{match[1]} GB" if match else value


class ExecutorTable(BaseModel):
    """[executors.NAME]: one kind of infrastructure, which lives only while a segment runs on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    """`"local"`, `"skypilot"`, or one that `adapters.py` registers."""

    memory: Annotated[Size, BeforeValidator(_memory), Field(gt=0)]
    """The memory that the segment may hold there, in bytes: its budget. `"512+"`, with a plus or
    without a unit, means GB: the smallest machine with so much is taken."""

    time_limit: Seconds
    """How long the infrastructure may live: then it ends itself, whatever lives here."""

    storage: SharedUrl | None = None
    """The URL where checkpoints travel; `local` needs none."""

    infra: str = ""
    """For `skypilot`: where to make it: `"aws"`, `"kubernetes"`, `"slurm"`, `"ssh/pool"`, …"""

    cpus: Annotated[str, BeforeValidator(str), Field(pattern=r"^(\d+(\.\d+)?\+?)?$")] = ""
    """For `skypilot`: how many cores, such as `"8+"`."""

    accelerators: str = ""
    """For `skypilot`: which accelerators, such as `"A100:1"`."""

    resources: dict[str, Any] = {}
    """For `skypilot`: further entries of `resources` in its task file, as `use_spot = true`."""

    variables: tuple[VariableName, ...] = ()
    """The environment variables of here that the segment has there too, such as those with the
    credentials of the storage. Their values are in no file and no log."""

    start_limit: Seconds = 1800
    """How long it may take until the infrastructure is there."""

    @field_serializer("memory")
    def _with_its_unit(self, memory: int) -> str:
        """The ledger keeps tables: a plain number would come back as GB."""
        return f"{memory} B"
