"""Paths of files and folders that a step made. The store moves these into the checkpoint itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..base.errors import InexactValue


def freeze(value: Any) -> Path:
    """The path itself; raises InexactValue if it is not a path or does not exist."""
    if not isinstance(value, Path):
        raise InexactValue(
            f"the step promised a Path and returned {type(value).__name__}; "
            "return the path of the file or folder that it made"
        )
    if not value.exists():
        raise InexactValue(
            f"the step returned the path {value}, where there is nothing; "
            "write the file before returning its path"
        )
    return value


def thaw(frozen: Path) -> Path:
    """The path unchanged: all steps share its files, and may only read them."""
    return frozen
