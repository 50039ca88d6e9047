"""Outputs in a folder: a run replaces a target only if a run of this project published it.

A hidden file beside the target, its claim, says so. It does not lie with the checkpoints, because
these may be deleted at any time, and a published output is a result all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..base.errors import ConfigurationError
from ..base.files import checksum, obstacle_to, publish, replace_text, storage_errors
from ..base.settings import PIPELINE_FILE
from ..codecs import suffix_of
from .manifest import FileRecord
from .owner import Note, Owner, read_note
from .sweeping import sweep_temporaries

Content = Literal["published", "missing", "changed"]
"""What is at a target: the bytes of the checkpoint, nothing, or other bytes."""

Checksum = Callable[[Path], str]
"""xxh3_128 of a file; one that was hashed before need not be read again."""

_FILE = "."  # the only entry of a published file: the file itself


@dataclass(frozen=True)
class Target:
    """The path that `[outputs]` names for a value, and who publishes there."""

    value: str
    path: Path
    owner: Owner

    @property
    def suffix(self) -> str:
        """What says in which format the value is published."""
        return suffix_of(self.path.name)

    @property
    def text(self) -> str:
        """The path for people, and in records."""
        return str(self.path)

    @property
    def place(self) -> str:
        """What is out of reach with this target: itself alone."""
        return self.text

    @property
    def claim(self) -> Path:
        """The file that lists what was published at the target."""
        return self.path.with_name(f".{self.path.name}.published")

    def failures(self, doing: str) -> AbstractContextManager[None]:
        """What the system refuses while `doing` something here, as a StorageError."""
        return storage_errors(doing, self.path.parent)

    def content(self, record: FileRecord, hashed: Checksum) -> Content:
        """What is at the target, beside what a checkpoint has. Raises as `require_ours`."""
        self.require_ours()
        if not self.path.exists():
            return "missing"
        current = checksum if self.path.is_dir() else hashed
        is_file_or_folder = self.path.is_dir() or self.path.is_file()
        is_same = is_file_or_folder and current(self.path) == record.checksum
        return "published" if is_same else "changed"

    def publish(self, source: Path, record: FileRecord) -> None:
        """Put a file or folder there, at once, and claim it. Raises as `require_ours`."""
        publish(source, self.path, self.announce)
        self.settle()

    def sweep(self) -> None:
        """Remove the temporary files of a run that was killed while it published."""
        for path in (self.path, self.claim):
            sweep_temporaries(path.parent, path.name)

    def require_ours(self) -> Note | None:
        """Refuse a target that contains anything that no run of the project has published.

        Returns:
            The note in the claim, None if there is no claim.

        Raises:
            ConfigurationError: it contains something else, or another project publishes there.
            OSError: it cannot be read.
        """
        where = f"[outputs] `{self.value}`: {self.path}"
        if obstacle := obstacle_to(self.path.parent):
            raise ConfigurationError(
                f"{where} cannot be published, because {obstacle}. Move it away, or name another "
                f"path in {PIPELINE_FILE}."
            )
        present = entries_of(self.path)  # first, because a run claims entries before it makes them
        note = read_note(self.claim)
        instead = f"Name another path in {PIPELINE_FILE}."
        if note is not None:
            self.owner.require_named(note, self.claim, where, instead)
        if self.path.is_symlink():
            raise ConfigurationError(
                f"{where} is a link, which publishing would replace. Name the path that it leads "
                f"to in {PIPELINE_FILE}, or move the link away."
            )
        foreign = sorted(present.difference(note.entries if note else ()))
        if foreign == [_FILE] or (foreign and note is None):
            raise ConfigurationError(
                f"{where} exists, and no run of this project has published it, so it is not "
                f"replaced. Move it away, or name another path in {PIPELINE_FILE}."
            )
        if foreign:
            raise ConfigurationError(
                f"{where} is replaced as a whole, and no run has published `{foreign[0]}` in it. "
                f"Move that away. {instead}"
            )
        return note

    def announce(self, copy: Path) -> None:
        """Claim the entries of `copy`, durably, before it is published. Raises as `require_ours`.

        Until then the target contains what was published before, so the claim lists that as well.
        """
        former = self.require_ours()
        self._write_claim(entries_of(copy).union(former.entries if former else ()))

    def settle(self) -> None:
        """Claim what is published now, and nothing that was published before."""
        self._write_claim(entries_of(self.path))

    def _write_claim(self, entries: set[str]) -> None:
        note = self.owner.note(self.path.parent, self.value, tuple(sorted(entries)))
        if read_note(self.claim) != note:
            replace_text(self.claim, note.text())


def entries_of(path: Path) -> set[str]:
    """The paths of all that a folder contains, relative to it; for a file just `.`.

    Bytes of names that are not UTF-8, which JSON does not keep, are written as in `\\xff`.
    """
    if not os.path.lexists(path):
        return set()
    if path.is_symlink() or not path.is_dir():
        return {_FILE}
    return {
        os.fsencode(Path(top, name).relative_to(path).as_posix()).decode(
            "utf-8", "backslashreplace"
        )
        for top, folders, names in os.walk(path)
        for name in (*folders, *names)
    }
