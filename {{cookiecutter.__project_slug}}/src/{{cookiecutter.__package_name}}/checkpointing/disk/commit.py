"""Commit a checkpoint: write the live values of a part, then the manifest that makes them valid.

Files get names that no earlier commit used, so a file that a reader may have mapped is never
rewritten. Until the manifest is replaced, the former checkpoint of the same key stays as it was.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..base.errors import MaxDiskReached, StorageError
from ..base.files import (
    HashingFile,
    checksum,
    link_durably,
    remove,
    stamp,
    storage_errors,
    sync_folder,
    sync_tree,
    total_bytes,
)
from ..base.names import new_number, value_name
from ..base.units import size
from ..codecs import (
    PARQUETS,
    Codec,
    Format,
    OnDisk,
    describe,
    exactly,
    format_named,
    require_same,
    require_same_start,
    write_stream,
)
from .journal import Journal
from .manifest import MANIFEST, PARTIAL, FileRecord, Manifest, note_of, read_manifest
from .streaming import Narrowing, StreamFile
from .sweeping import discard
from .value_files import Files, Kept, described


class Commit:
    """Writes one checkpoint.

    Not safe between processes: only the worker that holds the pipeline's locks may make one, or the
    run while it has no worker. Either may die at any line of it. Then the folder contains files
    that no manifest names, the former checkpoint is as it was, and the next run removes the files.
    Their names are new each time, so no file is overwritten while a reader has it mapped. Values
    may be written by several threads; the rest is for one.

    Args:
        folder: the checkpoint's folder; it is made before the first write.
        allowance: the most bytes that checkpoints may still take (`max_disk`).
        between: is called again and again while a file is written.
    """

    def __init__(
        self, folder: Path, allowance: int, between: Callable[[], None] | None = None
    ) -> None:
        self.folder = folder
        self._between = between
        self._allowance = allowance
        self._number = new_number()
        self._spent = 0
        self._spending = threading.Lock()
        self._has_folder = self._is_new = False
        self._written: list[Path] = []
        self._adopted: dict[tuple[Path, str], FileRecord] = {}
        self._journal: Journal | None = None

    def require_room(self, needed: int) -> None:
        """Refuse files of `needed` bytes more that cannot fit, before any of them is written."""
        self._require_folder()
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise StorageError(
                f"the checkpoint needs {size(needed)}, {self.folder} has {size(free)} free. Free "
                f'some room, run `clean --old`, or set format = "parquet" in memory_budget.toml.'
            )
        self._require_allowance(self._spent + needed)

    def write(
        self, value: str, frozen: Any, codec: Codec, form: Format, stem: str | None = None
    ) -> FileRecord:
        """Write one value, make it durable, and read it back if the format is exact.

        `stem` is what its file is called if not like the value.

        Raises StorageError, and InexactValue if the file does not give back what was written.
        """
        self._require_folder()
        path = self.folder / value_name(self.folder, stem or value, new_number(), form.suffix)
        with storage_errors(f"Writing `{value}`", self.folder):
            self._written.append(path)
            guard = (
                exactly(value, path, frozen, codec, form)
                if form.is_exact
                else contextlib.nullcontext()
            )
            with guard:
                digest, count = self._written_to(path, frozen, form)
                if form.is_exact:
                    require_same(path, frozen, codec, form)
            return self._record(path, codec, form.name, count, digest, describe(frozen))

    def _written_to(self, path: Path, frozen: Any, form: Format) -> tuple[str, int]:
        """Write a file durably: its digest and size. None is left if there is no room for it."""
        file = HashingFile(path, self._between)
        try:
            with contextlib.closing(file):
                form.write(frozen, file)  # type: ignore[arg-type]  # all that writers call
                digest = file.finish()
            self._spend(file.bytes)
        except (OSError, StorageError):
            with contextlib.suppress(OSError):
                remove(path)
            raise
        return digest, file.bytes

    def stream(
        self,
        value: str,
        batches: Iterable[Any],
        codec: Codec,
        stem: str | None = None,
        columns: tuple[str, ...] = (),
    ) -> FileRecord:
        """Write a table batch by batch, each frozen by the codec, durably, and read it back.

        `stem` is as for `write`, `columns` are those that anybody reads; none: all. Nothing of it
        is held when this returns or raises.

        Raises StorageError, InexactValue for a batch that does not continue the others, and
        unchanged what the iterator raises.
        """
        self._require_folder()
        form, files = format_named("arrow"), list[StreamFile]()

        def new_file() -> StreamFile:
            name = value_name(self.folder, stem or value, new_number(), form.suffix)
            self._written.append(self.folder / name)
            files.append(StreamFile(self.folder / name, value, self._spend, self._between))
            return files[-1]

        narrowing = Narrowing(codec, columns)

        def read_back(file: StreamFile) -> Any:
            file.close()
            with storage_errors(f"Reading `{value}`", self.folder):
                table = form.read(file.path, None)
                remove(file.path)  # its bytes stay for as long as they are mapped
            return table

        try:
            written = write_stream(value, batches, narrowing.freeze, new_file, read_back)
            file: StreamFile = written.file
            digest = file.finish()
            self._spend(-sum(former.bytes for former in files if former is not file))
            with (
                storage_errors(f"Reading `{value}`", self.folder),
                exactly(value, file.path, written.first, codec, form),
            ):
                require_same_start(file.path, written, codec, form)
                about = describe(form.read(file.path, None))
                record = self._record(file.path, codec, form.name, file.bytes, digest, about)
                return replace(record, columns=narrowing.kept)
        finally:
            for opened in files:
                opened.close()

    def store(self, value: str, made: Any, codec: Codec, stem: str | None = None) -> FileRecord:
        """Have the library of a type write a value to a folder of its own, durably.

        `stem` is as for `write`.

        Raises StorageError, also if the folder cannot be read back, and unchanged what the library
        raises.
        """
        assert codec.store is not None, "the library writes its values itself"
        self._require_folder()
        form = format_named(PARQUETS)
        path = self.folder / value_name(self.folder, stem or value, self._number, form.suffix)
        self._written.append(path)
        codec.store(made, path)
        with storage_errors(f"Writing `{value}`", self.folder):
            sync_tree(path)
            sync_folder(self.folder)
            count = total_bytes(path)
            self._spend(count)
            about = described(value, OnDisk(path, form.name))
            return self._record(path, codec, form.name, count, checksum(path), about)

    def workdir(self, value: str) -> Path:
        """Make an empty folder for a step that makes files, within the checkpoint's own folder."""
        self._require_folder()
        path = self.workdir_path(value)
        with storage_errors(f"Making a folder for `{value}`", self.folder):
            self._written.append(path)
            path.mkdir()
        return path

    def workdir_path(self, value: str) -> Path:
        """The path of that folder, if the step has a parameter `workdir`."""
        return self.folder / value_name(self.folder, value, self._number)

    def take(self, value: str, path: Path, codec: Codec) -> FileRecord:
        """Keep a file or folder that a step made in its workdir. Raises StorageError."""
        with storage_errors(f"Keeping the files of `{value}`", self.folder):
            sync_tree(path)
            sync_folder(path.parent)
            self._spend(total_bytes(path))
            return self._record(path, codec, "path", total_bytes(path), checksum(path), {})

    def adopt(
        self, value: str, folder: Path, record: FileRecord, *, is_here: bool = True
    ) -> FileRecord:
        """Take over a value's file from another checkpoint of the segment, which keeps it too.

        It is a link, or a copy where there can be none. Of a file that only shared storage has,
        just the name is made. Raises StorageError.
        """
        if folder == self.folder:
            return record
        if (folder, record.file) in self._adopted:
            return self._adopted[folder, record.file]
        self._require_folder()
        entry, _, inside = record.file.partition("/")
        suffix = "" if inside else "".join(f".{part}" for part in entry.split(".")[2:])
        stem = entry.partition(".")[0]
        own = self.folder / value_name(self.folder, stem, new_number(), suffix)
        path = own / inside if inside else own
        with storage_errors(f"Taking over `{value}`", self.folder):
            self._written.append(own)
            mtime_ns = inode = 0
            if is_here:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._spend(link_durably(folder / record.file, path))
                sync_folder(own.parent if path == own else own)
                mtime_ns, inode = stamp(path)
        file = path.relative_to(self.folder).as_posix()
        adopted = replace(record, file=file, mtime_ns=mtime_ns, inode=inode)
        self._adopted[folder, record.file] = adopted
        return adopted

    def keep(
        self,
        value: str,
        frozen: Any,
        codec: Codec,
        files: Files,
        stem: str | None = None,
        streamed: FileRecord | None = None,
    ) -> Kept:
        """Write the files of one value, and keep no reference to it; `stem` as for `write`.

        Args:
            streamed: the file that the value was streamed to. It is kept if it has the right
                format, and else removed.

        Raises StorageError, and InexactValue as `write` does.
        """
        if codec.family == "path":
            taken = self.take(value, frozen, codec)
            return Kept(taken if files.is_kept else None, taken if files.is_output else None)

        def record(form: Format | None, frozen: Any) -> FileRecord | None:
            if form is None or (streamed is not None and streamed.format == form.name):
                return streamed if form else None
            return self.write(value, frozen, codec, form, stem)

        narrow, columns = files.narrow(frozen)
        kept = record(files.kept, narrow)
        if kept is not None and kept is not streamed:
            kept = replace(kept, columns=columns or (streamed.columns if streamed else ()))
        # If both have the same format, one file serves for both.
        output = kept if files.output == files.kept else record(files.output, frozen)
        if streamed is not None and streamed not in (kept, output):
            self.discard(streamed)
        return Kept(kept, output)

    def discard(self, record: FileRecord) -> None:
        """Remove a file that was written and that no manifest names."""
        with contextlib.suppress(OSError):  # where a file that is mapped cannot be removed
            remove(self.folder / record.file)
            self._spend(-record.bytes)

    @property
    def room(self) -> int:
        """The bytes that checkpoints may still take."""
        return max(0, self._allowance - self._spent)

    def make_folder(self) -> None:
        """Make the checkpoint's folder, for what is to lie in it. Raises StorageError."""
        self._require_folder()

    def open_journal(self, manifest: Manifest) -> str:
        """Begin an unfinished checkpoint, to which `note` adds one item after the other.

        Returns the name of its journal. Raises StorageError.
        """
        self._require_folder()
        path = self.folder / value_name(self.folder, "items", self._number, ".jsonl")
        self._journal = Journal(path, is_new=True)
        self.finish(replace(manifest, journal=path.name), partial=True)
        return path.name

    def join_journal(self, name: str) -> None:
        """Add items to a journal beside other processes. Raises StorageError."""
        self._journal = Journal(self.folder / name, is_new=False)

    def note(
        self, name: str, key: str, kept: Kept | None, further: dict[str, tuple[str, str]]
    ) -> None:
        """Count an item as done: from now on a run does not run it again.

        `further` are modules that the key does not contain, as in a manifest. Raises StorageError.
        """
        assert self._journal is not None, "the journal is open"
        record, output = (kept.kept, kept.output) if kept else (None, None)
        with storage_errors(f"Noting `{name}`", self.folder):
            sync_folder(self.folder)
            self._journal.add(note_of(name, key, record, output, further))
        self._written.clear()  # its files belong to the checkpoint now

    def close(self) -> None:
        """Close the journal, if there is one."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def finish(self, manifest: Manifest, *, partial: bool = False) -> None:
        """Write the manifest: from now on the checkpoint exists and replaces a former one.

        With `partial`, the finished parts need not run again from now on, and a former checkpoint
        stays. Raises StorageError.
        """
        name = PARTIAL if partial else MANIFEST
        self._require_folder()
        with storage_errors("Writing the manifest", self.folder):
            sync_folder(self.folder)
            manifest.write(self.folder, name)
        spared = {name, *manifest.entries}
        if partial and (former := read_manifest(self.folder)) is not None:
            spared |= {MANIFEST, *former.entries}
        discard(self.folder, spared)

    def abandon(self) -> None:
        """Remove everything that was written; a later run removes what cannot be removed now."""
        for path in self._written:
            with contextlib.suppress(OSError):
                remove(path)
        if self._is_new:
            with contextlib.suppress(OSError):  # somebody else has put something into it already
                self.folder.rmdir()

    def _require_folder(self) -> None:
        """Make the checkpoint's folder, and its segment's, if they do not exist.

        The folder of all checkpoints is not made here: without its mark it would have no owner.
        Raises StorageError.
        """
        if self._has_folder:
            return
        segment = self.folder.parent
        self._is_new = not self.folder.exists()
        with storage_errors("Making a checkpoint's folder", self.folder):
            for folder in (segment, self.folder):
                folder.mkdir(exist_ok=True)
                sync_folder(folder.parent)
        self._has_folder = True

    def _spend(self, count: int) -> None:
        """Count bytes that are on disk now, and refuse more than max_disk allows."""
        with self._spending:
            if count > 0:
                self._require_allowance(self._spent + count)
            self._spent += count

    def _require_allowance(self, needed: int) -> None:
        if needed > self._allowance:
            raise MaxDiskReached(
                f"the checkpoint needs {size(needed)}, max_disk in memory_budget.toml leaves "
                f"{size(self._allowance)}. Run `clean --old`, lower `keep`, or raise max_disk."
            )

    def _record(
        self, path: Path, codec: Codec, form: str, count: int, digest: str, about: dict[str, Any]
    ) -> FileRecord:
        mtime_ns, inode = stamp(path)
        file = path.resolve().relative_to(self.folder.resolve()).as_posix()
        return FileRecord(file, codec.name, form, count, digest, mtime_ns, inode, about)
