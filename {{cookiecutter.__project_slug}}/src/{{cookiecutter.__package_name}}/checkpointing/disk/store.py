"""The store of checkpoints: find, verify, quarantine and remove them, under a lock.

Layout: `checkpoints/<pipeline>/<segment>/<key>/` contains the manifest and the values' files.
`place.py` checks who owns that folder, `sweeping.py` what in it may be removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..base.errors import Locked, StorageError
from ..base.files import replace_text, storage_errors
from ..base.names import aside_name, is_aside_name
from ..base.reading import read_json
from ..base.settings import Settings
from .commit import Commit
from .folders import bytes_in, folders_in, own_folders
from .hashed import Hashed, is_sound, restamped
from .known import KNOWN, Known, Summary
from .locks import WorkerLocks, acquired
from .manifest import MANIFEST, PARTIAL, FileRecord, Manifest, read_manifest
from .sweeping import Cleared, discard, ours_in, sweep_temporaries
from .usage import Usage

RUN_NOTE = "run.json"
HASHES = "hashes.json"
SEEN = "shared.json"
FILES = (RUN_NOTE, HASHES, SEEN, KNOWN)
"""Files of ours beside the checkpoints, but for the mark and the locks."""

_GLANCE_SECONDS = 0.2  # `is_in_use` of another process has a lock for less


class Damaged(Exception):
    """A value's file is not what was committed."""


