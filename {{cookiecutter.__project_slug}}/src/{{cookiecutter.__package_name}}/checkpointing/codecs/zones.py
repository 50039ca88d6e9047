"""Time zones as JSON: zones of the standard library that a name or an offset describes fully."""

from __future__ import annotations

from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo


def zone_to_plain(zone: tzinfo | None) -> str | int | None:
    """A ZoneInfo's key or a fixed offset in microseconds; raises ValueError for any other zone."""
    if zone is None:
        return None
    plain: str | int | None = None
    if type(zone) is ZoneInfo:
        plain = zone.key
    elif type(zone) is timezone:
        plain = zone.utcoffset(None) // timedelta(microseconds=1)
    if plain is None or str(zone_from_plain(plain)) != str(zone):
        raise ValueError(f"the time zone {zone!r} has no name or offset that says it in full")
    return plain


def zone_from_plain(plain: str | int | None) -> tzinfo | None:
    """The zone that `zone_to_plain` described."""
    if plain is None:
        return None
    if isinstance(plain, str):
        return ZoneInfo(plain)
    return timezone(timedelta(microseconds=plain))


def arrow_zone(zone: tzinfo | None) -> str | None:
    """Arrow's name of the zone, for readers other than pandas; UTC if Arrow has no name for it."""
    if zone is None or type(zone) is ZoneInfo:
        return None if zone is None else str(zone)
    offset = zone.utcoffset(None)
    minutes, rest = divmod(offset or timedelta(0), timedelta(minutes=1))
    if rest or not minutes:
        return "UTC"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
