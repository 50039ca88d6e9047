"""What may be replaced by publishing: only what a run of the same project has published there.

A hidden file beside the target tells so. It lies there, and not with the checkpoints, because these
may be deleted at any time, and what they were published to is a result all the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import ConfigurationError
from ..base.files import replace_text
from ..base.settings import PIPELINE_FILE, Settings
from .owner import Note, Owner, read_note

_FILE = "."  # what is in a published file: itself


@dataclass(frozen=True)
class Target:
    """The path that `[outputs]` names for a value, and who publishes there."""

    value: str
    path: Path
    owner: Owner

    @property
    def claim(self) -> Path:
        """The file that tells what was published at the target."""
        return self.path.with_name(f".{self.path.name}.published")

    def require_ours(self) -> Note | None:
        """Refuse a target that holds anything that no run of the project has published.

        Returns:
            What was published there, None if nothing.

        Raises:
            ConfigurationError: it holds something else, or another project publishes there.
            OSError: it cannot be looked at.
        """
        present = entries_of(self.path)  # first, for a run at work makes the claim before the rest
        note = read_note(self.claim)
        where = f"[outputs] `{self.value}`: {self.path}"
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
        """Tell, durably, that what is in `copy` is about to be published. Raises as above.

        Until it is, the target holds what was published before, so that stays told as well.
        """
        former = self.require_ours()
        self._write_claim(entries_of(copy).union(former.entries if former else ()))

    def settle(self) -> None:
        """Tell what is published now, and nothing that was before."""
        self._write_claim(entries_of(self.path))

    def _write_claim(self, entries: set[str]) -> None:
        note = self.owner.note(self.path.parent, self.value)
        note = note.model_copy(update={"entries": tuple(sorted(entries))})
        if read_note(self.claim) != note:
            replace_text(self.claim, note.text())


def targets(settings: Settings) -> dict[str, Target]:
    """Where each published value goes, by its name.

    `[outputs]` is of the project, so a pipeline that is renamed or cut in two publishes where the
    former one did.
    """
    owner = Owner(settings.root, None)
    return {
        value: Target(value, settings.root / text, owner)
        for value, text in settings.wiring.outputs.items()
    }


def entries_of(path: Path) -> set[str]:
    """The path of everything in a folder, relative to it; of a file just that it is one."""
    if not os.path.lexists(path):
        return set()
    if path.is_symlink() or not path.is_dir():
        return {_FILE}
    return {
        Path(top, name).relative_to(path).as_posix()
        for top, folders, names in os.walk(path)
        for name in (*folders, *names)
    }
