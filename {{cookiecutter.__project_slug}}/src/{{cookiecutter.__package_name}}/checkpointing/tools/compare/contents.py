"""Whether two files hold the same, where their bytes also say when they were made.

A workbook and any other zip archive note the time of each entry, and a workbook its own making too;
a gzip file notes a time and a name. Everything else is compared byte by byte.
"""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, Protocol

_CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_PROPERTIES = "docProps/core.xml"  # of a workbook, and of other documents of Office
_MADE = re.compile(rb"<dcterms:(created|modified)[^>]*>[^<]*</dcterms:\1>")
_UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, zlib.error, zipfile.BadZipFile)


class Readable(Protocol):
    """A file, an entry of an archive, or what was compressed."""

    def read(self, size: int, /) -> bytes: ...


def hold_the_same(left: Path, right: Path) -> bool:
    """Whether two files or folders of one name hold the same, times of their making left out."""
    if left.is_dir() or right.is_dir():
        return _are_same_folders(left, right)
    if left.name != right.name:
        return False
    try:
        with open(left, "rb") as this, open(right, "rb") as other:
            return _hold_the_same(this, other)
    except _UNREADABLE:
        return False


def _are_same_folders(left: Path, right: Path) -> bool:
    listed, others = (
        {path.relative_to(top).as_posix(): path for path in top.rglob("*")} for top in (left, right)
    )
    return listed.keys() == others.keys() and all(
        (path.is_dir() and others[name].is_dir()) or hold_the_same(path, others[name])
        for name, path in listed.items()
    )


def _hold_the_same(left: IO[bytes], right: IO[bytes]) -> bool:
    starts = left.read(2), right.read(2)
    for file in (left, right):
        file.seek(0)
    if starts == (_GZIP, _GZIP):
        with gzip.open(left) as this, gzip.open(right) as other:
            return _have_same_bytes(this, other)
    if all(map(zipfile.is_zipfile, (left, right))):
        with zipfile.ZipFile(left) as first, zipfile.ZipFile(right) as second:
            return _have_same_entries(first, second)
    for file in (left, right):
        file.seek(0)
    return _have_same_bytes(left, right)


def _have_same_entries(left: zipfile.ZipFile, right: zipfile.ZipFile) -> bool:
    if left.namelist() != right.namelist():
        return False
    for name in dict.fromkeys(left.namelist()):
        if name == _PROPERTIES:
            if _MADE.sub(b"", left.read(name)) != _MADE.sub(b"", right.read(name)):
                return False
            continue
        with left.open(name) as this, right.open(name) as other:
            if not _have_same_bytes(this, other):
                return False
    return True


def _have_same_bytes(left: Readable, right: Readable) -> bool:
    while chunk := left.read(_CHUNK_BYTES):
        if chunk != right.read(len(chunk)):
            return False
    return not right.read(1)
