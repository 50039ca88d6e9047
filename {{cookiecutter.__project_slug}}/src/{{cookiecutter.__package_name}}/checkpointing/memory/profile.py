"""The profile: what each step was last seen to take, kept across runs in `runs/profile.json`.

A run measures, in its own circumstances, how much memory a step added to what was held when it
began. From that, and from which values share memory, `forecast.py` tells what the step would take
in other parts than the one in which it ran.
"""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ..base.files import replace_text
from ..base.units import Count
from .residency import Shared

PROFILE = "profile.json"
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

    @property
    def needed_bytes(self) -> int:
        """The memory to expect of it, beyond what is held when it begins."""
        return max(self.transient_bytes, self.stopped_bytes)

    def merged_with(self, former: StepMeasure | None) -> StepMeasure:
        """This measure, and what only the former one of the same step knows."""
        if former is None or former.identity != self.identity:
            return self
        better = self if self.finished else former
        return replace(better, stopped_bytes=max(self.stopped_bytes, former.stopped_bytes))


@dataclass(frozen=True)
class SegmentProfile:
    """A segment for one size of its input, in bytes.

    `baseline_bytes` is what the process tree holds before the first step, `loads` the held memory
    that loading a value takes, `writes` what writing it takes beyond the value itself,
    `parent_bytes` the part of the baseline that the process held which started the run. `counted`
    says how memory was counted.
    """

    input_bytes: int
    baseline_bytes: int
    steps: dict[str, StepMeasure] = field(default_factory=dict)
    loads: dict[str, int] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    shared: tuple[Shared, ...] = ()
    parent_bytes: int = 0
    counted: Count = "held"

    def merged_with(self, former: SegmentProfile) -> SegmentProfile:
        """This profile, and from the former what this one does not know."""
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
        """What is known of shared memory once this is measured.

        A part sees who shares memory among its own values only, and of a value that it loaded
        nothing but the pages that are used. So what came with one owner counts as measured anew
        when all who are known to hold it ran in one part with it, or when one of them changed.
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
        told = {(shared.owner, holder) for shared in kept for holder in shared.holders}
        new = (s for s in self.shared if told.isdisjoint((s.owner, h) for h in s.holders))
        return (*kept, *new)


_SEGMENTS = TypeAdapter(dict[str, list[SegmentProfile]])


class Profile:
    """The profile of one pipeline: per segment, for the sizes of input that it last ran with."""

    def __init__(self, segments: dict[str, list[SegmentProfile]]) -> None:
        self._segments = segments

    def of(self, segment: str, input_bytes: int | None = None) -> SegmentProfile:
        """What is known of a segment, for the nearest size of input first.

        A step that did not run with that size is known from another. Without a size the last run
        comes first. A segment that never ran has a profile without steps.
        """
        known = self._segments.get(segment, [])
        if input_bytes is not None:
            known = sorted(known, key=lambda one: _distance(one.input_bytes, input_bytes))
        found = SegmentProfile(0, 0)
        for one in reversed(known):
            found = one.merged_with(found)
        return found

    def learn(self, segment: str, measured: SegmentProfile) -> None:
        """Take in what a run measured; it takes the place of what was known for that input."""
        known = self._segments.setdefault(segment, [])
        same = [one for one in known if one.input_bytes == measured.input_bytes]
        for one in same:
            known.remove(one)
            measured = measured.merged_with(one)
        known.insert(0, measured)
        del known[_KEPT_SIZES:]

    def as_json(self) -> dict[str, Any]:
        return {name: [asdict(one) for one in known] for name, known in self._segments.items()}


def read_profile(runs: Path, pipeline: str, count: Count = "held") -> Profile:
    """The profile of a pipeline; an empty one when there is none, or it cannot be read.

    What was counted otherwise is left out, for no step may be refused by it. Measures that do not
    say how they were counted are from a time when shared memory counted once for each process.
    """
    content = _all_of(runs).get(pipeline, {})
    found: dict[str, list[SegmentProfile]] = {}
    with contextlib.suppress(ValueError):
        for name, known in _SEGMENTS.validate_python(content).items():
            told = [one.get("counted") for one in content[name]]
            found[name] = [one for one, how in zip(known, told, strict=True) if how == count]
    return Profile(found)


def write_profile(runs: Path, pipeline: str, profile: Profile) -> None:
    """Keep the profile for later runs; it is advice, so a full disk is no reason to fail."""
    with contextlib.suppress(OSError):
        content = _all_of(runs) | {pipeline: profile.as_json()}
        replace_text(runs / PROFILE, json.dumps(content, indent=1))


def _all_of(runs: Path) -> dict[str, Any]:
    """The content of the file, by pipeline; empty when there is none, or it cannot be read."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        content = json.loads((runs / PROFILE).read_bytes())
        return content if isinstance(content, dict) else {}
    return {}


def _distance(one: int, other: int) -> float:
    return abs(math.log((one + 1) / (other + 1)))
