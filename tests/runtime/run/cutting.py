"""Cuts of our own choice: a profile written by hand that leaves the planner no other."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from flight_delays.checkpointing.memory.profile import PROFILE, SegmentProfile, StepMeasure

from ..builders import claim_runs
from ..conftest import Project

BUDGET = "4GB"  # far more than any test holds
_MORE_THAN_HALF = 2_400_000_000


def choose_cuts(
    project: Project, segments: Mapping[str, Sequence[str]], cuts: Collection[str]
) -> None:
    """Have the next run with `BUDGET` cut before these steps and nowhere else.

    The step before a cut is said to leave, and the one after it to need, more than half of what
    the planner may use: together they do not fit. Everything else is said to take nothing, so
    that further cuts would gain nothing.
    """
    profile = {}
    for segment, steps in segments.items():
        measures = {}
        for name, following in zip(steps, [*steps[1:], None], strict=True):
            measures[name] = StepMeasure(
                "by hand",
                "nobody's",
                transient_bytes=_MORE_THAN_HALF if name in cuts else 0,
                drift_bytes=_MORE_THAN_HALF if following in cuts else 0,
            )
        profile[segment] = [asdict(SegmentProfile(1, 0, measures))]
    claim_runs(project.folder / "runs")
    project.write(f"runs/{PROFILE}", json.dumps({"demo": profile}))


def steps_of(record: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of each segment's steps, in order."""
    return {s["name"]: [step["name"] for step in s["steps"]] for s in record["segments"]}


def cuts_of(record: Mapping[str, Any]) -> set[str]:
    """The steps before which a run cut; every cut was planned and every other one refused."""
    cuts = [cut for segment in record["segments"] for cut in segment["cuts"]]
    assert {cut["why"] for cut in cuts} <= {"planned"}
    for segment in record["segments"]:
        assert segment["parts"] == len(segment["cuts"]) + 1
    return {cut["before"] for cut in cuts}


def contents(project: Project) -> dict[str, Any]:
    """The bytes of all published outputs, and checksums of all that checkpoints keep."""
    published = sorted((project.folder / "data" / "out").glob("**/*"))
    found: dict[str, Any] = {
        str(path.relative_to(project.folder)): path.read_bytes()
        for path in published
        if path.is_file()
    }
    for segment, manifest in project.manifests().items():
        for kind in ("values", "outputs"):
            for value, record in manifest[kind].items():
                within = record["file"].partition("/")[2]
                found[f"{segment} {kind} {value}"] = record["checksum"], record["bytes"], within
    return found
