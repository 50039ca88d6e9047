"""Which files a value gets, in which formats, and how large they are likely to be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..base.errors import StorageError
from ..base.files import total_bytes
from ..codecs import (
    PARQUET,
    PARQUETS,
    Codec,
    Format,
    OnDisk,
    columns_to_keep,
    describe,
    file_bytes,
    format_named,
    output_format,
    select,
    working_format,
)
from .manifest import FileRecord

_OF_ANY_SIZE = (PARQUET, PARQUETS)
"""The formats of files that are compressed, or that are written already."""


@dataclass(frozen=True)
class Files:
    """The files that a value gets: one for later steps, one as an output.

    A value of the family `path` is already files, which are kept as they are and have no format.
    `columns` are those of a table that later steps read; none: all.
    """

    is_kept: bool
    is_output: bool
    kept: Format | None
    output: Format | None
    columns: tuple[str, ...] = ()

    def narrow(self, frozen: Any) -> tuple[Any, tuple[str, ...]]:
        """What the file for later steps gets of a frozen value, and its columns, if not all."""
        return narrow(frozen, self.columns)


@dataclass(frozen=True)
class Kept:
    """The records of a value's files, for later steps and as an output: maybe the same file."""

    kept: FileRecord | None
    output: FileRecord | None

    @property
    def bytes(self) -> int:
        """Bytes on disk."""
        return sum({r.file: r.bytes for r in (self.kept, self.output) if r}.values())


def files_of(
    codec: Codec,
    preferred: str,
    *,
    kept: bool,
    output: bool,
    suffix: str = "",
    columns: tuple[str, ...] = (),
) -> Files:
    """The files that a value of this codec gets, when checkpoints have the preferred format.

    `suffix` is that of the path where an output is published. An output of a format that is not
    exact is kept as any value is, and converted when it is published. An output is whole, and so is
    a file that serves for both; of any other, later steps read `columns`.
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
    files = Files(kept, output, working if kept else None, published if output else None)
    is_own = kept and files.kept != files.output
    return replace(files, columns=columns) if is_own else files


def sure_bytes(frozen: Any, files: Files) -> int:
    """The bytes that a value takes on disk at least; compressed files may be of any size."""
    forms = {files.kept: files.narrow(frozen)[0]} | {files.output: frozen}
    return sum(
        likely_bytes(form)
        for format_, form in forms.items()
        if format_ and format_.name not in _OF_ANY_SIZE
    )


def likely_bytes(frozen: Any, columns: tuple[str, ...] = ()) -> int:
    """The approximate size of a value's file: its own part of the memory that it may only view.

    `columns` are those of a table that are read; none: all.
    """
    if isinstance(frozen, Path):
        return total_bytes(frozen)
    return file_bytes(narrow(frozen, columns)[0])


def narrow(frozen: Any, columns: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """A frozen value with the columns that are read alone, and these; none if it is whole.

    Nothing is copied.
    """
    kept = columns_to_keep(frozen, columns)
    return (select(frozen, kept) if kept else frozen), kept


def described(value: str, stored: OnDisk) -> dict[str, Any]:
    """The description of what a library has written. Raises StorageError if it cannot be read."""
    try:
        return describe(stored)
    except (StorageError, MemoryError):
        raise
    except Exception as error:  # readers raise any type
        if isinstance(error, OSError) and error.errno:
            raise
        raise StorageError(
            f"what was written of `{value}` to {stored.path} cannot be read back ({error}). Check "
            f"the disk, and run again."
        ) from error
