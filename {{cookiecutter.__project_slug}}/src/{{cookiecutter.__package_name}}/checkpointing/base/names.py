"""File names that only we make: a sweep knows by the name alone which files it may remove.

Such a name contains a seal: random digits, and check digits of these digits, of the rest of the
name and of the checkpoint that it was made for. So a file that a person puts beside ours is never
taken for one of ours, whatever its name looks like, and neither is a copy of ours under another
name or in another segment's folder. A name that a person makes up would have to match eight
hexadecimal check digits.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

import xxhash

LONGEST = 200
"""The most bytes, in UTF-8, of the name of a value, a segment, a pipeline or a published file. A
file's name may have 255: the rest is for seals, suffixes and temporary names."""

_SEAL = "(?P<seal>[0-9a-f]{16})"
_VALUE = re.compile(rf"(?P<value>[^.]+)\.{_SEAL}(?P<suffix>.*)", re.DOTALL)
_TEMPORARY = re.compile(rf"\.(?P<name>.+)\.{_SEAL}\.tmp", re.DOTALL)
_ASIDE = re.compile(rf"(?P<key>.+)\.damaged-{_SEAL}", re.DOTALL)
_RUN = re.compile(rf"(?P<moment>\d{{8}}T\d{{6}})-{_SEAL}")


def is_too_long(name: str) -> bool:
    """Whether the names that we make of a name could be too long for a file system."""
    return len(name.encode("utf-8", "surrogateescape")) > LONGEST


def new_number() -> str:
    """Random digits that no other name has."""
    return secrets.token_hex(4)


def value_name(checkpoint: Path, value: str, number: str, suffix: str = "") -> str:
    """The name, in a checkpoint's folder, of a value's file or of a folder for a step's files."""
    seal = _sealed(number, "value", *_checkpoint(checkpoint), value, suffix)
    return f"{value}.{seal}{suffix}"


def is_value_name(checkpoint: Path, name: str) -> bool:
    """Whether we gave this name to a value of that checkpoint, in its place or set aside."""
    match = _VALUE.fullmatch(name)
    return match is not None and _is_sealed(
        match, "value", *_checkpoint(checkpoint), match["value"], match["suffix"]
    )


def temporary_name(name: str) -> str:
    """A name beside `name`, for what will replace it or will be removed."""
    return f".{name}.{_sealed(new_number(), 'temporary', name)}.tmp"


def is_temporary_name(temporary: str, name: str | None = None) -> bool:
    """Whether we gave this temporary name; with `name`, whether it was for a file beside that."""
    match = _TEMPORARY.fullmatch(temporary)
    is_wanted = match is not None and name in (None, match["name"])
    return match is not None and is_wanted and _is_sealed(match, "temporary", match["name"])


def aside_name(segment: str, key: str) -> str:
    """A name, in a segment's folder, for a damaged checkpoint that is set aside."""
    return f"{key}.damaged-{_sealed(new_number(), 'aside', segment, key)}"


def is_aside_name(segment: str, name: str) -> bool:
    """Whether we gave this name to a checkpoint of that segment that was set aside."""
    match = _ASIDE.fullmatch(name)
    return match is not None and _is_sealed(match, "aside", segment, match["key"])


def run_name(moment: datetime, number: str) -> str:
    """The name of a run's folder, for a moment in UTC; names are sorted by it."""
    text = f"{moment:%Y%m%dT%H%M%S}"
    return f"{text}-{_sealed(number, 'run', text)}"


def is_run_name(name: str) -> bool:
    """Whether we gave this name to the folder of a run."""
    match = _RUN.fullmatch(name)
    return match is not None and _is_sealed(match, "run", match["moment"])


def moment_of(run: str) -> datetime:
    """The moment in the name of a run's folder."""
    return datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def checkpoint_key(folder: Path) -> str:
    """The key of the checkpoint in a folder, in its place or set aside."""
    is_aside = is_aside_name(folder.parent.name, folder.name)
    return folder.name.rpartition(".damaged-")[0] if is_aside else folder.name


def _checkpoint(folder: Path) -> tuple[str, str]:
    return folder.parent.name, checkpoint_key(folder)


def _sealed(number: str, *context: str) -> str:
    text = "\0".join((*context, number)).encode("utf-8", "surrogatepass")
    return number + xxhash.xxh3_64_hexdigest(text)[:8]


def _is_sealed(match: re.Match[str], *context: str) -> bool:
    return _sealed(match["seal"][:8], *context) == match["seal"]
