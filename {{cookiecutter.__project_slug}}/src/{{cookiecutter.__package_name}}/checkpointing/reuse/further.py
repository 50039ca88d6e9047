"""Code that only a run showed to count: first-party modules that no analysis of imports can see.

A worker notes them in the manifest, as compilers note the files that they included for make and
ninja. The checkpoint is reused only while their code is the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..base.errors import ConfigurationError
from .first_party import digest_of


def place_of(file: Path, root: Path) -> str:
    """A file as a manifest names it: the same in each clone, with what lies beside it."""
    try:
        return Path(os.path.relpath(file, root)).as_posix()
    except ValueError:  # on another drive of Windows
        return file.as_posix()


def changed_code(further: Mapping[str, tuple[str, str]], root: Path) -> list[str]:
    """The modules whose code is no longer the one that ran."""
    return sorted(
        name for name, (place, digest) in further.items() if _digest(name, root / place) != digest
    )


def present_code(further: Mapping[str, tuple[str, str]], root: Path) -> dict[str, tuple[str, str]]:
    """The same modules with the digests of now; without those that are gone."""
    digests = {name: (place, _digest(name, root / place)) for name, (place, _) in further.items()}
    return {name: (place, digest) for name, (place, digest) in digests.items() if digest}


def _digest(name: str, file: Path) -> str | None:
    try:
        return digest_of(name, file)
    except (OSError, ConfigurationError):  # it is gone, or broken
        return None
