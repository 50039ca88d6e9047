"""Send away what a segment reads: values of earlier segments, what it has made so far, and inputs.

Just the values that its steps take are sent, and of a table just the columns that all of them
together ask for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..base.files import storage_errors
from ..codecs.several import value_of
from ..disk.hashed import is_sound
from ..disk.manifest import MANIFEST, PARTIAL, FileRecord, Manifest
from ..disk.shared.addresses import Address
from ..disk.shared.claim import claim
from ..disk.shared.exchange import Exchange
from ..disk.shared.objects import Objects
from ..disk.shared.transfer import several
from ..disk.store import Damaged
from ..executors.storage import INPUTS
from ..graph.steps import Segment, Step
from ..reuse.bound import Bound, trees
from ..reuse.inputs import Input
from ..worker.calling import columns_read
from ..worker.messages import DamageFound
from ..worker.trimming import Trim, Trimmed, TrimOrder, trim
from ..worker.unchanged import require_unchanged
from .errand import Sent, SentInput
from .job import Job
from .processes import Finished, run_worker

_OUTSIDE = "inputs-from-outside"  # of the project: a folder there


def stage_values(
    job: Job, steps: tuple[Step, ...], before: Manifest | None, objects: Objects, folder: Path
) -> int:
    """Send the values of earlier segments that some steps take, and what the segment has already.

    Args:
        steps: those that are left to run.
        before: the segment's finished parts, and what it took over from former checkpoints.
        objects: where to.
        folder: a new one, for manifests and for tables with fewer columns.

    Returns the bytes that were sent. Raises Damaged and StorageError.
    """
    pipeline, store = job.bound.graph.name, job.bound.store
    exchange = Exchange(objects, pipeline, folder / pipeline)
    with storage_errors("Staging a segment", folder):
        exchange.folder.mkdir(parents=True)
    claim(objects, pipeline)
    exchange.look()
    columns = columns_read(steps)
    taken = {parameter.taken for step in steps for parameter in step.parameters}
    needed: dict[tuple[str, str], dict[str, FileRecord]] = {}
    manifests: dict[tuple[str, str], Manifest] = {}
    for name, manifest in job.upstream.items():
        if name not in taken:
            continue
        address = manifest.segment, manifest.key
        manifests[address] = manifest
        needed.setdefault(address, {}).update(manifest.taken(name))
    store.begin()
    trims, linked = list[Trim](), dict[tuple[str, str], dict[str, FileRecord]]()
    for address, records in needed.items():
        source, target = store.path(*address), exchange.folder.joinpath(*address)
        with storage_errors("Staging a segment", folder):
            target.mkdir(parents=True)
        linked[address] = {}
        for name, record in store.bring(manifests[address], records).items():
            wanted = _columns(columns, name)
            if wanted is not None and record.format in ("arrow", "parquet"):
                trims.append(Trim(name, record, wanted, source, target))
            else:
                linked[address][name] = _linked(source, target, record, name, job)
    for each, smaller in zip(trims, _trimmed(job, trims), strict=True):
        if smaller is None or smaller.bytes >= each.record.bytes:
            smaller = _linked(each.folder, each.target, each.record, each.value, job)
        linked[each.target.parent.name, each.target.name][each.value] = smaller
    for address, records in linked.items():
        sent = replace(manifests[address], values=records, outputs={}, published={}, journal="")
        exchange.push(Address(*address, MANIFEST), sent)
    if before is not None:
        _stage_before(job, before, exchange)
    return exchange.pushed_bytes


def _stage_before(job: Job, before: Manifest, exchange: Exchange) -> None:
    store, address = job.bound.store, (before.segment, before.key)
    source, target = store.path(*address), exchange.folder.joinpath(*address)
    with storage_errors("Staging a segment", target):
        target.mkdir(parents=True, exist_ok=True)
    records = store.bring(before, dict(before.records()))
    for name, record in records.items():
        _linked(source, target, record, name, job)
    exchange.push(Address(*address, PARTIAL), replace(before, journal=""))


def _columns(columns: Mapping[str, tuple[str, ...] | None], name: str) -> tuple[str, ...] | None:
    """The columns that are read of a value or an item; None for all."""
    wanted = [columns[n] for n in (name, value_of(name)) if n in columns]
    if not wanted or None in wanted:
        return None
    return tuple(dict.fromkeys(column for each in wanted for column in each or ()))


def _linked(source: Path, target: Path, record: FileRecord, value: str, job: Job) -> FileRecord:
    """Have a file of a checkpoint in the folder that is sent. Raises Damaged, StorageError."""
    path, store = source / record.file, job.bound.store
    if path not in store.verified:
        if not is_sound(source, record):
            raise Damaged(value)
        store.verified.add(path)
    link = target / record.file
    with storage_errors("Staging a segment", target):
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(path.resolve())
    return record


def _trimmed(job: Job, trims: list[Trim]) -> Iterator[FileRecord | None]:
    """The records of the smaller files; None for each if making them took too much memory."""
    if not trims:
        return iter(())
    bound = job.bound
    order = TrimOrder(
        bound.settings.root,
        tuple(trims),
        bound.store.allowance(bound.settings, job.segment.name),
        job.log,
        bound.secrets,
    )
    with job.shares.grant(None) as grant:
        ending = run_worker(
            trim,
            (order,),
            is_last=lambda message: True,
            on_message=lambda message: None,
            on_sample=lambda held, beside: None,
            limit=grant,
            count=job.budget.count,
        )
    match ending:
        case Finished(Trimmed(records)):
            return iter(records)
        case Finished(DamageFound(value)):
            raise Damaged(value)
    return iter([None] * len(trims))


def stage_inputs(
    bound: Bound, segment: Segment, steps: tuple[Step, ...], objects: Objects
) -> tuple[SentInput, ...]:
    """Send the input files of a segment that some of its steps take; what is known of all.

    Of a step that runs for each file, all are sent: what it has done is known by them.

    Raises ConfigurationError if one has changed since it was hashed, and StorageError.
    """
    require_unchanged([bound.code[segment.name]], trees(bound, segment), Path.read_bytes)
    taken = {parameter.name for step in steps for parameter in step.parameters}
    taken |= {step.each for step in segment.steps}
    inputs, number = list[SentInput](), 0
    for name in sorted({p.name for step in segment.steps for p in step.parameters}):
        source = bound.inputs.get(name)
        if source is None or source.is_url:
            continue
        if name not in taken or source.is_absent or source.tree is None:
            is_absent = source.is_absent
            inputs.append(SentInput(name, source.text, source.digest, is_absent=is_absent))
            continue
        base, tree = source.tree.scope.base, source.tree
        place, text = _place_there(name, source, bound.settings.root)

        def there(inside: str, place: str = place) -> str:
            return os.path.normpath(os.path.join(place, inside))

        names = {f"{INPUTS}/{number + n}": inside for n, inside in enumerate(tree.checksums)}
        number += len(names)
        sizes = {o: entry[0] for o, i in names.items() if (entry := tree.entries[i].stamp)}
        sent = several(partial(_upload, objects, base, names), sizes)
        files = tuple(Sent(o, there(names[o]), digest) for o, digest in sent)
        folders = tuple(there(n) for n, entry in tree.entries.items() if entry.kind == "folder")
        inputs.append(
            SentInput(name, text, source.digest, False, dict(tree.checksums), files, folders)
        )
    return tuple(inputs)


def _upload(objects: Objects, base: Path, names: Mapping[str, str], name: str) -> str:
    return objects.upload(name, base / names[name])


def _place_there(name: str, source: Input, root: Path) -> tuple[str, str]:
    """The folder there, relative to the project's, of an input's files; and its path or glob."""
    assert source.tree is not None, "it has files"
    base, text = source.tree.scope.base, source.tree.scope.place
    lies_within = os.path.normpath(base).startswith(os.path.normpath(root) + os.sep)
    if lies_within and not os.path.isabs(source.text):
        return os.path.relpath(base, root), source.text
    inside = os.path.relpath(text, base)
    place = f"{_OUTSIDE}/{name}"
    return place, place if inside == "." else f"{place}/{inside}"
