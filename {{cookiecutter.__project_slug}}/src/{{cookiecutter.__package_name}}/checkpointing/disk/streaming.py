"""The file of a table that comes in batches: a full disk shows while it grows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..base.files import HashingFile, storage_errors
from ..codecs import Codec
from .value_files import narrow


class StreamFile(HashingFile):
    """A new file whose errors name the value, and whose bytes count as soon as they are written.

    So an error of the disk is told from one of the step that makes the batches.

    Args:
        spend: counts bytes on disk; raises StorageError if they are too many.
    """

    def __init__(
        self,
        path: Path,
        value: str,
        spend: Callable[[int], None],
        between: Callable[[], None] | None = None,
    ) -> None:
        self._doing, self._spend = f"Writing `{value}`", spend
        with storage_errors(self._doing, path.parent):
            super().__init__(path, between)

    def write(self, data: bytes | memoryview) -> int:
        with storage_errors(self._doing, self.path.parent):
            count = super().write(data)
        self._spend(count)
        return count

    def finish(self) -> str:
        with storage_errors(self._doing, self.path.parent):
            return super().finish()


class Narrowing:
    """Freezes the batches of a table, of which some columns are read; none: all.

    Attributes:
        kept: the columns of the last batch that is frozen, if not all.
    """

    def __init__(self, codec: Codec, columns: tuple[str, ...]) -> None:
        self._codec, self._columns = codec, columns
        self.kept: tuple[str, ...] = ()

    def freeze(self, batch: Any) -> Any:
        frozen, self.kept = narrow(self._codec.freeze(batch), self._columns)
        return frozen
