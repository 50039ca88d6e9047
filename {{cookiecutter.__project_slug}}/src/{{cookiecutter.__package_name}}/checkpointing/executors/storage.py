"""Where checkpoints travel: a folder of its own for each place, at a URL that both sides reach."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from ..base.elsewhere import ExecutorTable
from ..base.reading import parse_json
from ..base.refusals import Unreadable
from ..base.urls import folder_of
from ..disk.manifest import PARTIAL
from ..disk.shared.contents import object_name
from ..disk.shared.objects import Objects, open_objects

RESULT = "result.json"
"""The object that says how a segment ended elsewhere; it is written last."""

CHECKPOINTS = "checkpoints"
"""The folder of what is read and made there, with the layout of shared checkpoints."""

INPUTS = "inputs"
"""The folder of the input files that the segment reads."""


def storage_of(table: ExecutorTable, place: str, folder: Path) -> str:
    """The URL of what travels for a place: in the ledger's folder if the table names no storage."""
    if table.storage is None:
        return (folder.resolve() / f"{place}.storage").as_uri()
    return f"{table.storage}/{place}"


def open_storage(url: str) -> Objects:
    """What lies at such a URL. Raises StorageError if a package is missing that reads it.

    One writer at a time is at work there, so nothing depends on conditions.
    """
    if url.startswith("file://") and find_spec("obstore") is None:
        from ..disk.shared.by_arrow import open_url

        return open_url(url)
    return open_objects(url, False)


def has_made_something(storage: str, pipeline: str, segment: str, key: str) -> bool:
    """Whether a segment has made a checkpoint there, or finished parts. Raises StorageError."""
    try:
        content, _ = open_storage(storage).read(RESULT)
        outcome = parse_json(content)
    except (FileNotFoundError, Unreadable):
        outcome = None
    if isinstance(outcome, dict) and outcome.get("error", "") is None:
        return True
    made = open_storage(f"{storage}/{CHECKPOINTS}").list(object_name(pipeline, segment, key))
    return any(stored.name.endswith(f"/{PARTIAL}") for stored in made)


def remove_all(storage: str) -> None:
    """Remove everything that travelled for a place. Raises StorageError."""
    folder = folder_of(storage)
    if folder is not None and not folder.exists():
        return
    objects = open_storage(storage)
    objects.remove([stored.name for stored in objects.list()])
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)  # the folders, which are no objects
