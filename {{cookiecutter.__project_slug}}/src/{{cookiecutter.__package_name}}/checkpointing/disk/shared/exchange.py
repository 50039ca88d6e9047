"""The exchange between a URL and the local cache: manifests both ways, and files when needed.

For others a checkpoint exists once its manifest is at the URL, so its files go there first. Here it
exists once its manifest is in the cache, where its files may be missing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ...base.errors import StorageError
from ...base.files import make_folder, replace_text, storage_errors
from ...base.names import is_aside_name
from ..manifest import MANIFEST, PARTIAL, FileRecord, Manifest, read_manifest
from .addresses import Address, address_for
from .contents import Contents, object_name
from .lease import CLOCK
from .objects import Objects
from .removal import remove_objects
from .seen import Seen, digest_of, for_all, read_seen, write_seen
from .stamps import pushed_like, stamped_like
from .transfer import Transfer, is_whole
from .trust import DAMAGED, manifest_at

_AT_ONCE = 8  # manifests that are read at a time


class Exchange:
    """What the local cache of one pipeline and a URL have of each other.

    Not safe between processes, and not without `pull` first: whoever pulls holds the lock of the
    cache, and whoever pushes or removes holds the lease of the URL as well. Afterwards it is safe
    for threads, of which each pushes and removes checkpoints of its own. No thread waits for the
    transfer of another one.

    Args:
        folder: the cache of the pipeline.
        require_lease: raises StorageError once the lease is lost; called before each write.

    Attributes:
        contents: what the URL has.
        may_write: whether the cache may be changed.
    """

    def __init__(self, objects: Objects, pipeline: str, folder: Path) -> None:
        self.objects = objects
        self.pipeline = pipeline
        self.folder = folder
        self.contents = Contents(pipeline)
        self.require_lease: Callable[[], None] = lambda: None
        self.may_write = False
        self._lock = threading.Lock()  # of what follows, and for what is noted in the cache
        self._seen: dict[Address, Seen] = {}
        self._named: dict[Address, frozenset[str]] = {}
        self._damaged: set[Address] = set()
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._transfer = Transfer(objects, folder)

    @property
    def pushed_bytes(self) -> int:
        """The bytes of files that were sent."""
        return self._transfer.sent_bytes

    @property
    def fetched_bytes(self) -> int:
        """The bytes of files that were fetched."""
        return self._transfer.fetched_bytes

    def use(self, objects: Objects) -> None:
        """Go on with the same URL, opened with more that is known of it."""
        self.objects = self._transfer.objects = objects

    def look(self) -> None:
        """See what the URL has. Raises StorageError."""
        self.contents = Contents(self.pipeline, self.objects.list(object_name(self.pipeline)))
        self._seen = read_seen(self.folder, self.objects.url)
        self._named, here = {}, {address: self.local(address) for address in self._seen}
        for address, manifest in here.items():
            if manifest is not None and self.is_pushed(address, manifest):
                self._named[address] = _files_of(manifest)

    def pull(self) -> set[tuple[str, str]]:
        """Bring manifests that are new or other at the URL; drop those that no longer are there.

        What was made here, and is not at the URL yet, stays. Returns the segment and the key of
        what changed here. Raises StorageError.
        """
        self.look()
        there = self.contents.manifests()
        with storage_errors("Comparing the cache with the URL", self.folder):
            gone = [address for address in self._seen if address not in there]
            for address in gone:
                self._forget(address)
            wanted = [address for address, at in there.items() if self._is_new(address, at.tag)]
            names = [there[address].name for address in wanted]
            with ThreadPoolExecutor(_AT_ONCE) as readers:
                for address, came in zip(wanted, readers.map(self._read, names), strict=True):
                    if came is not None:
                        self._take(address, *came)
            self._save()
        return {(address.segment, address.key) for address in (*gone, *wanted)}

    def is_replaced(self, manifest: Manifest) -> bool:
        """Whether somebody has replaced or removed a manifest at the URL since it was pulled.

        Raises StorageError.
        """
        address = address_for(manifest, MANIFEST)
        if (seen := self._seen.get(address)) is None:
            return False
        try:
            return self.objects.stat(self.contents.name(*address.parts)).tag != seen.tag
        except FileNotFoundError:
            return True

    def pending(self) -> Iterator[tuple[Address, Manifest]]:
        """The manifests that were made here, or changed, and that the URL does not have in full.

        A journal stays here until its part has ended, and so does what it belongs to.
        """
        for folder in sorted(self.folder.glob("*/*")):
            segment, key = folder.parent.name, folder.name
            if folder.is_symlink() or is_aside_name(segment, key):
                continue
            for name in (MANIFEST, PARTIAL):
                address = Address(segment, key, name)
                manifest = self.local(address)
                if manifest is None or manifest.journal or address_for(manifest, name) != address:
                    continue
                if name == PARTIAL and (folder / MANIFEST).exists():
                    continue  # what is left of a run that began again
                records = (record for _, record in manifest.records())
                if not self.is_pushed(address, manifest) or any(
                    self.lacks(manifest, record) for record in records
                ):
                    yield address, manifest

    def push(self, address: Address, manifest: Manifest) -> Manifest:
        """Have a checkpoint at the URL: its files, then its manifest; then remove former files.

        Returns the manifest with what was noted of its files. Raises StorageError: then the URL has
        the former checkpoint, and the cache the new one.
        """
        self.require_lease()
        segment, key = address.segment, address.key
        self._transfer.finish_copies(segment, key)
        records = {record.file: record for _, record in manifest.records()}
        sent = {
            file: self._transfer.send(self.contents, segment, key, record)
            for file, record in records.items()
        }
        manifest = manifest.with_records(lambda record: pushed_like(record, sent[record.file]))
        content = for_all(manifest).text().encode()
        name = self.contents.name(segment, key, address.name)
        self.require_lease()
        former = self.contents.at(segment, key).get(address.name)
        tag = (
            self.objects.create(name, content)
            if former is None
            else self.objects.replace(name, content, former.tag)
        )
        if tag is None:
            raise StorageError(
                f"somebody else has written {self.objects.url}/{name} since this run began, so it "
                f"is not replaced. Run again: what was made here is kept.",
                segment=segment,
            )
        self.contents.put(segment, key, address.name, len(content), tag)
        self._require_still(address, manifest, tag)
        with self._lock, storage_errors("Noting what was pushed", self.folder):
            manifest.write(self.folder / address.folder, address.name)
            self._note(address, manifest, tag)
            if address.name == MANIFEST:
                self._drop(Address(segment, key, PARTIAL))
            self._save()
        self._remove_at(segment, key, self._unnamed_at(segment, key))
        return manifest

    def _require_still(self, address: Address, manifest: Manifest, tag: str) -> None:
        """Take a manifest back that came late: its files were swept by who has the lease now.

        Raises StorageError if the lease is lost.
        """
        try:
            self.require_lease()
        except StorageError:
            self.contents = Contents(self.pipeline, self.objects.list(object_name(self.pipeline)))
            written = self.contents.at(address.segment, address.key).get(address.name)
            is_lacking = not all(self.has(manifest, record) for _, record in manifest.records())
            if written is not None and written.tag == tag and is_lacking:
                self.objects.remove([written.name])
            raise

    def has(self, manifest: Manifest, record: FileRecord) -> bool:
        """Whether the URL has a file, with its size."""
        there = self.contents.files(manifest.segment, manifest.key, record.file)
        return is_whole(there, record)

    def lacks(self, manifest: Manifest, record: FileRecord) -> bool:
        """Whether a manifest at the URL names a file that is not there, or has another size."""
        addresses = (address_for(manifest, name) for name in (MANIFEST, PARTIAL))
        is_named = any(record.file in self._named.get(address, ()) for address in addresses)
        return is_named and not self.has(manifest, record)

    def is_sound_at(self, manifest: Manifest, record: FileRecord) -> bool:
        """Whether a file at the URL is as it was pushed; all of it is read. Raises StorageError."""
        segment, key = manifest.segment, manifest.key
        return self._transfer.is_sound(self.contents, segment, key, record)

    def stamped(self, manifest: Manifest, record: FileRecord) -> FileRecord:
        """The record of a file with the stamp that it has since it was last fetched."""
        path = self.folder / manifest.segment / manifest.key / record.file
        mtime_ns, inode = self._stamps.get(path, (record.mtime_ns, record.inode))
        return replace(record, mtime_ns=mtime_ns, inode=inode)

    def fetch(self, manifest: Manifest, record: FileRecord) -> FileRecord:
        """Fetch a file into the cache; its record with the stamp, which `restamp` notes.

        Raises:
            FileNotFoundError: the URL does not have it as it was pushed.
            StorageError: the URL or the disk refuses.
        """
        segment, key = manifest.segment, manifest.key
        return self._transfer.fetch(self.contents, segment, key, record)

    def restamp(self, manifest: Manifest, record: FileRecord) -> None:
        """Note the stamp of a file of the cache, also in its manifests."""
        folder = self.folder / manifest.segment / manifest.key
        with self._lock:
            self._stamps[folder / record.file] = record.mtime_ns, record.inode
            if not self.may_write:
                return  # somebody else is at work in the cache
            for name in (MANIFEST, PARTIAL):
                kept = self.local(address_for(manifest, name))
                if kept is None or kept.journal:
                    continue
                stamped = kept.with_records(lambda each: stamped_like(each, {record.file: record}))
                if stamped != kept:
                    stamped.write(folder, name)

    def copy(self, manifest: Manifest, file: str, target: Path, to: str) -> None:
        """Give a file at the URL a second name, in the checkpoint of a folder, by its `push`."""
        source = manifest.segment, manifest.key, file
        self._transfer.copy(self.contents, source, (target.parent.name, target.name, to))

    def remove(self, segment: str, key: str) -> int:
        """Remove a checkpoint at the URL, its manifests first; returns the bytes of its files.

        Files that no run has written stay. Raises StorageError.
        """
        freed = self._remove_at(segment, key, self.contents.ours_at(segment, key))
        with self._lock, storage_errors("Noting what was removed", self.folder):
            for name in (MANIFEST, PARTIAL):
                self._drop(Address(segment, key, name))
            self._save()
        return freed

    def remove_partial(self, segment: str, key: str) -> None:
        """Remove what the finished parts of a segment have at the URL. Raises StorageError."""
        with self._lock:
            self._drop(Address(segment, key, PARTIAL))
        self._remove_at(segment, key, self._unnamed_at(segment, key))

    def set_aside(self, segment: str, key: str, aside: str) -> None:
        """Give the files of a checkpoint at the URL to one that is set aside, and keep only that.

        Raises StorageError.
        """
        self.require_lease()
        for inside, stored in self.contents.ours_at(segment, key).items():
            with contextlib.suppress(FileNotFoundError):  # it may be what is damaged
                self.objects.copy(stored.name, self.contents.name(segment, aside, inside))
                self.contents.put(segment, aside, inside, stored.bytes)
        self.remove(segment, key)
        for other, former in self.contents.checkpoints():
            if other == segment and former != aside and is_aside_name(segment, former):
                self.remove(segment, former)

    def sweep(self) -> None:
        """Remove from the URL what no manifest there names: a push did not end, or a removal.

        Raises StorageError.
        """
        for segment, key in self.contents.checkpoints():
            if not is_aside_name(segment, key):
                self._remove_at(segment, key, self._unnamed_at(segment, key))
        self.require_lease()
        self.objects.sweep(object_name(self.pipeline), self.contents.is_ours)
        self.objects.remove(self.contents.litter(CLOCK))

    def evictable(self) -> set[Path]:
        """The files of the cache that the URL has too."""
        files: set[Path] = set()
        with self._lock:
            named = list(self._named)
        for address in named:
            if (manifest := self.local(address)) is not None and self.is_pushed(address, manifest):
                folder = self.folder / address.folder
                records = (record for _, record in manifest.records())
                files |= {folder / r.file for r in records if self.has(manifest, r)}
        return files

    def local(self, address: Address) -> Manifest | None:
        """A manifest of the cache; None if there is none, or if it is damaged."""
        with contextlib.suppress(StorageError):
            return read_manifest(self.folder / address.folder, address.name)
        return None

    def is_pushed(self, address: Address, manifest: Manifest) -> bool:
        """Whether the URL has a manifest as it is here."""
        seen = self._seen.get(address)
        return seen is not None and seen.digest == digest_of(manifest)

    def _is_new(self, address: Address, tag: str) -> bool:
        """Whether the URL has a manifest that the cache has not, or has otherwise."""
        seen, here = self._seen.get(address), self.local(address)
        if address.name == PARTIAL and self.local(address.complete) is not None:
            return False  # it was finished here, and is pushed as a whole
        return seen is None or seen.tag != tag or here is None

    def _read(self, name: str) -> tuple[bytes, str] | None:
        try:
            return self.objects.read(name)
        except FileNotFoundError:  # removed since the listing
            return None

    def _take(self, address: Address, content: bytes, tag: str) -> None:
        """Write a manifest of the URL into the cache, with the stamps of the files that are here.

        In the place of one that is damaged comes another damaged one: whoever reads it says so.
        """
        folder, former = self.folder / address.folder, self.local(address)
        make_folder(folder)
        try:
            manifest = manifest_at(address, content)
        except ValueError:
            replace_text(folder / address.name, DAMAGED)
            self._damaged.add(address)
            return
        is_own = former is not None and not self.is_pushed(address, former)
        if is_own and not all(self.has(manifest, record) for _, record in manifest.records()):
            return  # what was made here is whole, and is pushed in the place of the other
        stamps = {record.file: record for _, record in former.records()} if former else {}
        manifest = manifest.with_records(lambda record: stamped_like(record, stamps))
        manifest.write(folder, address.name)
        self._note(address, manifest, tag)

    def _forget(self, address: Address) -> None:
        """Drop a manifest that somebody has removed from the URL; not one that changed here."""
        seen, here = self._seen.pop(address), self.local(address)
        self._named.pop(address, None)
        if here is None or seen.digest == digest_of(here):
            (self.folder / address.folder / address.name).unlink(missing_ok=True)

    def _drop(self, address: Address) -> None:
        self._seen.pop(address, None)
        self._named.pop(address, None)
        self._damaged.discard(address)

    def _note(self, address: Address, manifest: Manifest, tag: str) -> None:
        self._seen[address] = Seen(tag, digest_of(manifest))
        self._named[address] = _files_of(manifest)
        self._damaged.discard(address)

    def _unnamed_at(self, segment: str, key: str) -> dict[str, int]:
        """What is ours in a folder at the URL and no manifest there names, with its bytes."""
        addresses = [Address(segment, key, name) for name in (MANIFEST, PARTIAL)]
        known = [address for address in addresses if address in self._seen]
        if any(address in self._damaged for address in addresses):
            return {}  # a run that needs a damaged one sets it aside
        if any(address not in self._named for address in known):
            return {}  # it is another one than is here, so its files are not known
        named = {file.partition("/")[0] for address in known for file in self._named[address]}
        named |= {address.name for address in known}
        return {
            inside: stored.bytes
            for inside, stored in self.contents.ours_at(segment, key).items()
            if inside.partition("/")[0] not in named
        }

    def _remove_at(self, segment: str, key: str, inside: Iterable[str]) -> int:
        self.require_lease()
        return remove_objects(self.objects, self.contents, segment, key, inside)

    def _save(self) -> None:
        write_seen(self.folder, self.objects.url, self._seen)


def _files_of(manifest: Manifest) -> frozenset[str]:
    return frozenset(record.file for _, record in manifest.records())
