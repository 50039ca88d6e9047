"""Numbers, sizes, times and paths as people read them, and how memory is counted."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
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


def counted(count: int, noun: str) -> str:
    """A number of things: 1 part, 2 parts."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def share(part: float, whole: float) -> str:
    """A share in percent; a dash if the whole is not known."""
    return f"{part / whole:.0%}" if whole else "–"


def duration(seconds: float) -> str:
    """Seconds for people: 0.04 s, 12.3 s, 4 min 05 s, 2 h 03 min."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def moment(text: str) -> str:
    """A moment in ISO 8601 as a person reads it, in UTC; other text as it is."""
    return _in_utc(text, "%B %Y, %H:%M UTC")


def day(text: str) -> str:
    """The day of a moment in ISO 8601, short: 23 Nov; other text as it is."""
    return _in_utc(text, "%b")


def short(path: str) -> str:
    """A path as a person would type it from here."""
    with suppress(ValueError):
        return str(Path(path).relative_to(Path.cwd()))
    return path


def _in_utc(text: str, form: str) -> str:
    """The day's number, without the 0 that strftime would put before it, and the rest in `form`."""
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    return f"{at.day} {at.strftime(form)}"
