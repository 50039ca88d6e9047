"""The profile: the last measurements of each step, kept across runs in `runs/profile.json`.

A run measures how much memory a step added to what was held when it began. From that, and from
which values share memory, `forecast.py` works out what the step needs in any other part.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ..base.files import replace_text
from ..base.reading import MOST_JSON_BYTES, read_bytes, read_json
from ..base.units import Count
from .residency import Shared

PROFILE = "profile.json"
JOURNAL = "profile.jsonl"
"""What was measured since that file was written: a line for each part."""

ELASTIC_BYTES = 64 << 20
"""What is kept free for a step that takes as much memory as there is, if it took more."""

_KEPT_SIZES = 5


@dataclass(frozen=True)
class StepMeasure:
    """One step as it was measured; sizes in bytes.

    Attributes:
        identity: of code, params and inputs behind it: while they are the same, so is the step.
        input_bytes: size of its arguments.
        began_bytes: held memory of the process tree when it began.
        peak_bytes: the most that was held while it ran.
        transient_bytes: how far that is above what was held, loaded values left out.
        stopped_bytes: how far it was when it was stopped for its memory, in whichever run.
        drift_bytes: what it left behind beyond the memory of its value: imports, caches.
        value_bytes: memory that came with its value, and was not another value's before.
        file_bytes: size of its value on disk.
        finished: False when it was only ever stopped.
        is_elastic: whether it takes as much memory as there is, in batches or for an engine.
        row_bytes: the most that a row of a batch that it took has cost; 0 if it took none.
    """

    measured_at: str
    identity: str
    seconds: float = 0.0
    input_bytes: int = 0
    began_bytes: int = 0
    peak_bytes: int = 0
    transient_bytes: int = 0
    stopped_bytes: int = 0
    drift_bytes: int = 0
    value_bytes: int = 0
    file_bytes: int = 0
    finished: bool = True
    is_elastic: bool = False
    row_bytes: float = 0.0

    @property
    def needed_bytes(self) -> int:
        """The memory to expect of it, beyond what is held when it begins.

        What an elastic step took says little of what it needs: it gets what there is.
        """
        taken = max(self.transient_bytes, self.stopped_bytes)
        return min(taken, ELASTIC_BYTES) if self.is_elastic else taken

    def merged_with(self, former: StepMeasure | None) -> StepMeasure:
        """This measure, completed by a former one of the same step."""
        if former is None or former.identity != self.identity:
            return self
        better = self if self.finished else former
        return replace(better, stopped_bytes=max(self.stopped_bytes, former.stopped_bytes))


@dataclass(frozen=True)
class SegmentProfile:
    """The measurements of a segment for one size of its input; sizes in bytes."""

    input_bytes: int

    baseline_bytes: int
    """Held memory of the process tree before the first step."""

    steps: dict[str, StepMeasure] = field(default_factory=dict)

    loads: dict[str, int] = field(default_factory=dict)
    """The held memory that loading each value takes."""

    writes: dict[str, int] = field(default_factory=dict)
    """The memory that writing each value takes beyond the value itself."""

    shared: tuple[Shared, ...] = ()

    parent_bytes: int = 0
    """The part of the baseline that belongs to the process that started the run."""

    counted: Count = "held"
    """How memory was counted."""

    def merged_with(self, former: SegmentProfile) -> SegmentProfile:
        """This profile, completed by a former one."""
        steps = former.steps | {
            name: measure.merged_with(former.steps.get(name))
            for name, measure in self.steps.items()
        }
        return SegmentProfile(
            self.input_bytes,
            self.baseline_bytes or former.baseline_bytes,
            steps,
            former.loads | self.loads,
            former.writes | self.writes,
            self._shared_with(former),
            self.parent_bytes if self.baseline_bytes else former.parent_bytes,
            self.counted,
        )

    def _shared_with(self, former: SegmentProfile) -> tuple[Shared, ...]:
        """The shared memory that is known once this profile is measured.

        A part sees shared memory only among its own values, and of a value that it loaded only the
        pages that are used. So the memory of an owner counts as measured anew when all its known
        holders ran in the same part, or when one of them changed.
        """
        made = {name for name, measure in self.steps.items() if measure.finished}
        known = former.steps
        changed = {n for n in made & set(known) if known[n].identity != self.steps[n].identity}
        members: dict[str, set[str]] = {}
        for shared in former.shared:
            members.setdefault(shared.owner, {shared.owner}).update(shared.holders)
        kept = [
            shared
            for shared in former.shared
            if not members[shared.owner] <= made and not members[shared.owner] & changed
        ]
        pairs = {(shared.owner, holder) for shared in kept for holder in shared.holders}
        new = (s for s in self.shared if pairs.isdisjoint((s.owner, h) for h in s.holders))
        return (*kept, *new)


_SEGMENTS = TypeAdapter(dict[str, list[SegmentProfile]])


class Profile:
    """The profile of one pipeline: per segment, for the input sizes of its last runs."""

    def __init__(self, segments: dict[str, list[SegmentProfile]]) -> None:
        self._segments = segments
        self.has_learnt = False

    def of(self, segment: str, input_bytes: int | None = None) -> SegmentProfile:
        """The profile of a segment for the nearest known size of its input.

        A step that did not run with that size is taken from the next nearest. Without a size the
        last run comes first. A segment that never ran has a profile without steps.
        """
        known = self._segments.get(segment, [])
        if input_bytes is not None:
            known = sorted(known, key=lambda profile: _distance(profile.input_bytes, input_bytes))
        merged = SegmentProfile(0, 0)
        for profile in reversed(known):
            merged = profile.merged_with(merged)
        return merged

    def learn(self, segment: str, measured: SegmentProfile) -> None:
        """Keep the measurements of a run, in place of former ones for the same input size."""
        self.has_learnt = True
        known = self._segments.setdefault(segment, [])
        same_size = [former for former in known if former.input_bytes == measured.input_bytes]
        for former in same_size:
            known.remove(former)
            measured = measured.merged_with(former)
        known.insert(0, measured)
        del known[_KEPT_SIZES:]

    @property
    def largest_baseline(self) -> int:
        """The most memory that a process of any segment held before its first step."""
        last = (known[0].baseline_bytes for known in self._segments.values() if known)
        return max(last, default=0)

    def known(self, segment: str) -> list[SegmentProfile]:
        """All that is known of a segment, the last run first."""
        return list(self._segments.get(segment, []))

    def as_json(self) -> dict[str, Any]:
        return {
            name: [asdict(profile) for profile in known] for name, known in self._segments.items()
        }


def read_profile(runs: Path, pipeline: str, count: Count = "held") -> Profile:
    """The profile of a pipeline; an empty one when there is none, or it cannot be read.

    Profiles that counted memory in another way are left out, for they must not refuse a step.
    """
    profile = profile_of(_all_of(runs).get(pipeline, {}), count)
    for line in _noted(runs):
        if line.pipeline == pipeline and line.measured.counted == count:
            profile.learn(line.segment, line.measured)
    return profile


def profile_of(content: Any, count: Count = "held") -> Profile:
    """The profile of a pipeline from its JSON; an empty one if that cannot be read.

    Profiles that counted memory in another way are left out, for they must not refuse a step.
    Profiles that do not say how are from a version that counted shared memory for each process.
    """
    segments: dict[str, list[SegmentProfile]] = {}
    with contextlib.suppress(ValueError):
        for name, known in _SEGMENTS.validate_python(content).items():
            counts = [written.get("counted") for written in content[name]]
            segments[name] = [
                profile
                for profile, counted in zip(known, counts, strict=True)
                if counted == count and profile.input_bytes >= 0
            ]
    return Profile(segments)


def note_measured(runs: Path, pipeline: str, segment: str, measured: SegmentProfile) -> None:
    """Keep what a part has measured, should its run be killed: `settle` comes at the end of a run.

    It is advice, so a full disk is no reason to fail.
    """
    line = json.dumps(asdict(_Line(pipeline, segment, measured)))
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
    with contextlib.suppress(OSError):
        descriptor = os.open(runs / JOURNAL, flags, 0o666)
        try:
            os.write(descriptor, f"\n{line}\n".encode())  # a former line may be half a line
        finally:
            os.close(descriptor)


def settle(runs: Path, pipeline: str, profile: Profile) -> None:
    """Write the profile as a whole, and take its lines out of the journal.

    No other process may do so now, nor note anything.
    """
    if not profile.has_learnt:
        return
    noted = _noted(runs)
    write_profile(runs, pipeline, profile)
    others = [json.dumps(asdict(line)) for line in noted if line.pipeline != pipeline]
    with contextlib.suppress(OSError):
        if others:
            replace_text(runs / JOURNAL, "".join(f"{line}\n" for line in others))
        else:
            (runs / JOURNAL).unlink(missing_ok=True)


def write_profile(runs: Path, pipeline: str, profile: Profile) -> None:
    """Keep the profile for later runs; it is advice, so a full disk is no reason to fail."""
    with contextlib.suppress(OSError):
        content = _all_of(runs) | {pipeline: profile.as_json()}
        replace_text(runs / PROFILE, json.dumps(content, indent=1))


@dataclass(frozen=True)
class _Line:
    """A line of the journal."""

    pipeline: str
    segment: str
    measured: SegmentProfile


_LINE = TypeAdapter(_Line)


def _noted(runs: Path) -> list[_Line]:
    """The lines of the journal; those that cannot be read are passed over."""
    lines = []
    with contextlib.suppress(OSError):
        for text in read_bytes(runs / JOURNAL, MOST_JSON_BYTES).splitlines():
            with contextlib.suppress(ValueError):
                lines.append(_LINE.validate_json(text))
    return [line for line in lines if line.measured.input_bytes >= 0]


def _all_of(runs: Path) -> dict[str, Any]:
    """The content of the file, by pipeline; empty when there is none, or it cannot be read."""
    with contextlib.suppress(OSError):
        content = read_json(runs / PROFILE)
        return content if isinstance(content, dict) else {}
    return {}


def _distance(size: int, other: int) -> float:
    return abs(math.log((size + 1) / (other + 1)))
