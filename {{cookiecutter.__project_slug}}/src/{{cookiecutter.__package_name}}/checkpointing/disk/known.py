"""What is known of each checkpoint without its manifest: a line for each, kept from run to run.

A backfill leaves a checkpoint of each segment for each set of params, and every run asks which of
them were used last, and which could spare it something. To read them all would take the longer the
more there are.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import xxhash

from ..base.errors import StorageError
from ..base.files import replace_text
from ..base.reading import read_json
from .manifest import MANIFEST, PARTIAL, Manifest, read_manifest

KNOWN = "known.json"

_NEAREST = 20  # former checkpoints that are looked at for what they could spare a run
_SHORT = 8  # characters of a step's key that are kept: a wrong match costs a look at the manifest
_SETTLING_NS = 2_000_000_000  # the coarsest step of any file system's times
_UNREADABLE = (OSError, ValueError, TypeError, AttributeError, KeyError)

_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Summary:
    """What the manifest of a checkpoint says, in short.

    Attributes:
        stamp: size, mtime and inode of the manifest that says so.
        params: a digest of its params.
        steps: the beginnings of its steps' keys.
        tidied: the mtime of its folder when nothing was in it that is no checkpoint's; 0: unknown.
    """

    key: str
    stamp: _Stamp
    use: int
    committed_at: str
    params: str
    steps: frozenset[str]
    tidied: int = 0

    @property
    def order(self) -> tuple[int, int, str]:
        """Sorts by use. Among checkpoints of a former runtime, which counted none, times decide."""
        return self.use, self.stamp[1], self.committed_at

    def shares(self, keys: Collection[str]) -> int:
        """How many of some steps' keys it may have."""
        return len(self.steps.intersection(key[:_SHORT] for key in keys))


