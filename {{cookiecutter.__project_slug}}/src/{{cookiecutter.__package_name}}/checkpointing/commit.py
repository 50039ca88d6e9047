"""Committing a part: its live values on disk, each durable, then the manifest that counts.

Files get names that no earlier commit used, so nothing that a reader may have mapped is ever
rewritten. Until the manifest is replaced, the former checkpoint of the same key stays what it was.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from .budget import size
from .codecs import Codec, Format, describe, frozen_bytes
from .errors import StorageError
from .files import (
    HashingFile,
    checksum,
    new_token,
    remove,
    stamp,
    storage_errors,
    sync_folder,
    sync_tree,
    total_bytes,
)
from .manifest import FileRecord, Manifest


class Commit:
    """One checkpoint in the making.

    Args:
        folder: the checkpoint's folder, made when missing.
        allowance: the most bytes that checkpoints may still take (`max_disk`).
    """

    def __init__(self, folder: Path, allowance: int) -> None:
        self.folder = folder
        self._allowance = allowance
        self._token = new_token()
        self._spent = 0
        self._written: list[Path] = []
        with storage_errors("Making a checkpoint's folder", folder):
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)

    def require_room(self, needed: int) -> None:
        """Refuse before anything is written what cannot fit. `needed` in bytes."""
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise StorageError(
                f"the checkpoint needs {size(needed)}, {self.folder} has {size(free)} free. Free "
                f'some room, run `clean --old`, or set format = "parquet" in memory_budget.toml.'
            )
        self._require_allowance(needed)

    def write(self, value: str, frozen: Any, codec: Codec, form: Format) -> FileRecord:
        """Write one value and make it durable. Raises StorageError."""
        path = self.folder / f"{value}.{self._token}{form.suffix}"
        with storage_errors(f"Writing `{value}`", self.folder):
            self._written.append(path)
            file = HashingFile(path)
            try:
                form.write(frozen, file)  # type: ignore[arg-type]  # a BinaryIO as far as writers go
                digest = file.finish()
            finally:
                file.close()
            self._spend(file.bytes)
            return self._record(path, codec, form.name, file.bytes, digest, describe(frozen))

    def workdir(self, value: str) -> Path:
        """A fresh folder for a step that makes files, within the checkpoint's own folder."""
        path = self.workdir_path(value)
        with storage_errors(f"Making a folder for `{value}`", self.folder):
            self._written.append(path)
            path.mkdir()
        return path

    def workdir_path(self, value: str) -> Path:
        """Where the folder of a step lies, if it asked for one."""
        return self.folder / f"{value}.{self._token}"

    def take(self, value: str, path: Path, codec: Codec) -> FileRecord:
        """Keep a file or folder that a step made in its workdir. Raises StorageError."""
        with storage_errors(f"Keeping the files of `{value}`", self.folder):
            sync_tree(path)
            sync_folder(path.parent)
            self._spend(total_bytes(path))
            return self._record(path, codec, "path", total_bytes(path), checksum(path), {})

    def finish(self, manifest: Manifest) -> None:
        """The moment from which the checkpoint exists, in the place of a former one of its key.

        Raises StorageError.
        """
        with storage_errors("Writing the manifest", self.folder):
            sync_folder(self.folder)
            manifest.write(self.folder)
        for entry in self.folder.iterdir():
            if entry.name not in manifest.entries:
                remove(entry)

    def abandon(self) -> None:
        """Take back everything that was written."""
        for path in self._written:
            remove(path)

    def _spend(self, count: int) -> None:
        """Count bytes that are on disk now against what max_disk leaves."""
        self._spent += count
        self._require_allowance(self._spent)

    def _require_allowance(self, needed: int) -> None:
        if needed > self._allowance:
            raise StorageError(
                f"the checkpoint needs {size(needed)}, max_disk in memory_budget.toml leaves "
                f"{size(self._allowance)}. Run `clean --old`, lower `keep`, or raise max_disk."
            )

    def _record(
        self, path: Path, codec: Codec, form: str, count: int, digest: str, about: dict[str, Any]
    ) -> FileRecord:
        mtime_ns, inode = stamp(path)
        file = path.resolve().relative_to(self.folder.resolve()).as_posix()
        return FileRecord(file, codec.name, form, count, digest, mtime_ns, inode, about)


def uncompressed_bytes(frozen: Any, form: Format | None) -> int:
    """Bytes that writing a value is sure to take; what compression leaves cannot be foreseen."""
    return 0 if form is None or form.name == "parquet" else frozen_bytes(frozen)