class Store(WorkerLocks):
    """The checkpoints of one pipeline.

    Not safe without `lock`, for code that writes or removes; and nothing here checks who owns the
    folder: a run has claimed it before. Reading needs no lock, because files are never rewritten in
    place, but a checkpoint that was read may be removed a moment later. The lock excludes other
    runs, not people: they may put files between the checkpoints, and these stay.
    """

    url: str | None = None
    """Where others see the checkpoints; None if they are in the folder alone."""

    pushed_bytes = fetched_bytes = 0
    """What came to a URL and from there, since this object was made."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._usage = Usage(folder)
        self._known = Known(folder)
        self._hashed = Hashed()
        self._may_write = False
        self.announce: Callable[[str], None] = lambda message: None
        """Tells people of what takes long."""
        self.verified: set[Path] = set()
        """Files that were hashed since this object was made, and were as they were committed. Names
        are never used again, so a file that was made anew is not among them."""

    @contextlib.contextmanager
    def lock(self, *, to_remove: bool = False) -> Iterator[None]:
        """Lock the pipeline's checkpoints for one run. Raises Locked when another run has them.

        With `to_remove` they are locked in order to be removed.

        The lock is `flock`, which the kernel releases when the process dies, and which a network
        file system may not support. When a run is killed, its worker may still commit for a moment:
        it holds a lock of its own, which this waits for, so that it cannot commit during a new run.
        """
        lock = acquired(self._run_lock_file, _GLANCE_SECONDS)
        if lock is None:
            raise Locked(
                f"another run of this pipeline is in progress ({self._holder()}). Wait for it, or "
                f"stop it; its finished segments will be reused."
            )
        try:
            note = {"pid": os.getpid(), "host": socket.gethostname()}
            with contextlib.suppress(OSError):  # on a full disk, `clean` still has to work
                replace_text(self.folder / RUN_NOTE, json.dumps(note))
            with self.worker_lock():
                pass
            self.end_beside()
            self._may_write = True
            try:
                yield
            finally:
                with contextlib.suppress(StorageError, Locked):
                    self.end_beside()
        finally:
            self._may_write = False
            if not to_remove:
                self._known.save()
            lock.release()

    def refresh(self) -> None:
        """See what others have made; a reader does this first. Raises StorageError."""

    def is_in_use(self) -> bool:
        """Whether a run is at work, or the worker that a killed one has left."""
        for file in (self._run_lock_file, self.worker_lock_file(), *self.beside_files()):
            if not file.is_file():
                continue
            lock = acquired(file, 0)
            if lock is None:
                return True
            lock.release()
        return False

    @property
    def _run_lock_file(self) -> Path:
        return self.folder / "run.lock"

    def path(self, segment: str, key: str) -> Path:
        """The folder of one checkpoint."""
        return self.folder / segment / key

    def find(self, segment: str, key: str) -> Manifest | None:
        """The checkpoint of a key, or None. Raises StorageError when its manifest is damaged."""
        return self._known.manifest(segment, key)

    def find_partial(self, segment: str, key: str) -> Manifest | None:
        """The partial manifest of an unfinished segment, or None when it cannot be used."""
        folder = self.path(segment, key)
        if not os.path.lexists(os.path.join(folder, PARTIAL)):
            return None
        with contextlib.suppress(StorageError):
            partial = read_manifest(folder, PARTIAL)
            if partial and not (folder / MANIFEST).exists() and not self.damaged(partial):
                return partial
        return None

    def partials(self, segment: str) -> list[Manifest]:
        """What unfinished runs of a segment have made, of any key."""
        folders = folders_in(self.folder / segment)
        known = (self.find_partial(segment, folder.name) for folder in folders)
        return [partial for partial in known if partial is not None]

    def forget_partial(self, partial: Manifest) -> None:
        """Let a segment begin again: remove the files of its finished parts."""
        (self.path(partial.segment, partial.key) / PARTIAL).unlink(missing_ok=True)
        self.tidy(partial.segment, partial.key)

    def all_of(self, segment: str) -> list[Manifest]:
        """The checkpoints of a segment with a sound manifest, the last made or reused first.

        The order is that of `use`, because clocks go wrong and copies have new times. Only among
        checkpoints of a former runtime, which did not count uses, times decide. A copy in a folder
        of another name does not count.
        """
        return self._known.manifests(segment, self._known.of(segment))

    def newest(self, segment: str) -> Manifest | None:
        """The first of these."""
        known = self._known.of(segment)
        return next((m for each in known for m in self._known.manifests(segment, [each])), None)

    def has_any(self, segment: str) -> bool:
        """Whether there is a checkpoint of a segment."""
        return bool(self._known.of(segment))

    def nearest(self, segment: str, key: str, step_keys: Collection[str] = ()) -> list[Manifest]:
        """The one of that key, and of the others those with the most of these steps' keys.

        Of as many as share the most, those used last come first. They are few, however many
        checkpoints there are.
        """
        return self._known.manifests(segment, self._known.nearest(segment, key, step_keys))

    def last_ran(self, segment: str, step: str) -> tuple[Manifest, str] | None:
        """The checkpoint, or the finished parts, of the last run that ran a step, and its time."""
        ran = []
        for folder in folders_in(self.folder / segment):
            for name in (MANIFEST, PARTIAL):
                with contextlib.suppress(StorageError, FileNotFoundError):
                    manifest = read_manifest(folder, name)
                    if manifest and manifest.key == folder.name and step in manifest.steps:
                        number, at = manifest.ran.get(step, (0, manifest.committed_at))
                        ran.append((number, at, manifest.committed_at, manifest))
        if not ran:
            return None
        _, at, _, manifest = max(ran, key=lambda entry: entry[:3])
        return manifest, at

    def next_use(self, segment: str) -> int:
        """The `use` of a checkpoint that is made or reused now."""
        return 1 + max((summary.use for summary in self._known.of(segment)), default=0)

    def mark_used(self, manifest: Manifest) -> None:
        """Record that a run reused a checkpoint, if another one was used since."""
        former = self._known.of(manifest.segment)
        if manifest.key in [each.key for each in former[1:]]:
            with contextlib.suppress(OSError):  # only the order of checkpoints depends on it
                marked = replace(manifest, use=1 + former[0].use)
                marked.write(self.path(manifest.segment, manifest.key))

    def damaged(self, manifest: Manifest, *, hash_all: bool = False) -> list[str]:
        """Values whose files are not as they were committed.

        A file is hashed when its stat has changed, or always with `hash_all`.
        """
        records = manifest.records()
        return [v for v, record in records if not self.holds(manifest, record, hash_all=hash_all)]

    def holds(self, manifest: Manifest, record: FileRecord, *, hash_all: bool = False) -> bool:
        """Whether a file of a checkpoint is as it was committed; hashed as `damaged` says."""
        folder = self.path(manifest.segment, manifest.key)
        if not hash_all and (record.untouched(folder) or self._hashed.has(folder, record)):
            return True
        return self._hashed.is_sound(folder, record)

    def is_intact(self, manifest: Manifest, record: FileRecord) -> bool:
        """The same; the file is hashed if that was not done since this object was made."""
        folder = self.path(manifest.segment, manifest.key)
        is_known = folder / record.file in self.verified and record.untouched(folder)
        return is_known or self._hashed.has(folder, record) or self._hashed.is_sound(folder, record)

    def stamped(self, manifest: Manifest) -> Manifest:
        """A checkpoint with the stamps that its files have now: a copy has new ones, say.

        A file with another one is hashed. The new ones are noted if the checkpoints are locked, so
        that this is done once.
        """
        folder = self.path(manifest.segment, manifest.key)

        def now(record: FileRecord) -> FileRecord:
            if record.untouched(folder) or not self.holds(manifest, record):
                return record
            return restamped(folder, record)

        current = manifest.with_records(now)
        if current != manifest and self._may_write:
            with contextlib.suppress(OSError):  # it is only hashed again
                current.write(folder)
        return current

    def bring(
        self, manifest: Manifest, records: Mapping[str, FileRecord], *, verify: bool = False
    ) -> dict[str, FileRecord]:
        """Have the files of some values here, to be read; their records as they are now.

        With `verify` each is hashed. Raises Damaged, with the name of the value.
        """
        for value, record in records.items():
            if verify and not is_sound(self.path(manifest.segment, manifest.key), record):
                raise Damaged(value)
        return dict(records)

    def push(self, manifest: Manifest) -> Manifest:
        """Have others see a checkpoint that was just committed; the manifest as it is then.

        Raises StorageError; the commit holds all the same.
        """
        return manifest

    def adopt(
        self, commit: Commit, value: str, manifest: Manifest, record: FileRecord
    ) -> FileRecord:
        """Take over a value's file from another checkpoint, for a commit. Raises StorageError."""
        return commit.adopt(value, self.path(manifest.segment, manifest.key), record)

    def where(self, manifest: Manifest, record: FileRecord) -> str:
        """Where a person finds a file of a checkpoint: its path, or its URL if it is not here."""
        return str(self.path(manifest.segment, manifest.key) / record.file)

    def begin(self) -> None:
        """Begin something for which files are brought; what was brought before is done with.

        Raises StorageError if somebody else may have the lock by now.
        """

    def remarks(self) -> list[str]:
        """What `status` says of the checkpoints as a whole, in sentences."""
        return []

    def allowance(self, settings: Settings, segment: str) -> int:
        """The bytes that the checkpoints of the project may still take, by one more of a segment.

        Asked again and again, it looks at the other segments now and then.
        """
        used = self._usage.bytes(settings, segment)
        return max(0, settings.memory.checkpoints.max_disk - used)

    def set_aside(self, segment: str, key: str, name: str = "") -> Path:
        """Move a damaged checkpoint aside, for a person to look at; keep only the last one.

        Other files in its folder stay there. `name` is that of the folder, if it has one already.
        """
        folder = self.path(segment, key)
        aside = folder.with_name(name or aside_name(segment, key))
        with storage_errors("Setting a damaged checkpoint aside", folder.parent):
            ours = ours_in(folder)
            aside.mkdir()
            for path in ours:
                os.replace(path, aside / path.name)
            with contextlib.suppress(OSError):  # somebody keeps other files in it
                folder.rmdir()
        for former in self._set_aside(folder.parent):
            if former != aside:
                discard(former)
        return aside

    def sweep(self) -> None:
        """Remove what a killed run left behind: files of ours that no manifest names.

        The files of the finished parts of an unfinished segment stay: a run resumes from them.
        """
        for segment in own_folders(self.folder):
            for folder in own_folders(segment):
                is_aside = is_aside_name(segment.name, folder.name)
                if not is_aside and not self._known.is_tidy(segment.name, folder.name):
                    self.tidy(segment.name, folder.name)
                    self._known.note_tidy(segment.name, folder.name)
        self._known.save()
        sweep_temporaries(self.folder)

    def tidy(self, segment: str, key: str, working: Manifest | None = None) -> None:
        """Remove the files of one checkpoint that no manifest names; without a manifest, all.

        `working` is what a run has made so far, beside a former checkpoint of the same key.
        """
        folder = self.path(segment, key)
        try:
            manifest, name = self.find(segment, key), MANIFEST
        except StorageError:
            return  # a run that needs this key sets it aside
        if manifest is None:
            manifest, name = self.find_partial(segment, key), PARTIAL
        spared = {name, *manifest.entries} if manifest else set[str]()
        discard(folder, spared | {PARTIAL, *working.entries} if working else spared)

    def retire(self, segment: str, current: str, keep: int) -> None:
        """Remove all checkpoints but the current and the `keep` last used for each set of params.

        A backfill over many dates has many sets of params: each keeps its own checkpoints.
        """
        groups: dict[str, list[Summary]] = defaultdict(list)
        for summary in self._known.of(segment):
            if summary.key != current:
                groups[summary.params].append(summary)
        for summaries in groups.values():
            for manifest in self._known.manifests(segment, summaries[keep:]):
                self.remove(manifest)
        now = self.find(segment, current)
        for folder in own_folders(self.folder / segment):
            partial = self.find_partial(segment, folder.name)
            if partial and now and partial.params == now.params:
                self.remove(partial)  # made from former code or inputs

    def remove(self, manifest: Manifest) -> None:
        """Remove one checkpoint, its manifest first, so that half a checkpoint never counts."""
        discard(self.path(manifest.segment, manifest.key))

    def clear(self, *, spare: set[tuple[str, str]] | None = None) -> Cleared:
        """Remove all checkpoints but the (segment, key) pairs to spare; returns what it freed."""
        cleared = sweep_temporaries(self.folder)
        for segment in own_folders(self.folder):
            for folder in own_folders(segment):
                if (segment.name, folder.name) not in (spare or set()):
                    cleared += discard(folder)
        return cleared

    def used_bytes(self) -> int:
        """Bytes of all checkpoints of the pipeline on disk; other processes may change them now."""
        return bytes_in(self.folder)

    def _set_aside(self, segment: Path) -> list[Path]:
        return [f for f in own_folders(segment) if is_aside_name(segment.name, f.name)]

    def _holder(self) -> str:
        try:
            note = read_json(self.folder / RUN_NOTE)
            return f"process {note['pid']} on {note['host']}"
        except (OSError, KeyError, TypeError):
            return "unknown process"