class Known:
    """Summaries of the checkpoints of one pipeline.

    A summary holds while the manifest is the same file. What is kept is advice: no value is loaded
    and no file removed for what it says, without a look at the manifest itself.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parsed: dict[Path, tuple[_Stamp, Manifest]] = {}
        self._is_changed = False

    @cached_property
    def _summaries(self) -> dict[str, dict[str, Summary]]:
        with contextlib.suppress(*_UNREADABLE):  # it may be lost
            return {
                segment: {each[0]: _summary(each) for each in known}
                for segment, known in read_json(self._folder / KNOWN).items()
            }
        return {}

    def of(self, segment: str) -> list[Summary]:
        """The checkpoints of a segment with a sound manifest, the last made or reused first.

        A copy in a folder of another name does not count.
        """
        known = self._summaries.get(segment, {})
        now: dict[str, Summary] = {}
        for folder in _folders(self._folder / segment):
            with contextlib.suppress(StorageError, FileNotFoundError):  # a run may remove it
                summary = self._look(known.get(folder.name), folder)
                if summary is not None:
                    now[folder.name] = summary
        if now != known:
            self._summaries[segment], self._is_changed = now, True
        return sorted(now.values(), key=lambda summary: summary.order, reverse=True)

    def nearest(self, segment: str, key: str, step_keys: Collection[str]) -> list[Summary]:
        """The checkpoint of a key, and of the others those with the most of these steps' keys."""
        known = self.of(segment)
        known.sort(key=lambda summary: summary.shares(step_keys), reverse=True)
        own = [summary for summary in known if summary.key == key]
        return [*own, *[summary for summary in known if summary.key != key][:_NEAREST]]

    def manifests(self, segment: str, summaries: Iterable[Summary]) -> list[Manifest]:
        """The manifests of some checkpoints, those left out that are there no more."""
        manifests = []
        for summary in summaries:
            with contextlib.suppress(StorageError, FileNotFoundError):  # a run may remove it
                manifest = self.manifest(segment, summary.key)
                manifests += [manifest] if manifest is not None else []
        return manifests

    def manifest(self, segment: str, key: str) -> Manifest | None:
        """The manifest of a checkpoint, read once while it is the same file.

        Raises as `read_manifest`.
        """
        folder = self._folder / segment / key
        try:
            stamp = _stamp(folder)
        except OSError:
            return read_manifest(folder)
        known = self._parsed.get(folder)
        if known is None or known[0] != stamp:
            manifest = read_manifest(folder)
            if manifest is None:
                return None
            known = self._parsed[folder] = stamp, manifest
        return known[1]

    def is_tidy(self, segment: str, key: str) -> bool:
        """Whether a checkpoint's folder is as it was when it was tidied."""
        summary = self._summaries.get(segment, {}).get(key)
        folder = self._folder / segment / key
        with contextlib.suppress(OSError):
            is_same = summary is not None and summary.stamp == _stamp(folder)
            return is_same and summary is not None and summary.tidied == _changed(folder)
        return False

    def note_tidy(self, segment: str, key: str) -> None:
        """Note that a checkpoint's folder has just been tidied, if its next change will show."""
        folder = self._folder / segment / key
        with contextlib.suppress(OSError, StorageError):
            changed = _changed(folder)
            is_settled = time.time_ns() - changed >= _SETTLING_NS
            known = self._summaries.setdefault(segment, {})
            summary = self._look(known.get(key), folder)
            if summary is not None:
                is_tidy = is_settled and not (folder / PARTIAL).exists()
                summary = replace(summary, tidied=changed if is_tidy else 0)
                self._is_changed |= summary != known.get(key)
                known[key] = summary

    def save(self) -> None:
        """Keep what is known for the next run, if the disk has space for it."""
        if self._is_changed:
            content = {
                segment: [_listed(summary) for summary in known.values()]
                for segment, known in self._summaries.items()
                if known
            }
            with contextlib.suppress(OSError):
                replace_text(self._folder / KNOWN, json.dumps(content))
            self._is_changed = False

    def _look(self, known: Summary | None, folder: Path) -> Summary | None:
        try:
            stamp = _stamp(folder)
        except FileNotFoundError:
            return None
        except OSError:
            stamp = 0, 0, 0
        if known is not None and known.stamp == stamp:
            return known
        manifest = self.manifest(folder.parent.name, folder.name)
        if manifest is None or (manifest.segment, manifest.key) != (
            folder.parent.name,
            folder.name,
        ):
            return None
        steps = frozenset(key[:_SHORT] for key in manifest.step_keys.values())
        used, at = manifest.use, manifest.committed_at
        return Summary(folder.name, stamp, used, at, params_digest(manifest), steps)


def params_digest(manifest: Manifest) -> str:
    """A digest of the params that a checkpoint depends on."""
    return xxhash.xxh3_64_hexdigest(json.dumps(manifest.params, sort_keys=True).encode())


def _folders(parent: Path) -> Iterator[Path]:
    """The folders in a folder; none where it cannot be listed."""
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError),
        os.scandir(parent) as listing,
    ):
        yield from [parent / entry.name for entry in listing if entry.is_dir()]


def _stamp(folder: Path) -> _Stamp:
    stat = os.stat(os.path.join(folder, MANIFEST))
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _changed(folder: Path) -> int:
    return os.stat(folder).st_mtime_ns


def _listed(summary: Summary) -> list[object]:
    """A summary as it is kept: the keys of the steps are one text."""
    known = summary.key, summary.stamp, summary.use, summary.committed_at, summary.params
    return [*known, "".join(sorted(summary.steps)), summary.tidied]


def _summary(kept: list[Any]) -> Summary:
    key, (size, mtime, inode), use, at, params, steps, tidied = kept
    cut = frozenset(steps[place : place + _SHORT] for place in range(0, len(steps), _SHORT))
    stamp = int(size), int(mtime), int(inode)
    return Summary(str(key), stamp, int(use), str(at), str(params), cut, int(tidied))
