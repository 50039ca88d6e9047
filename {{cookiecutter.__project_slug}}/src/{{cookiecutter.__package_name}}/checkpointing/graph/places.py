"""What an entry of [inputs] names: a file, a folder, a glob or a URL, and the annotation it needs.

The same rules hold for pipeline.toml, for `--set` and for `PIPELINE.run(params={...})`.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..base.urls import checked_url, is_half_a_url
from ..base.urls import is_url as is_storage
from .signatures import without_none


def is_url(text: str) -> bool:
    """Whether an input is an address that is passed to the step as text."""
    return "://" in text


def is_glob(text: str, root: Path) -> bool:
    """Whether an input is a pattern: what exists under that very name is a file or a folder."""
    return glob.has_magic(text) and not os.path.lexists(root / text)


def problem_of_place(text: str, root: Path) -> str | None:
    """Why an input can name nothing that a step may read, if so.

    An empty text, `.` and `..` would hash the whole project, checkpoints included, in every run.
    """
    if not text.strip() or "\0" in text:
        return "names nothing; write a file, a folder, a glob or a URL"
    if is_url(text):
        return None
    place = os.path.realpath(root / text)
    if Path(os.path.realpath(root)).is_relative_to(place):
        return (
            f"is the whole project or a folder around it ({place}); name a file or a folder within"
        )
    return None


def place_of(text: str, root: Path) -> Path:
    """A path or a URL as a path, so that one can be seen to lie within another.

    A URL of shared storage becomes a relative path, which no path of the project is.
    """
    if not is_url(text):
        return root / text
    scheme, _, rest = text.partition("://")
    scheme = {"s3a": "s3", "abfs": "abfss"}.get(scheme.lower(), scheme.lower())
    if scheme == "file":
        return Path("/", unquote(rest.removeprefix("localhost")))
    return Path(f"{scheme}:", rest)


def problem_of_target(text: str) -> str | None:
    """Why nothing can be published at a URL, if so: a text that does not repeat the URL."""
    if is_half_a_url(text):
        return "write two slashes after the colon of a URL, as in s3://bucket/delays.parquet"
    if not is_storage(text):
        return None
    try:
        folder = checked_url(text).rpartition("/")[0]
    except ValueError as error:
        return str(error)
    try:
        checked_url(folder)
    except ValueError:
        return "name an object in a folder, as in s3://bucket/reports/delays.parquet"
    return None


def needed_annotation(text: str, root: Path, annotation: Any) -> str | None:
    """The annotation that a parameter needs for an input; None if it has such a one.

    With `| None` the parameter is None if there is no such file, or a glob matches nothing.
    """
    annotation, _ = without_none(annotation)
    if is_url(text):
        return None if annotation is str else "`str`, for it is a URL"
    if is_glob(text, root):
        return None if annotation == list[Path] else "`list[Path]`, for it is a glob"
    return None if annotation in (Path, list[Path]) else "`Path`"
