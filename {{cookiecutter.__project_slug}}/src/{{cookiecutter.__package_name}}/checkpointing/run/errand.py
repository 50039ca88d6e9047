"""What goes with a segment that runs elsewhere, and what it tells from there: plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..base.errors import ConfigurationError
from ..base.reading import parse_json, read_json
from ..base.refusals import Unreadable
from ..base.units import Count
from ..memory.profile import SegmentProfile
from ..reuse.key import Ingredients
from .events import Noticed, PartCut, PartEnded, PartStarted, SampledElsewhere, StepBegan
from .record import SegmentRecord

ERRAND = "errand.json"
REQUIREMENTS = "requirements.txt"
MODULE = "run.there"
"""The module of the runtime that runs an errand."""

_EVENT = "::checkpointing "
"""With this begins a line that is an event, and no output of a step."""


@dataclass(frozen=True)
class Sent:
    """An input file on its way."""

    object: str
    """Its name in storage."""

    path: str
    """Where it is to lie, relative to the project's folder there."""

    sha256: str


@dataclass(frozen=True)
class SentInput:
    """One of [inputs] that the segment takes.

    Attributes:
        text: its path or glob there.
        digest: what keys contain of it; it depends on its path here.
        checksums: of its files, by their path in it; None if it is not sent, because no step that
            is left takes it, or there is nothing.
        folders: those in it, which may contain nothing.
    """

    name: str
    text: str
    digest: str
    is_absent: bool = False
    checksums: dict[str, str] | None = None
    files: tuple[Sent, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Errand:
    """One segment to run elsewhere; the values that it reads lie in `storage`."""

    package: str
    pipeline: str
    segment: str
    key: str
    ingredients: Ingredients
    identity: str
    """Of its measurements; see `Job`."""

    params: dict[str, str]
    upstream: dict[str, tuple[str, str]]
    """For each value of an earlier segment the segment and the key of its checkpoint."""

    anew: bool
    keep_all: bool
    executor: str
    memory: int
    """The bytes that the segment may hold."""

    count: Count
    storage: str
    """The URL of what travels."""

    time_limit: float
    """Seconds after which the process ends itself."""

    ends_with_parent: bool
    """Whether it ends when its standard input is closed."""

    changed: Any
    """The params and inputs that `--set` changed, in the form of `codecs.plain`."""

    inputs: tuple[SentInput, ...]

    profile: dict[str, Any]
    """What is known of the pipeline's memory; see `Profile.as_json`."""

    def text(self) -> str:
        """As it is written."""
        return json.dumps(asdict(self), indent=1)


def read_errand(folder: Path) -> Errand:
    """The errand in a folder. Raises ConfigurationError if it is not as it was written."""
    try:
        return TypeAdapter(Errand).validate_python(read_json(folder / ERRAND))
    except (OSError, ValidationError) as error:
        raise ConfigurationError(f"{folder / ERRAND} cannot be read: {error}") from None


@dataclass
class Outcome:
    """How a segment ended elsewhere: what lies in storage as its result."""

    key: str
    record: SegmentRecord
    root: str = ""
    """The folder that had the copy of the project."""

    profile: list[SegmentProfile] = field(default_factory=list)
    error: dict[str, Any] | None = None
    """The error that ended it, as `run --json` has it; None if its checkpoint is complete."""

    def text(self) -> str:
        """As it is written."""
        return json.dumps(asdict(self), indent=1)


def outcome_of(content: bytes) -> Outcome:
    """An outcome from its JSON. Raises ValueError if it is none."""
    try:
        return TypeAdapter(Outcome).validate_python(parse_json(content))
    except (Unreadable, ValidationError) as error:
        raise ValueError(str(error)) from None


@dataclass(frozen=True)
class Ended:
    """The segment has failed there; `error` and `root` as in an outcome."""

    error: dict[str, Any]
    root: str = ""


_EVENTS: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (Noticed, PartStarted, PartCut, PartEnded, SampledElsewhere, StepBegan, Ended)
}


def line_of(event: Any) -> str | None:
    """An event as a line of text; None for one that nobody needs elsewhere."""
    name = type(event).__name__
    if name not in _EVENTS:
        return None
    return f"{_EVENT}{json.dumps({'event': name, **asdict(event)})}"


def event_of(line: str) -> Any:
    """The event in a line, which an engine may have written a prefix to; None if it is none."""
    _, mark, text = line.partition(_EVENT)
    if not mark:
        return None
    try:
        content = json.loads(text)
        return TypeAdapter(_EVENTS[content.pop("event")]).validate_python(content)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
