"""What a URL had when it was last compared with the local cache: a small file beside the cache.

A manifest of the cache that is not in it was made here and is not at the URL yet. One that is in
it, and no longer at the URL, was removed there.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import MISSING, Field, asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import xxhash

from ...base.errors import StorageError
from ...base.files import replace_text
from ...base.reading import read_json
from ..manifest import MANIFEST, PARTIAL, FileRecord, Manifest, read_manifest
from ..store import SEEN
from .addresses import Address, address_of


@dataclass(frozen=True)
class Seen:
    """A manifest as it was both at the URL and here."""

    tag: str
    """Of the object."""

    digest: str
    """Of the content, without what differs from machine to machine."""


def read_seen(folder: Path, url: str) -> dict[Address, Seen]:
    """What a URL had; nothing if the file is missing, damaged, or about another URL.

    Without it nothing is lost: what is here is compared with the URL anew.
    """
    try:
        content = read_json(folder / SEEN)
        if content["url"] != url:
            return {}
        known = ((address_of(path), Seen(**seen)) for path, seen in content["manifests"].items())
        return {address: seen for address, seen in known if address is not None}
    except (OSError, KeyError, TypeError, AttributeError):
        return {}


def write_seen(folder: Path, url: str, seen: dict[Address, Seen]) -> None:
    """Remember what a URL has, durably."""
    manifests = {address.path: asdict(seen[address]) for address in sorted(seen)}
    replace_text(folder / SEEN, json.dumps({"url": url, "manifests": manifests}, indent=1))


def forget_unfetched(folder: Path, url: str | None) -> None:
    """Drop what was pulled from another URL than this and never came here in full.

    Without that URL its files are not damaged, but nowhere. Whoever calls this has the cache alone.
    """
    try:
        former = read_json(folder / SEEN)["url"]
    except (OSError, KeyError, TypeError):
        return
    if former == url:
        return
    for path in [path for name in (MANIFEST, PARTIAL) for path in folder.glob(f"*/*/{name}")]:
        with contextlib.suppress(StorageError):
            manifest = read_manifest(path.parent, path.name)
            records = manifest.records() if manifest else []
            if any(not os.path.lexists(path.parent / record.file) for _, record in records):
                path.unlink(missing_ok=True)
    (folder / SEEN).unlink(missing_ok=True)


def for_all(manifest: Manifest) -> Manifest:
    """A manifest without the stamps of its files, which are those of one machine."""
    return manifest.with_records(unstamped)


def unstamped(record: FileRecord) -> FileRecord:
    """A record without what `stat` gives on one machine."""
    return replace(record, mtime_ns=0, inode=0)


def digest_of(manifest: Manifest) -> str:
    """A digest of what a manifest says to everybody.

    What has its default is left out: so a runtime with further fields has the same digest.
    """
    said = _essentials(for_all(manifest))
    return xxhash.xxh3_128_hexdigest(json.dumps(said, sort_keys=True).encode())


def _essentials(part: Any) -> Any:
    """A manifest, or a part of it, without the fields that have their default."""
    if isinstance(part, dict):
        return {name: _essentials(inner) for name, inner in part.items()}
    if isinstance(part, tuple):
        return [_essentials(inner) for inner in part]
    if not is_dataclass(part):
        return part
    return {
        field.name: _essentials(own)
        for field in fields(part)
        if (own := getattr(part, field.name)) != _default(field)
    }


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
