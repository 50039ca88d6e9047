"""Who owns something on disk: a note beside it names the project and the pipeline that made it.

`place.py` keeps one in each folder of ours, `claims.py` one beside each published output.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.errors import ConfigurationError
from ..base.reading import read_json
from ..base.refusals import Unreadable
from ..base.settings import PIPELINE_FILE, find_root

_FORMAT = 1  # of a note; another one is from another version of this runtime


@dataclass(frozen=True)
class Note:
    """The content of a note; `project` is relative if the note's folder lies within the project.

    So a project that is moved or copied as a whole takes its checkpoints along.
    """

    holds: str
    """What belongs to the owner: checkpoints, runs, or the value that is published."""

    project: str
    """The path of the project's folder."""

    pipeline: str | None = None
    """None stands for all pipelines of the project."""

    entries: tuple[str, ...] = ()
    """The paths of all that a published folder contains, or `.` for a published file."""

    def text(self) -> str:
        """The note as it is written: the same for the same facts, so that git may track it."""
        content: dict[str, Any] = {"format": _FORMAT, "holds": self.holds, "project": self.project}
        content |= {"pipeline": self.pipeline} if self.pipeline is not None else {}
        content |= {"entries": self.entries} if self.entries else {}
        return json.dumps(content, indent=1) + "\n"


@dataclass(frozen=True)
class Owner:
    """A project, by its folder, and one of its pipelines, or None for all of them."""

    root: Path
    pipeline: str | None

    def note(self, folder: Path, holds: str, entries: tuple[str, ...] = ()) -> Note:
        """The note that says, in that folder, that something belongs to this owner."""
        root, place = self.root.resolve(), folder.resolve()
        is_within = place.is_relative_to(root)
        project = Path(os.path.relpath(root, place)).as_posix() if is_within else str(root)
        return Note(holds=holds, project=project, pipeline=self.pipeline, entries=entries)

    def require_named(self, note: Note, at: Path, subject: str, instead: str) -> None:
        """Refuse what belongs to somebody else, according to its note.

        Args:
            at: the file that the note was read from.
            subject: what the note is about, as the subject of the message.
            instead: what to do, as a sentence.

        Raises ConfigurationError.
        """
        project = _project_of(note, at.parent)
        if not _is_same(project, self.root):
            mine = json.dumps(self.note(at.parent, note.holds).project)
            raise ConfigurationError(
                f"{subject} belongs to the project in {project}, this one is in {self.root}. "
                f"{instead} If that project is this one and was moved, write "
                f'"project": {mine} into {at}.'
            )
        if note.pipeline != self.pipeline:
            raise ConfigurationError(
                f"{subject} belongs to the pipeline `{note.pipeline}`, this one is "
                f"`{self.pipeline}`. {instead}"
            )


def read_note(path: Path) -> Note | None:
    """The note in a file, None when there is none.

    Raises:
        ConfigurationError: it is damaged, or from another version of this runtime.
        OSError: it cannot be read.
    """
    try:
        return _note(read_json(path))
    except FileNotFoundError:
        return None
    except Unreadable as error:
        raise ConfigurationError(
            f"{path} is damaged, so nothing tells whose this is: {error}. Restore the file, or "
            f"move it away with all that it is about."
        ) from None


def _note(content: Any) -> Note:
    """A note from its JSON, whose texts may be paths that are no UTF-8. Raises Unreadable."""
    if not isinstance(content, dict):
        raise Unreadable("it is no JSON object")
    if content.get("format") != _FORMAT:
        raise Unreadable(f"`format` is not {_FORMAT}")
    holds, project = content.get("holds", 0), content.get("project", 0)
    pipeline, entries = content.get("pipeline"), content.get("entries", [])
    for name, text in (("holds", holds), ("project", project), ("pipeline", pipeline or "")):
        if not isinstance(text, str) or "\0" in text:
            raise Unreadable(f"`{name}` is no name")
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise Unreadable("`entries` is no list of paths")
    return Note(holds, project, pipeline, tuple(entries))


def _project_of(note: Note, folder: Path) -> Path:
    """The project that a note in a folder names.

    If its path leads to no project, the folder was moved within one, which is then the owner.
    """
    place = folder.resolve()
    named = Path(os.path.normpath(place / note.project))
    if Path(note.project).is_absolute() or (named / PIPELINE_FILE).is_file():
        return named
    return find_root(place) or named


def _is_same(left: Path, right: Path) -> bool:
    """Whether two paths lead to the same folder."""
    try:
        return left.resolve() == right.resolve() or os.path.samefile(left, right)
    except (OSError, RuntimeError):  # the latter for links in a circle
        return False
