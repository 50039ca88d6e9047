"""Which files a value gets, in which formats, and how large they are likely to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.files import total_bytes
from ..codecs import (
    PARQUET,
    PARQUETS,
    Codec,
    Format,
    file_bytes,
    format_named,
    output_format,
    working_format,
)

_OF_ANY_SIZE = (PARQUET, PARQUETS)
"""The formats of files that are compressed, or that are written already."""


@dataclass(frozen=True)
class Files:
    """The files that a value gets: one for later steps, one as an output.

    A value of the family `path` is already files, which are kept as they are and have no format.
    """

    is_kept: bool
    is_output: bool
    kept: Format | None
    output: Format | None


def files_of(codec: Codec, preferred: str, *, kept: bool, output: bool, suffix: str = "") -> Files:
    """The files that a value of this codec gets, when checkpoints have the preferred format.

    `suffix` is that of the path where an output is published. An output of a format that is not
    exact is kept as any value is, and converted when it is published.
    """
    if codec.family == "path":
        return Files(kept, output, None, None)
    working, published = (
        working_format(codec.family, preferred),
        output_format(codec.family, suffix),
    )
    if codec.store is not None:
        working = published = format_named(PARQUETS)
    if published is None or not published.is_exact:
        published = working
    return Files(kept, output, working if kept else None, published if output else None)


def sure_bytes(frozen: Any, files: Files) -> int:
    """The bytes that a value takes on disk at least; compressed files may be of any size."""
    formats = {files.kept, files.output} - {None}
    return sum(likely_bytes(frozen) for form in formats if form and form.name not in _OF_ANY_SIZE)


def likely_bytes(frozen: Any) -> int:
    """The approximate size of a value's file: its own part of the memory that it may only view."""
    if isinstance(frozen, Path):
        return total_bytes(frozen)
    return file_bytes(frozen)
