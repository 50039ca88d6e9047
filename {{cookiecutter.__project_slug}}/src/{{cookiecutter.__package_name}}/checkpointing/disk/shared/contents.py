"""What lies in the folder of a pipeline at a URL: each object, by checkpoint and by file.

The files of a step may have any name, objects may not. So all but letters, digits and some signs is
written as `%20` is in a URL.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

from ...base.errors import StorageError
from ...base.names import is_aside_name, is_value_name
from ..manifest import MANIFEST, PARTIAL
from .addresses import Address
from .objects import Stored
from .trust import is_plain_path

_PLAIN = "/=+,@"  # besides letters, digits and `_.-~`
MOST_NAME_BYTES = 1024  # of a whole name, in S3, in Google's and in Azure's storage
MOST_PART_BYTES = 240  # of a file's name on a disk: 255, less what marks an unfinished one
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_OLD = timedelta(hours=1)  # of what is written for a moment
_DEPTH = 3  # segment, key, and at least one name


def object_name(*parts: str) -> str:
    """The name, relative to the URL, of an object with that path."""
    return "".join(
        letter if letter > "\x7f" and letter.isprintable() else quote(os.fsencode(letter), _PLAIN)
        for letter in "/".join(parts)
    )


def require_short(url: str, name: str, path: Path) -> None:
    """Refuse a name that the storage does not take. Raises StorageError.

    Args:
        path: the file that is to have it.
    """
    is_on_disk = url.startswith(("file://", "hdfs://"))
    own = urlsplit(url).path.strip("/")
    longest = max(name.split("/"), key=_bytes_of) if is_on_disk else f"{own}/{name}"
    most = MOST_PART_BYTES if is_on_disk else MOST_NAME_BYTES
    if (count := _bytes_of(longest)) > most:
        with_folders = "" if is_on_disk else ", with the folders before it,"
        raise StorageError(
            f"{path.name} cannot be sent to {url}: its name there would have {count:,} bytes"
            f"{with_folders} and {most:,} is the most. Have the step give its files shorter names."
        )


def _bytes_of(name: str) -> int:
    return len(name.encode())


class Contents:
    """The objects of a pipeline's checkpoints; kept up to date by whoever writes and removes.

    Safe for threads. Not safe between processes: it is as old as its listing, or as the last change
    made through it.
    """

    def __init__(self, pipeline: str, listing: Iterable[Stored] = ()) -> None:
        self._prefix = f"{pipeline}/"
        self._lock = threading.Lock()
        self._at: dict[tuple[str, str], dict[str, Stored]] = {}
        self._beside: list[Stored] = []
        for stored in listing:
            path = _unquoted(stored.name)
            is_inside = path.startswith(self._prefix) and path.count("/") >= _DEPTH
            if is_inside and is_plain_path(path):
                segment, key, inside = path.removeprefix(self._prefix).split("/", 2)
                if {segment, key} & {"", ".", ".."}:
                    continue  # no run wrote it, and as a path it would lead elsewhere
                self._at.setdefault((segment, key), {})[inside] = stored
            elif not is_inside:
                self._beside.append(stored)

    def name(self, segment: str, key: str, inside: str) -> str:
        """The name of an object, relative to the URL."""
        return object_name(f"{self._prefix}{segment}/{key}/{inside}")

    def checkpoints(self) -> list[tuple[str, str]]:
        """The segment and the key of all folders of checkpoints, also of those set aside."""
        with self._lock:
            return sorted(self._at)

    def at(self, segment: str, key: str) -> dict[str, Stored]:
        """All objects in the folder of a checkpoint, by their path in it."""
        with self._lock:
            return dict(self._at.get((segment, key), {}))

    def ours_at(self, segment: str, key: str) -> dict[str, Stored]:
        """Those of them that a run has written: manifests, and files with a seal in their name."""
        return {
            inside: stored
            for inside, stored in self.at(segment, key).items()
            if inside in (MANIFEST, PARTIAL) or _is_sealed(segment, key, inside)
        }

    def is_ours(self, name: str) -> bool:
        """Whether the name of an object is one that only a run gives."""
        segment, _, rest = _unquoted(name).removeprefix(self._prefix).partition("/")
        key, _, inside = rest.partition("/")
        return inside in (MANIFEST, PARTIAL) or _is_sealed(segment, key, inside)

    def litter(self, mark: str) -> list[str]:
        """Objects beside the checkpoints with that in their name, which nobody uses any more.

        They are an hour older than the last one that was written, by the clock of the storage.
        """
        last = max((stored.modified for stored in self._beside), default=_LONG_AGO)
        return [s.name for s in self._beside if mark in s.name and last - s.modified > _OLD]

    def manifests(self) -> dict[Address, Stored]:
        """The manifests that count; one of finished parts does not beside a checkpoint."""
        with self._lock:
            every = {
                Address(segment, key, name): inside[name]
                for (segment, key), inside in self._at.items()
                for name in (MANIFEST, PARTIAL)
                if name in inside and not is_aside_name(segment, key)
            }
        return {
            address: stored
            for address, stored in every.items()
            if address.name == MANIFEST or address.complete not in every
        }

    def files(self, segment: str, key: str, file: str) -> dict[str, Stored]:
        """The objects of a file, or of all files in a folder, by their path in it or `.`."""
        with self._lock:
            inside = self._at.get((segment, key), {})
            if file in inside:
                return {".": inside[file]}
            return {
                path.removeprefix(f"{file}/"): stored
                for path, stored in inside.items()
                if path.startswith(f"{file}/")
            }

    def put(self, segment: str, key: str, inside: str, count: int, tag: str = "") -> None:
        """Note an object of so many bytes that was written."""
        stored = Stored(self.name(segment, key, inside), count, tag, datetime.now(UTC))
        with self._lock:
            self._at.setdefault((segment, key), {})[inside] = stored

    def drop(self, segment: str, key: str, inside: Iterable[str]) -> None:
        """Note that objects were removed."""
        with self._lock:
            folder = self._at.get((segment, key), {})
            for path in inside:
                folder.pop(path, None)
            if not folder:
                self._at.pop((segment, key), None)

    @property
    def bytes(self) -> int:
        """Bytes of all objects."""
        with self._lock:
            return sum(stored.bytes for inside in self._at.values() for stored in inside.values())


def _is_sealed(segment: str, key: str, inside: str) -> bool:
    return is_value_name(Address(segment, key, "").folder, inside.partition("/")[0])


def _unquoted(name: str) -> str:
    return os.fsdecode(unquote_to_bytes(name))
