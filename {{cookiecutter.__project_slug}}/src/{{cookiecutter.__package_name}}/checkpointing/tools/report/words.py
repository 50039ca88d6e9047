"""A run in words, for the page and for Markdown alike."""

from __future__ import annotations

from ...base.units import duration, share, size
from ...run.record import RunRecord

_WHY_IT_FAILED = {
    "step_failed": "a step failed",
    "budget_exceeded": "a step alone exceeds the budget",
    "configuration": "the configuration is wrong",
    "inexact_value": "a value cannot be kept exactly",
    "storage": "storage failed",
    "locked": "another run was at work",
    "executor": "infrastructure failed, or may still live",
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
    """Whether any segment ran, even if it failed."""
    return any(segment.status != "reused" for segment in run.segments)


def figures(run: RunRecord) -> str:
    """Peak against budget, time and bytes written and moved, as one sentence."""
    peak = f"Peak {size(run.peak_bytes)}, {share(run.peak_bytes, run.budget_bytes)}"
    budget = f"the budget of {size(run.budget_bytes)}"
    if run.budget_source:
        budget += f" ({run.budget_source})"
    measured = f"{peak} of {budget}" if run.peak_bytes else f"Nothing was measured against {budget}"
    moved = {"pushed": run.bytes_pushed, "fetched": run.bytes_fetched}
    disk = [
        f"{size(run.bytes_written)} written",
        *(f"{size(n)} {w}" for w, n in moved.items() if n),
    ]
    return f"{measured}; {duration(run.seconds)}; {', '.join(disk)}."


def statuses(run: RunRecord) -> str:
    """How many segments ran, were reused, failed."""
    words = [
        f"{count} {status}"
        for status in ("ran", "reused", "failed")
        if (count := sum(segment.status == status for segment in run.segments))
    ]
    return ", ".join(words) or "none"


def what_counts(run: RunRecord) -> str:
    """The kind of memory that the peaks measure."""
    return _COUNTS.get(run.count, run.count)
