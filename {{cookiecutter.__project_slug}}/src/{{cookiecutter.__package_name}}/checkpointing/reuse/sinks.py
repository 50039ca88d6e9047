"""Sinks, the steps that write to the world outside, and what is known of what they wrote.

A run sees nothing of it. It knows when a sink ran last, and of what; and [sinks] in pipeline.toml
may name a sink's target, whose absence shows.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path

from ..base.settings import Settings
from ..disk.manifest import Manifest
from ..disk.store import Store
from ..graph.steps import Segment


@dataclass(frozen=True)
class Sink:
    """A sink, and when it last ran, as far as the checkpoints on disk tell."""

    name: str
    segment: str

    target: str | None
    """The path or glob that [sinks] names for it."""

    is_gone: bool
    """Whether there is no file at its target."""

    ran_at: str | None
    """When it ran last."""

    ran_otherwise: str
    """How that run differs from the checkpoint that is reused: `with debug=True`, say; or empty."""


def sinks_of(
    store: Store, settings: Settings, segment: Segment, current: Manifest | None
) -> list[Sink]:
    """The sinks of a segment, in their order; `current` is the checkpoint that a run reuses."""
    gone, targets = gone_targets(settings, segment), settings.wiring.sinks
    sinks = []
    for name in (step.name for step in segment.steps if step.is_sink):
        last = store.last_ran(segment.name, name)
        sinks.append(
            Sink(
                name,
                segment.name,
                targets.get(name),
                name in gone,
                last[1] if last else None,
                difference(name, last[0], current) if last and current else "",
            )
        )
    return sinks


def gone_targets(settings: Settings, segment: Segment) -> dict[str, str]:
    """The sinks of a segment whose target is not there, each with its entry in [sinks]."""
    names = {step.name for step in segment.steps if step.is_sink}
    return {
        name: text
        for name, text in settings.wiring.sinks.items()
        if name in names and not _is_there(settings.root, text)
    }


def difference(sink: str, last: Manifest, current: Manifest) -> str:
    """How the run in which a sink ran last differs from the checkpoint that is reused."""
    if last.key == current.key or last.ran.get(sink) == current.ran.get(sink, ()):
        return ""
    changed = [
        f"{name}={text}" for name, text in last.params.items() if current.params.get(name) != text
    ]
    return f"with {', '.join(changed)}" if changed else "with other code or inputs"


def way_to_repeat(sink: Sink) -> str:
    """For people: that a sink ran otherwise than what is reused, and how to repeat it."""
    return (
        f"sink `{sink.name}` ran last {sink.ran_otherwise}; `run --rerun-from {sink.segment}` "
        f"repeats it"
    )


def _is_there(root: Path, text: str) -> bool:
    """Whether a path exists, or a glob matches; what cannot be looked at may be there."""
    try:
        os.stat(root / text)
    except (FileNotFoundError, NotADirectoryError):
        matches = glob.iglob(text, root_dir=root, recursive=True)
        return any(os.path.exists(root / match) for match in matches)  # a link may lead nowhere
    except OSError:
        return True
    return True
