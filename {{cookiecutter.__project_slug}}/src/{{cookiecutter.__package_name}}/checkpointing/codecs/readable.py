"""Which files of an input can be read in batches, by their suffix; this loads no library."""

from __future__ import annotations

from pathlib import Path

DELIMITERS = {".csv": ",", ".tsv": "\t", ".csv.gz": ",", ".tsv.gz": "\t"}
"""What divides the columns of a text file."""

READABLE = {
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "arrow"),
    **dict.fromkeys(DELIMITERS, "text"),
}
"""How files are read, by their suffix."""


def kind_of(path: Path) -> str | None:
    """How a file is read in batches: `parquet`, `arrow`, `text` or not at all."""
    return READABLE.get(suffix_of(path))


def suffix_of(path: Path) -> str:
    """The suffix of a file, in small letters: `.csv.gz` is one."""
    name = path.name.lower()
    return next((s for s in READABLE if s.count(".") > 1 and name.endswith(s)), path.suffix.lower())
