"""An order: one part to run, as plain data that a worker can be sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .manifest import FileRecord
from .settings import Count
from .steps import Step


@dataclass(frozen=True)
class Source:
    """Where a value of an earlier part lies, and whether its file must be hashed before loading."""

    folder: Path
    record: FileRecord
    verify: bool


@dataclass(frozen=True)
class Order:
    """One part to run: its steps, what they read, what is to be kept, and where.

    `arguments` are inputs and params by (step, parameter), `stamps` those of the input files when
    they were hashed. `allowance` is in bytes.
    """

    root: Path
    store: Path
    pipeline: str
    segment: str
    key: str
    ingredients: dict[str, Any]
    params: dict[str, str]
    steps: tuple[Step, ...]
    sources: dict[str, Source]
    arguments: dict[tuple[str, str], Any]
    stamps: dict[Path, tuple[int, int]]
    kept: tuple[str, ...]
    outputs: tuple[str, ...]
    format: str
    allowance: int
    count: Count
    log: Path
