"""Figures and findings in words, for the page and for Markdown alike."""

from __future__ import annotations

from datetime import UTC, datetime

from ...base.units import size
from ...run.record import CutRecord, RunRecord

_WHY_IT_FAILED = {
    "step_failed": "a step failed",
    "budget_exceeded": "a step alone exceeds the budget",
    "configuration": "the configuration is wrong",
    "inexact_value": "a value cannot be kept exactly",
    "storage": "storage failed",
    "locked": "another run was at work",
    "interrupted": "it was stopped",
}
_COUNTS = {"held": "held memory", "rss": "resident memory"}


def verdict(run: RunRecord) -> str:
    """How a run ended, in a few words."""
    if run.error is not None:
        places = (("in segment", "segment"), ("at step", "step"))
        where = [f" {word} {run.error[key]}" for word, key in places if run.error.get(key)]
        kind = str(run.error.get("kind", ""))
        return f"Failed{','.join(where)}: {_WHY_IT_FAILED.get(kind, kind or 'unknown')}."
    if not has_run(run):
        return "Nothing had to run: every segment was reused."
    cuts = sum(len(segment.cuts) for segment in run.segments)
    return f"Completed, with {cuts} cut{'s' if cuts > 1 else ''}." if cuts else "Completed."


def has_run(run: RunRecord) -> bool:
    """Whether any segment ran, be it in vain."""
    return any(segment.status != "reused" for segment in run.segments)


def figures(run: RunRecord) -> str:
    """Peak against budget, time and bytes written, as one sentence."""
    peak = f"Peak {size(run.peak_bytes)}, {share(run.peak_bytes, run.budget_bytes)}"
    budget = f"the budget of {size(run.budget_bytes)}"
    if run.budget_source:
        budget += f" ({run.budget_source})"
    measured = f"{peak} of {budget}" if run.peak_bytes else f"Nothing was measured against {budget}"
    return f"{measured}; {duration(run.seconds)}; {size(run.bytes_written)} written."


def statuses(run: RunRecord) -> str:
    """How many segments ran, were reused, failed."""
    words = [
        f"{count} {status}"
        for status in ("ran", "reused", "failed")
        if (count := sum(segment.status == status for segment in run.segments))
    ]
    return ", ".join(words) or "none"


def what_counts(run: RunRecord) -> str:
    """What the peaks are sums of."""
    return _COUNTS.get(run.count, run.count)


def cut(found: CutRecord) -> str:
    return f"before {found.before}" + (f": {found.why}" if found.why else "")


def share(part: float, whole: float) -> str:
    """A share in percent; a dash of a whole that is not known."""
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
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def day(text: str) -> str:
    """The day of a moment in ISO 8601, short: 23 Nov; other text as it is."""
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    return f"{at.day} {at:%b}"
