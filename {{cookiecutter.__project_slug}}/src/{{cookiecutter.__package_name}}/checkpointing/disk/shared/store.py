"""The store of checkpoints on shared storage: a local cache with the layout of a local store.

Workers write, commit and read in the cache, as everywhere. The run pushes what they have committed,
and fetches what they are about to read. So a worker needs no network and no credentials.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from ...base.errors import Locked, StorageError
from ...base.files import storage_errors
from ...base.names import aside_name
from ...base.settings import Settings
from ...base.units import size
from ..commit import Commit
from ..locks import acquired
from ..manifest import MANIFEST, PARTIAL, FileRecord, Manifest
from ..place import Place
from ..store import SEEN, Damaged, Store
from ..sweeping import Cleared
from .addresses import Address
from .cache import Cache, mark_used
from .claim import claim, others_bytes, read_claim
from .contents import object_name
from .exchange import Exchange
from .lease import LEASE, leased
from .remote import Remote
from .seen import forget_unfetched
from .stamps import drop_file, stamped_if_sound
from .turns import Turns

CACHE_LOCK = "cache.lock"
_READERS_SECONDS = 60.0  # the most that a run waits for somebody who brings manifests
_BUSY_SECONDS = 10.0  # the most that such a reader waits for another one
_TOLD_BYTES = 50_000_000  # what is moved without a word takes moments

Hashing = Literal["if touched", "once", "always"]


class SharedStore(Store):
    """The checkpoints of one pipeline, at a URL and in a local cache that may be deleted.

    As a `Store`, not safe without `lock` for code that writes or removes; `lock` holds the lease of
    the URL too. Readers call `refresh` first. What others do at the URL afterwards is not seen.

    While it is locked it is safe for threads, of which each works on a segment of its own and may
    read what others have finished. They wait for each other where they need the same file.
    """

    def __init__(self, place: Place, remote: Remote, pipeline: str) -> None:
        super().__init__(place.folder)
        self.exchange = Exchange(remote.open(None), pipeline, place.folder)
        self._place = place
        self._remote = remote
        self._others: int | None = None
        self._is_swept = False
        self._cache = Cache(place.folder, remote.cache_max)
        self._turns = Turns()
        self._is_locked = False
        self._unpushed: dict[tuple[str, str], StorageError] = {}

    @contextlib.contextmanager
    def lock(self, *, to_remove: bool = False) -> Iterator[None]:
        """Lock the pipeline at the URL and in the cache, and have both agree.

        Args:
            to_remove: what was made here need not reach the URL first, which may be full.

        Raises Locked when another run has it, here or on another machine, and StorageError.
        """
        with super().lock(), self._lease(), self._alone(_READERS_SECONDS) as is_alone:
            if not is_alone:
                raise Locked(
                    f"another command is fetching into {self.folder}. Wait for it, and try again."
                )
            forget_unfetched(self.folder, self.url)
            self.exchange.pull()
            if not to_remove:
                self._push_pending()
            self._is_locked = True
            try:
                yield
            finally:
                self._is_locked = False
                self._cache.begin()
                with contextlib.suppress(OSError, StorageError):
                    self._keep_bound(0)

    def refresh(self) -> None:
        """See what the URL has now, and bring its manifests, unless a run here does so."""
        noted = read_claim(self.exchange.objects, self.exchange.pipeline)
        if noted is None:  # no run has come so far
            self._leave_former()
            return
        self.exchange.use(self._remote.open(noted.conditional))
        self._place.claim()
        if not os.access(self.folder, os.W_OK):  # the cache is another user's
            self.exchange.look()
            return
        with self._alone(0 if self.is_in_use() else _BUSY_SECONDS) as is_alone:
            if is_alone and not self.is_in_use():
                forget_unfetched(self.folder, self.url)
                for segment, key in self.exchange.pull():
                    self.tidy(segment, key)  # files whose manifest has gone
            else:
                self.exchange.look()

    def holds(self, manifest: Manifest, record: FileRecord, *, hash_all: bool = False) -> bool:
        """Whether a file is as it was committed, here or at the URL; it need not be here.

        What is damaged here alone is dropped, to be fetched again. With `hash_all` both are read.
        """
        is_there = self.exchange.has(manifest, record)
        if hash_all and is_there and not self.exchange.is_sound_at(manifest, record):
            return False
        hashed: Hashing = "always" if hash_all else "if touched"
        return self._is_sound_here(manifest, record, hashed) or is_there

    def is_intact(self, manifest: Manifest, record: FileRecord) -> bool:
        """The same; a file that is here is hashed if this was not done before."""
        is_there = self.exchange.has(manifest, record)
        return self._is_sound_here(manifest, record, "once") or is_there

    def stamped(self, manifest: Manifest) -> Manifest:
        """The manifest as it is: `holds` notes the stamps in the cache."""
        return manifest

    def bring(
        self, manifest: Manifest, records: Mapping[str, FileRecord], *, verify: bool = False
    ) -> dict[str, FileRecord]:
        """Have files in the cache, each hashed once: those that are missing are fetched.

        Raises Damaged, with the name of the value, and StorageError.
        """
        folder = self.path(manifest.segment, manifest.key)
        self._cache.use(folder / record.file for record in records.values())
        missing = {
            value: record
            for value, record in records.items()
            if not self._is_sound_here(manifest, record, "once")
        }
        total = sum({r.file: r.bytes for r in missing.values()}.values())
        with self._writing():
            self._keep_bound(total)
        if total >= _TOLD_BYTES:
            self.announce(f"{manifest.segment}: fetches {size(total)} from {self.url}")
        for value, record in missing.items():
            path = folder / record.file
            with self._turns.at(path):
                if path in self.verified and path.exists():
                    continue  # it came for another value, or for another thread
                try:
                    fetched = self.exchange.fetch(manifest, record)
                except FileNotFoundError:
                    self._require_present(manifest)
                    raise Damaged(value) from None
                with self._writing():
                    self.exchange.restamp(manifest, fetched)
                self.verified.add(path)
        for record in records.values():
            mark_used(folder / record.file)
        return {value: self.exchange.stamped(manifest, r) for value, r in records.items()}

    def _require_present(self, manifest: Manifest) -> None:
        """Tell what another run has replaced or removed from what is damaged. Raises StorageError.

        A run that holds the lease is the only one that does.
        """
        if not self._is_locked and self.exchange.is_replaced(manifest):
            raise StorageError(
                f"the checkpoint of {manifest.segment} was replaced or removed by another run "
                f"while it was read. Run this command again."
            )

    def push(self, manifest: Manifest) -> Manifest:
        """Have a checkpoint that was just committed at the URL. Raises StorageError."""
        folder = self.path(manifest.segment, manifest.key)
        name = PARTIAL if (folder / PARTIAL).exists() else MANIFEST
        pushed = self._push(Address(manifest.segment, manifest.key, name), manifest)
        self.begin()
        self._keep_bound(0)
        return pushed

    def adopt(
        self, commit: Commit, value: str, manifest: Manifest, record: FileRecord
    ) -> FileRecord:
        """Take over a value's file: at the URL by a copy there, which need not come here."""
        source = self.path(manifest.segment, manifest.key)
        record = self.exchange.stamped(manifest, record)
        self._cache.use([source / record.file])
        is_here = (source / record.file).exists()
        adopted, to = commit.adopt(value, source, record, is_here=is_here), commit.folder
        is_known = self.exchange.contents.files(to.parent.name, to.name, adopted.file)
        if adopted.file != record.file and not is_known and self.exchange.has(manifest, record):
            self.exchange.copy(manifest, record.file, to, adopted.file)
        return adopted

    def mark_used(self, manifest: Manifest) -> None:
        """Record that a run reused a checkpoint, for everybody who runs the pipeline."""
        if (failure := self._unpushed.get((manifest.segment, manifest.key))) is not None:
            raise failure
        super().mark_used(manifest)
        address = Address(manifest.segment, manifest.key, MANIFEST)
        marked = self.exchange.local(address)
        if marked is not None and not self.exchange.is_pushed(address, marked):
            self.exchange.push(address, marked)

    def forget_partial(self, partial: Manifest) -> None:
        self.exchange.remove_partial(partial.segment, partial.key)
        super().forget_partial(partial)

    def set_aside(self, segment: str, key: str, name: str = "") -> Path:
        """Move a damaged checkpoint aside, at the URL and here."""
        name = name or aside_name(segment, key)
        self.exchange.set_aside(segment, key, name)
        aside = super().set_aside(segment, key, name)
        for manifest in (MANIFEST, PARTIAL):  # one of which nothing shows that it is ours
            (self.path(segment, key) / manifest).unlink(missing_ok=True)
        return aside

    def sweep(self) -> None:
        """Remove what killed runs left behind; at the URL once, as it has no other writer."""
        super().sweep()
        if not self._is_swept:
            self.exchange.sweep()
            self._is_swept = True

    def remove(self, manifest: Manifest) -> None:
        self.exchange.remove(manifest.segment, manifest.key)
        super().remove(manifest)

    def clear(self, *, spare: set[tuple[str, str]] | None = None) -> Cleared:
        """Remove all checkpoints but those to spare, at the URL and here; what that freed."""
        cleared = Cleared()
        for segment, key in self.exchange.contents.checkpoints():
            if (segment, key) not in (spare or set()):
                cleared.bytes += self.exchange.remove(segment, key)
        here = super().clear(spare=spare)
        cleared.failures += here.failures
        return cleared

    def where(self, manifest: Manifest, record: FileRecord) -> str:
        here = super().where(manifest, record)
        if Path(here).exists():
            return here
        name = self.exchange.contents.name(manifest.segment, manifest.key, record.file)
        return f"{self.exchange.objects.url}/{name}"

    @property
    def url(self) -> str | None:  # type: ignore[override]
        return self.exchange.objects.url

    def begin(self) -> None:
        self.exchange.require_lease()
        self._cache.begin()

    def remarks(self) -> list[str]:
        waiting = sorted({address.segment for address, _ in self.exchange.pending()})
        if not waiting:
            return []
        return [
            f"{self.exchange.objects.url} has not got yet what was made here of "
            f"{', '.join(waiting)}; the next run pushes it"
        ]

    @property
    def pushed_bytes(self) -> int:  # type: ignore[override]
        return self.exchange.pushed_bytes

    @property
    def fetched_bytes(self) -> int:  # type: ignore[override]
        return self.exchange.fetched_bytes

    def allowance(self, settings: Settings, segment: str) -> int:
        """The bytes that the checkpoints of all pipelines may still take at the URL."""
        if self._others is None:
            self._others = others_bytes(self.exchange.objects.list(), self.exchange.pipeline)
        used = self._others + self.exchange.contents.bytes
        return max(0, settings.memory.checkpoints.max_disk - used)

    def _is_sound_here(self, manifest: Manifest, record: FileRecord, hashed: Hashing) -> bool:
        """Whether the cache has a file as it was committed; `hashed` says when it is hashed.

        One that is damaged, and that the URL has, is dropped.
        """
        folder = self.path(manifest.segment, manifest.key)
        path = folder / record.file
        with self._turns.at(path):
            record = self.exchange.stamped(manifest, record)
            hash_all = hashed == "always" or (hashed == "once" and path not in self.verified)
            with storage_errors("Reading a checkpoint", folder):
                sound = stamped_if_sound(folder, record, hash_all=hash_all)
            if sound is None:
                if path.exists() and self.exchange.has(manifest, record):
                    drop_file(path)
                return False
            if sound != record:
                with self._writing():
                    self.exchange.restamp(manifest, sound)
            if hash_all or sound != record:
                self.verified.add(path)
            return True

    def _push(self, address: Address, manifest: Manifest) -> Manifest:
        if (total := self._bytes_to_push([manifest])) >= _TOLD_BYTES:
            self.announce(f"{manifest.segment}: pushes {size(total)} to {self.url}")
        return self.exchange.push(address, manifest)

    def _bytes_to_push(self, manifests: Iterable[Manifest]) -> int:
        """The bytes of their files that the URL does not have."""
        missing = {
            (manifest.segment, manifest.key, record.file): record.bytes
            for manifest in manifests
            for _, record in manifest.records()
            if not self.exchange.has(manifest, record)
        }
        return sum(missing.values())

    def _push_pending(self) -> None:
        """Push what was made here and has not reached the URL; drop what is no longer whole.

        What cannot be pushed ends the run once it is used.
        """
        dropped, pending = False, list(self.exchange.pending())
        total = self._bytes_to_push(manifest for _, manifest in pending)
        if len(pending) > 1 and total >= _TOLD_BYTES:
            self.announce(
                f"{self.url} has not got yet {len(pending)} checkpoints that are here: pushes "
                f"{size(total)} first"
            )
        for address, manifest in pending:
            if all(self.holds(manifest, record) for _, record in manifest.records()):
                try:
                    self._push(address, manifest)
                except StorageError as error:
                    self.exchange.require_lease()
                    self._unpushed[address.segment, address.key] = error
            else:
                (self.folder / address.folder / address.name).unlink(missing_ok=True)
                dropped = True
        if dropped:  # the URL may have a former one
            self.exchange.pull()

    def _keep_bound(self, more: int) -> None:
        """Evict files, so that the cache takes no more than it may, with so many bytes more.

        Not beside a run on this machine, which may be about to load them.
        """
        if self.exchange.may_write and (self._is_locked or not self.is_in_use()):
            self._cache.keep_bound(more, self.exchange.evictable)

    def _leave_former(self) -> None:
        """Drop what was pulled from a former URL and never came, unless a run is at work."""
        if (self.folder / SEEN).is_file() and os.access(self.folder, os.W_OK):
            with self._alone(0) as is_alone:
                if is_alone and not self.is_in_use():
                    forget_unfetched(self.folder, self.url)

    @contextlib.contextmanager
    def _lease(self) -> Iterator[None]:
        """Hold the lease of the URL, once the folder there is ours; none where none is wanted."""
        noted = claim(self.exchange.objects, self.exchange.pipeline)
        is_asked = self._remote.lease is not None  # it may have conditions by now
        self.exchange.use(self._remote.open(noted.conditional or (None if is_asked else False)))
        if self._remote.lease is None:
            yield
            return
        name = object_name(self.exchange.pipeline, LEASE)
        with leased(self.exchange.objects, self._remote.lease, name) as lease:
            self.exchange.require_lease = lease.require_held
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Have the cache to itself if that is possible at once, to note something there."""
        if self.exchange.may_write or not os.access(self.folder, os.W_OK):
            yield
            return
        with self._alone(0):
            yield

    @contextlib.contextmanager
    def _alone(self, seconds: float) -> Iterator[bool]:
        """Whether this process alone brings manifests into the cache, meanwhile."""
        lock = acquired(self.folder / CACHE_LOCK, seconds)
        self.exchange.may_write = lock is not None
        try:
            yield lock is not None
        finally:
            self.exchange.may_write = False
            if lock is not None:
                lock.release()
