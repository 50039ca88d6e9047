"""Published outputs: a run replaces a target only if a run of this project published it.

A hidden file beside the target, its claim, says so. It does not lie with the checkpoints, because
these may be deleted at any time, and a published output is a result all the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import ConfigurationError
from ..base.files import obstacle_to, replace_text
from ..base.settings import PIPELINE_FILE, Settings
from ..codecs import suffix_of
from .owner import Note, Owner, read_note

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
    def claim(self) -> Path:
        """The file that lists what was published at the target."""
        return self.path.with_name(f".{self.path.name}.published")

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


def targets(settings: Settings) -> dict[str, Target]:
    """The target of each published value, by the value's name.

    `[outputs]` belongs to the project, so a pipeline that is renamed or cut in two publishes to the
    targets of the former one.
    """
    owner = Owner(settings.root, None)
    return {
        value: Target(value, settings.root / text, owner)
        for value, text in settings.wiring.outputs.items()
    }


def suffixes(settings: Settings) -> dict[str, str]:
    """The suffix of each path where a value is published, by the value's name."""
    return {value: target.suffix for value, target in targets(settings).items()}


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
