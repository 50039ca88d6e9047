"""The ledger of what was made elsewhere: one file for each place, written before it is made.

An entry is durable before the first request goes out, and it stays until the place is known to be
gone and what travelled for it is removed. So whatever happens to the process that made the place,
somebody who reads the ledger knows its name, how to destroy it, and when it ends itself.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from ..base.elsewhere import FOLDER, ExecutorTable
from ..base.files import create_text, make_folder, replace_text, storage_errors, sync_folder
from ..base.reading import read_bytes, read_json
from ..base.refusals import refusal_of
from ..disk.shared.holder import Holder

PREFIX = "cp"
"""With this and a hash of the project begins the name of each place of ours."""

State = Literal["made", "waits", "done"]
"""Maybe alive; gone, and what it has made waits in storage for the next run of its segment; gone,
and what has travelled is to be removed."""

_IDENTITY = "identity"
_IGNORED = ".gitignore"
_MOST_BYTES = 1000  # of the identity
_DEAD_AFTER = timedelta(minutes=10)  # after its own end, of a place whose maker nobody can ask


@dataclass(frozen=True)
class Entry:
    """One place that was made, or was about to be."""

    place: str
    """Its name, which is also that of the infrastructure."""

    executor: str
    """The name of its table in [executors]."""

    table: dict[str, Any]
    """That table as it was then; it has no secrets in it."""

    pipeline: str
    segment: str
    key: str
    """Of the checkpoint that is made there."""

    storage: str
    """The URL of what travels for it."""

    holder: Holder
    """The process that made it, and that destroys it as long as it lives."""

    made_at: str
    """The moment in UTC when this entry was written."""

    ends_at: str
    """The moment in UTC when the infrastructure ends itself."""

    state: State = "made"

    @property
    def settings(self) -> ExecutorTable:
        """Its table. Raises ValidationError if this runtime knows no such settings."""
        return ExecutorTable.model_validate(self.table)

    def is_abandoned(self) -> bool:
        """Whether nobody takes care of it any more.

        Of a process on another machine, or before a reboot, nothing can be known: it counts as dead
        a while after the infrastructure has ended itself.
        """
        if self.holder.is_of_here:
            return self.holder.is_dead()
        return datetime.now(UTC) > self.abandoned_at

    @property
    def abandoned_at(self) -> datetime:
        """The moment from which a process counts as dead that cannot be asked."""
        return datetime.fromisoformat(self.ends_at) + _DEAD_AFTER


_ENTRY = TypeAdapter(Entry)


def prefix_of(root: Path) -> str | None:
    """How the names of all places of a project begin that this machine makes; None before the first
    of them.

    Two clones never have the same, though both lie at one path on hosts of one name, as containers
    do: a number is in it that lies beside the ledger. Host and path are in it for a folder that was
    copied with its ledger. Raises StorageError.
    """
    file = root / FOLDER / _IDENTITY
    with storage_errors("Reading the ledger of executors", file.parent):
        try:
            identity = read_bytes(file, _MOST_BYTES).hex()
        except FileNotFoundError:
            return None
    text = f"{socket.gethostname()}\0{root.resolve()}\0{identity}"
    return f"{PREFIX}-{hashlib.sha256(text.encode()).hexdigest()[:6]}-"


def new_place(root: Path) -> str:
    """A name that no other place has: letters, digits and dashes, as every cloud takes it.

    Raises StorageError if what makes it unique cannot be kept beside the ledger.
    """
    folder = root / FOLDER
    with storage_errors("Writing the ledger of executors", folder):
        make_folder(folder)
        create_text(folder / _IGNORED, "*\n")  # inputs and values may pass through here
        create_text(folder / _IDENTITY, f"{secrets.token_hex(8)}\n")
    return f"{prefix_of(root)}{secrets.token_hex(4)}"


def staged_folder(folder: Path, place: str) -> Path:
    """The folder, beside the ledger, of what is being sent to a place."""
    return folder / f"{place}.staged"


def write_entry(folder: Path, entry: Entry) -> None:
    """Have an entry on disk, durably. Raises StorageError."""
    with storage_errors("Writing the ledger of executors", folder):
        make_folder(folder)
        replace_text(folder / f"{entry.place}.json", json.dumps(asdict(entry), indent=1))


def remove_entry(folder: Path, place: str) -> None:
    """Forget a place that is gone, and of which nothing is left. Raises StorageError."""
    with storage_errors("Writing the ledger of executors", folder):
        (folder / f"{place}.json").unlink(missing_ok=True)
        sync_folder(folder)


def read_entries(folder: Path) -> list[Entry]:
    """All entries that can be read, the oldest first; see `damaged_entries`."""
    entries = (_entry_in(path) for path in _files(folder))
    sound = (entry for entry in entries if isinstance(entry, Entry))
    return sorted(sound, key=lambda entry: entry.made_at)


def known_places(folder: Path) -> set[str]:
    """The names of all places that have an entry, also one that cannot be read."""
    return {path.stem for path in _files(folder)}


def damaged_entries(folder: Path) -> list[str]:
    """A sentence for each entry that cannot be read: what it stands for may still live."""
    entries = {path: _entry_in(path) for path in _files(folder)}
    return [
        f"{path} cannot be read ({entry}), so nothing tells what it stands for. See whether "
        f"infrastructure named `{path.stem}` lives, end it, and remove the file."
        for path, entry in entries.items()
        if isinstance(entry, str)
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX}-*.json"))


def _entry_in(path: Path) -> Entry | str | None:
    """The entry in a file, or why there is none that can be read; None if its run has ended."""
    try:
        return _ENTRY.validate_python(read_json(path))
    except FileNotFoundError:
        return None
    except ValidationError:
        return "it is no entry of this version"
    except OSError as error:
        return refusal_of(error)
