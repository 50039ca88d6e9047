"""A table that lies on disk as Parquet and that no process holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..base.files import total_bytes

PARQUET = "parquet"
PARQUETS = "parquets"
"""The format of a folder of Parquet files, which the library of a type has written itself."""


@dataclass(frozen=True)
class OnDisk:
    """The frozen form of a table that each reader reads from its files, as much as it needs.

    Attributes:
        path: a file of the format `parquet`, or a folder of the format `parquets`.
        form: the name of the format.
    """

    path: Path
    form: str

    @property
    def bytes(self) -> int:
        """Bytes on disk."""
        return total_bytes(self.path)
