"""A folder for our files alone: a marker file says so, made when the folder was absent or empty.

A run writes and removes files only in a place that was claimed before. A folder in which people
keep files of their own can never become one.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import ConfigurationError, StorageError
from ..base.files import create_text, make_folder, obstacle_to, storage_errors
from ..base.names import is_temporary_name
from ..base.settings import MEMORY_BUDGET_FILE, Settings
from .owner import Owner, read_note

MARK = "owner.json"
_LOCK = re.compile(r"run\.lock|worker\.(\w+\.)?lock")
_MOST_LISTED = 3  # names of files that are in the way


@dataclass(frozen=True)
class Place:
    """A folder that is to be ours, for what it `holds`; `instead` says how to choose another."""

    folder: Path
    holds: str
    owner: Owner
    instead: str

    def is_ours(self) -> bool:
        """Whether it contains our mark; False when there is nothing yet.

        Nothing is written. Raises ConfigurationError when it belongs, or may belong, to somebody
        else.
        """
        with storage_errors(f"Looking whose the folder of {self.holds} is", self.folder):
            self._require_no_obstacle()
            others = self._others()  # before the mark is read: a first run may make it now
            note = read_note(self.folder / MARK)
        if note is None and others:
            raise ConfigurationError(
                f"{self.folder} is to be the folder of {self.holds}, but {_listed(others)} "
                f"in it, and no {MARK}: no run made it, so nothing in it is touched. "
                f"{self.instead} Or move it away, or what is in it."
            )
        if note is None:
            return False
        if note.holds != self.holds:
            raise ConfigurationError(
                f"{self.folder} is the folder of {note.holds}, not of {self.holds}. {self.instead}"
            )
        self.owner.require_named(note, self.folder / MARK, str(self.folder), self.instead)
        return True

    def claim(self) -> None:
        """Make it ours, if it is not yet. Raises as `is_ours`, and StorageError.

        The mark is written at once and by one process only, so two first runs at the same time, of
        one project or of two, agree on the owner; one that is killed leaves the folder empty.
        """
        if self.is_ours():
            return
        try:
            with storage_errors(f"Making the folder of {self.holds}", self.folder):
                make_folder(self.folder)
                create_text(self.folder / MARK, self.owner.note(self.folder, self.holds).text())
        except StorageError as error:  # the project may be read-only as a whole
            raise StorageError(f"{error.message} {self.instead}") from error
        self.is_ours()

    def give_up(self) -> None:
        """Remove the mark and the folder, if nothing else is in it."""
        if self.is_ours() and {path.name for path in self.folder.iterdir()} == {MARK}:
            with contextlib.suppress(OSError):
                (self.folder / MARK).unlink()
                self.folder.rmdir()

    def _require_no_obstacle(self) -> None:
        """Refuse a path on which something is not a folder."""
        if obstacle := obstacle_to(self.folder):
            raise ConfigurationError(
                f"{self.folder} is to be the folder of {self.holds}, but {obstacle}. "
                f"{self.instead} Or move it away."
            )

    def _others(self) -> list[str]:
        """The names of all but the mark and what a first run may have left without one."""
        if not self.folder.exists():
            return []
        return sorted(p.name for p in self.folder.iterdir() if not _is_harmless(p))


def checkpoints_place(settings: Settings, pipeline: str) -> Place:
    """The place, on this machine, of a pipeline's checkpoints."""
    setting = "path" if settings.checkpoints_url is None else "cache"
    return Place(
        settings.checkpoints / pipeline,
        "checkpoints",
        Owner(settings.root, pipeline),
        f"Name another [checkpoints] {setting} in {MEMORY_BUDGET_FILE}.",
    )


def runs_place(settings: Settings) -> Place:
    """The place of the records of a project's runs."""
    return Place(
        settings.runs,
        "runs",
        Owner(settings.root, None),
        f"Name another [runs] path in {MEMORY_BUDGET_FILE}.",
    )


def claim_places(settings: Settings, pipeline: str) -> None:
    """Claim both places for a run. Raises as `Place.claim`; a refusal comes before any write."""
    # In this order checkpoints may lie within `runs`, which is empty when it is claimed.
    places = runs_place(settings), checkpoints_place(settings, pipeline)
    for place in places:
        place.is_ours()
    for place in places:
        place.claim()


def _is_harmless(path: Path) -> bool:
    """Whether a file may lie in a folder that is not claimed yet: a lock, or a mark."""
    if path.is_symlink():
        return False
    is_lock = _LOCK.fullmatch(path.name) and path.is_file() and path.stat().st_size == 0
    return is_lock or path.name == MARK or is_temporary_name(path.name, MARK)


def _listed(names: list[str]) -> str:
    """Some names as the subject of a sentence: "`a`, `b` and 7 more are"."""
    listed = ", ".join(f"`{name}`" for name in names[:_MOST_LISTED])
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"{listed}{more} {'is' if len(names) == 1 else 'are'}"
