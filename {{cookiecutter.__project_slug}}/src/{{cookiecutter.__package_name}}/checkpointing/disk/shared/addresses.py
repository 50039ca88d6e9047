"""Where a manifest lies: the same path in the local cache and at the URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..manifest import MANIFEST, Manifest


@dataclass(frozen=True, order=True)
class Address:
    """A manifest by its path in the folder of a pipeline."""

    segment: str
    key: str
    name: str

    @property
    def folder(self) -> Path:
        """The folder of the checkpoint, relative to that of the pipeline."""
        return Path(self.segment, self.key)

    @property
    def complete(self) -> Address:
        """The manifest of the whole checkpoint in the same folder."""
        return Address(self.segment, self.key, MANIFEST)

    @property
    def parts(self) -> tuple[str, str, str]:
        """All three."""
        return self.segment, self.key, self.name

    @property
    def path(self) -> str:
        """All of it, with slashes."""
        return f"{self.segment}/{self.key}/{self.name}"


def address_of(path: str) -> Address | None:
    """The address with that path; None if it is none."""
    parts = path.split("/")
    return Address(*parts) if len(parts) == 3 else None


def address_for(manifest: Manifest, name: str) -> Address:
    """Where a manifest lies that has that file name."""
    return Address(manifest.segment, manifest.key, name)
