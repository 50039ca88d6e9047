"""Bring back what a segment has made elsewhere: verified, and committed here as everywhere."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from ..base.errors import StorageError
from ..base.files import storage_errors
from ..base.units import size
from ..disk.commit import Commit
from ..disk.hashed import is_sound
from ..disk.manifest import MANIFEST, PARTIAL, FileRecord, Manifest, read_manifest
from ..disk.shared.addresses import Address
from ..disk.shared.exchange import Exchange
from ..disk.shared.objects import Objects
from ..reuse.bound import as_json
from .job import Job


class NotAsSent(StorageError):
    """What lies in storage is not what was sent, or not of this segment: it helps nobody."""


def collect(job: Job, objects: Objects, folder: Path, *, complete: bool) -> Manifest | None:
    """Fetch what the segment of a job has made, and commit it: its checkpoint, or finished parts.

    It is complete only where its result says so, which is written last.

    Every file is compared with its sha256 and its checksum before anything is committed. Until
    then, whatever this segment had here stays as it was.

    Args:
        objects: where its checkpoint was pushed to.
        folder: a new one, for what comes.
        complete: whether it is; else there may be nothing, and this returns None.

    Raises NotAsSent if something is missing or damaged, and StorageError if the storage or this
    disk refuses, or if there is no room for it.
    """
    store, segment, key = job.bound.store, job.segment.name, job.key
    exchange = Exchange(objects, job.bound.graph.name, folder / job.bound.graph.name)
    with storage_errors("Fetching a result", folder):
        exchange.folder.mkdir(parents=True)
    exchange.pull()
    came = exchange.local(Address(segment, key, MANIFEST if complete else PARTIAL))
    if came is None and complete:
        raise NotAsSent(
            f"the checkpoint of {segment} is not in {objects.url}, or is damaged there. What was "
            f"here before is as it was; run again.",
            segment=segment,
        )
    if came is None:
        return None
    _require_ours(job, came, complete=complete)
    target = store.path(segment, key)
    former = read_manifest(target, PARTIAL)
    here = {(r.checksum, r.codec, r.format): r for _, r in former.records()} if former else {}
    commit = Commit(target, store.allowance(job.bound.settings, segment))

    def kept(record: FileRecord) -> FileRecord | None:
        mine = here.get((record.checksum, record.codec, record.format))
        is_mine = mine is not None and mine.file == record.file and is_sound(target, mine)
        return mine if is_mine else None

    def taken(value: str, record: FileRecord) -> FileRecord:
        if (mine := own[record.file]) is not None:
            return mine
        try:
            fetched = exchange.fetch(came, record)
        except FileNotFoundError:
            raise NotAsSent(
                f"`{value}` of {segment} is not in {objects.url} as it was sent from there. What "
                f"was here before is as it was; run again.",
                segment=segment,
                step=value,
            ) from None
        return commit.adopt(value, exchange.folder / segment / key, fetched)

    records = {record.file: record for _, record in came.records()}
    own = {file: kept(record) for file, record in records.items()}
    needed = sum(record.bytes for file, record in records.items() if own[file] is None)
    try:
        commit.require_room(needed)
        _require_free(folder, needed)
        files: dict[str, FileRecord] = {}
        for value, record in came.records():
            files[record.file] = files.get(record.file) or taken(value, record)
        use = store.next_use(segment)
        ran = former.ran if former else {}
        made = replace(
            came.with_records(lambda record: files[record.file]),
            use=use,
            ran={
                n: ran[n] if ran.get(n, ("", ""))[1] == at else (use, at)
                for n, (_, at) in came.ran.items()
            },
        )
        commit.finish(made, partial=not complete)
    except BaseException:
        commit.abandon()
        raise
    for record in files.values():
        store.verified.add(target / record.file)
    return store.push(made)


def _require_free(folder: Path, needed: int) -> None:
    """Refuse to fetch more than fits. Raises StorageError."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"the result needs {size(needed)}, {folder} has {size(free)} free. Free some room, and "
            f"run again."
        )


def _require_ours(job: Job, came: Manifest, *, complete: bool) -> None:
    """Refuse a manifest that was made from something else. Raises NotAsSent."""
    steps = {step.name for step in job.segment.steps}
    is_ours = (
        came.pipeline == job.bound.graph.name
        and _plain(came.ingredients) == _plain(as_json(job.ingredients))
        and steps.issuperset(came.steps)
        and (not complete or steps == set(came.steps))
    )
    if not is_ours:
        raise NotAsSent(
            f"what lies in storage as the checkpoint of {job.segment.name} was made from other "
            f"code, params or inputs, so it is not taken. Run again.",
            segment=job.segment.name,
        )


def _plain(content: object) -> object:
    """As JSON gives it back."""
    return json.loads(json.dumps(content))
