"""The measurements of each segment, from the last run or, if that reused it, an earlier one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...codecs.several import value_of
from ...run.record import RunRecord, SegmentRecord, StepRecord
from .runs import PastRun


@dataclass(frozen=True)
class Measured:
    """A segment with the run that measured it; `facts` are of that run, `status` of the last."""

    name: str
    status: str
    facts: SegmentRecord
    run: RunRecord
    is_earlier: bool

    @property
    def budget_bytes(self) -> int:
        """What it was allowed to hold: the budget of the run, or the memory of its executor."""
        return self.facts.budget_bytes or self.run.budget_bytes

    @property
    def where(self) -> str:
        """Where it ran, as the end of a phrase; empty if that was here."""
        return f" on {self.facts.executor}" if self.facts.executor else ""


@dataclass(frozen=True)
class Row:
    """One step or one commit of a segment, in the order in which they ran.

    Sizes in bytes, times in seconds. `began_bytes` was in use at the beginning; 0 if that is
    unknown.
    """

    label: str
    segment: str
    is_earlier: bool
    began_bytes: int
    peak_bytes: int
    read_seconds: float
    compute_seconds: float
    write_seconds: float
    value_bytes: int = 0
    batches: int = 0
    """How many batches of tables a step took, which had `rows` in all."""

    rows: int = 0
    made_batches: int = 0
    """How many batches of its value it made, which had `made_rows` in all."""

    made_rows: int = 0

    budget_bytes: int = 0
    """What its segment was allowed to hold."""

    where: str = ""
    """Where its segment ran; empty if that was here."""

    @property
    def is_in_batches(self) -> bool:
        return bool(self.batches or self.made_batches)

    @property
    def seconds(self) -> float:
        return self.read_seconds + self.compute_seconds + self.write_seconds


def measured(runs: Sequence[PastRun]) -> tuple[Measured, ...]:
    """The segments of the last run, each with its facts from the last run in which it ran.

    Args:
        runs: as `past_runs` gives them, the last run first.
    """
    earlier: dict[str, tuple[SegmentRecord, RunRecord]] = {}
    for run in runs[1:]:
        for former in run.record.segments:
            if former.status == "ran":
                earlier.setdefault(former.name, (former, run.record))
    return tuple(_measured(now, runs[0].record, earlier) for now in runs[0].record.segments)


def rows(segments: Sequence[Measured]) -> tuple[Row, ...]:
    """The steps of these segments, and the commit that ends each of their parts."""
    ordered: list[Row] = []
    for segment in segments:
        facts = segment.facts
        numbers = sorted({s.part for s in facts.steps} | {w.part for w in facts.writes})
        times = Counter(step.name for step in facts.steps)
        for part in numbers:
            for step in facts.steps:
                if step.part == part:
                    again = f", part {part + 1}" if times[step.name] > 1 else ""
                    items = f", {len(step.items)} items" if step.items else ""
                    ordered.append(_step_row(segment, step, step.name + items + again))
            ending = f", part {part + 1}" if len(numbers) > 1 else ""
            ordered += _commit_row(segment, part, f"commit{ending}")
    return tuple(ordered)


def value_bytes(segments: Sequence[Measured]) -> dict[str, int]:
    """The additional memory of each measured value: 0 for a view of another value.

    A record without the memory at the beginning of a step contains no size of its value either.
    """
    steps = (step for segment in segments for step in segment.facts.steps)
    return {step.name: step.value_bytes for step in steps if step.began_bytes}


def disk_bytes(segments: Sequence[Measured]) -> dict[str, dict[str, int]]:
    """The size on disk of each value, by segment, without values of unknown size."""
    sizes: dict[str, dict[str, int]] = {}
    for segment in segments:
        kept = sizes[segment.name] = {}
        for write in segment.facts.writes:
            if write.bytes:  # of a value that is made of several, those of all its items
                value = value_of(write.value)
                kept[value] = kept.get(value, 0) + write.bytes
    return sizes


def _measured(
    segment: SegmentRecord,
    run: RunRecord,
    earlier: Mapping[str, tuple[SegmentRecord, RunRecord]],
) -> Measured:
    if segment.status == "reused" and segment.name in earlier:
        facts, former = earlier[segment.name]
        return Measured(segment.name, segment.status, facts, former, is_earlier=True)
    return Measured(segment.name, segment.status, segment, run, is_earlier=False)


def _step_row(segment: Measured, step: StepRecord, label: str) -> Row:
    return Row(
        label=label,
        segment=segment.name,
        is_earlier=segment.is_earlier,
        began_bytes=step.began_bytes,
        peak_bytes=step.peak_bytes,
        read_seconds=step.read_seconds,
        compute_seconds=max(0.0, step.seconds - step.read_seconds),
        write_seconds=0.0,
        value_bytes=step.value_bytes,
        batches=step.batches,
        rows=step.rows,
        made_batches=step.made_batches,
        made_rows=step.made_rows,
        budget_bytes=segment.budget_bytes,
        where=segment.where,
    )


def _commit_row(segment: Measured, part: int, label: str) -> list[Row]:
    """The writes of a part as one row; no row if no write is known."""
    writes = [write for write in segment.facts.writes if write.part == part]
    if not writes:
        return []
    return [
        Row(
            label=label,
            segment=segment.name,
            is_earlier=segment.is_earlier,
            began_bytes=writes[0].began_bytes,
            peak_bytes=max(write.peak_bytes for write in writes),
            read_seconds=0.0,
            compute_seconds=0.0,
            write_seconds=sum(write.seconds for write in writes if not write.ahead),
            budget_bytes=segment.budget_bytes,
            where=segment.where,
        )
    ]
