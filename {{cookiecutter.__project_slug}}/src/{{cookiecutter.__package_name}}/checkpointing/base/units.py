"""Sizes and paths as people read them, and how memory is counted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

Count = Literal["held", "rss"]
"""How memory is counted: `held` leaves out what the kernel can drop, `rss` counts it."""


def size(count: float) -> str:
    """Bytes for people, in powers of ten: 1.5 GB."""
    if abs(count) < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if abs(count) < 999.5 or unit == "TB":
            return f"{count:.0f} {unit}" if abs(count) >= 100 else f"{count:.3g} {unit}"
    raise AssertionError("unreachable")


def short(path: str) -> str:
    """A path as a person would type it from here."""
    with suppress(ValueError):
        return str(Path(path).relative_to(Path.cwd()))
    return path
