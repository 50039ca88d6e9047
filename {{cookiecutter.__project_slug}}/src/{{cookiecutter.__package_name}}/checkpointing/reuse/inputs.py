"""Find, check and hash the inputs that pipeline.toml and `--set` name."""

from __future__ import annotations

import contextlib
import glob
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from ..base.errors import ConfigurationError
from ..base.files import checksum, files_in, replace_text, stamp
from ..base.settings import PIPELINE_FILE, Settings
from ..graph.graph import Graph
from ..graph.places import is_url, needed_annotation, problem_of_place

_SETTLED_NS = 50_000_000  # a younger file may change again within one tick of its mtime


@dataclass(frozen=True)
class Input:
    """One entry of [inputs]: the path or URL as configured, its files, a hash of their contents.

    The contents behind a URL are not hashed: `digest` is of the address. `stamps`, one for each
    file, show whether the file may have changed since it was hashed.
    """

    text: str
    place: Path | str
    files: tuple[Path, ...]
    digest: str
    stamps: tuple[tuple[int, int], ...] = ()

    @property
    def is_url(self) -> bool:
        return isinstance(self.place, str)


class HashCache:
    """Checksums of files that were hashed before, valid while size, mtime and inode are the same.

    It does not notice a change that keeps all three, such as bytes written in place by a program
    that sets the mtime back; `status --verify` hashes everything. A file that was modified a
    moment ago is hashed again next time: the clock is coarse, so another change may get the same
    mtime. Two processes may each save their checksums, and the last save replaces the other: the
    files whose checksums are lost are hashed again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        self._known: dict[str, tuple[str, str]] = {}  # by path: a stamp, the checksum
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):  # may be lost
            known = json.loads(path.read_text()).items()
            self._known |= {name: (str(at), str(digest)) for name, (at, digest) in known}

    def checksum(self, path: Path) -> str:
        """xxh3_128 of a file, hashed only when it may have changed."""
        stat = path.stat()
        stamp = f"{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ino}"
        known_at, digest = self._known.get(str(path), ("", ""))
        if known_at != stamp:
            digest = checksum(path)
            if time.time_ns() - stat.st_mtime_ns >= _SETTLED_NS:
                self._known[str(path)] = stamp, digest
                self._changed = True
        return digest

    def save(self) -> None:
        """Save new checksums for the next run, if the disk has space for them."""
        if self._changed:
            with contextlib.suppress(OSError):  # on a full disk, `clean` still has to work
                replace_text(self._path, json.dumps(self._known, indent=0))
            self._changed = False


def find_inputs(
    graph: Graph, settings: Settings, changed: Mapping[str, Any], cache: HashCache
) -> dict[str, Input]:
    """Every input that a step reads; those in `changed` replace the configured ones.

    Raises:
        ConfigurationError: a file is missing, a glob matches nothing, or a changed input is not
            what a step asks for.
    """
    used = {parameter.name for step in graph.steps for parameter in step.parameters}
    texts = {n: changed.get(n, text) for n, text in settings.wiring.inputs.items() if n in used}
    for name in texts.keys() & changed.keys():
        _require_fitting(name, changed[name], graph, settings.root)
    return {name: _find(name, str(text), settings.root, cache) for name, text in texts.items()}


def argument(source: Input, annotation: Any) -> Any:
    """The value that a step receives for an input: the configured path, the URL, or the files."""
    return list(source.files) if annotation == list[Path] else source.place


def _require_fitting(name: str, text: Any, graph: Graph, root: Path) -> None:
    """Refuse a changed input as pipeline.toml would be. Raises ConfigurationError."""
    if not isinstance(text, str | Path):
        raise ConfigurationError(f"input `{name}` is {text!r}, not a path or a URL as text.")
    if problem := problem_of_place(str(text), root):
        raise ConfigurationError(f"input `{name}` = {str(text)!r} {problem}.")
    for step in graph.steps:
        for parameter in (p for p in step.parameters if p.name == name):
            if needed := needed_annotation(str(text), root, parameter.annotation):
                raise ConfigurationError(
                    f"input `{name}` = {str(text)!r}: {step.place} takes "
                    f"`{name}: {parameter.type_name}`; annotate it {needed}, or name another.",
                    step=step.name,
                )


def _find(name: str, text: str, root: Path, cache: HashCache) -> Input:
    if is_url(text):
        return Input(text, text, (), xxhash.xxh3_128_hexdigest(text.encode()))
    place = root / text
    if place.is_dir():
        files = files_in(place)
    elif place.is_file():
        files = [place]
    else:
        matches = glob.glob(text, root_dir=root, recursive=True)
        files = sorted(root / match for match in matches if (root / match).is_file())
    if not files:
        raise ConfigurationError(
            f"input `{name}`: {place} {_absence(place, text)}. Correct [inputs] in "
            f"{PIPELINE_FILE}, or name another with `--set {name}=PATH`."
        )
    base = place
    while not base.is_dir():
        base = base.parent
    try:
        stamps = tuple(stamp(file) for file in files)
        parts = [f"{file.relative_to(base).as_posix()}\0{cache.checksum(file)}" for file in files]
    except OSError as error:
        raise ConfigurationError(f"input `{name}` cannot be read: {error}.") from None
    digest = xxhash.xxh3_128_hexdigest("\0".join(parts).encode())
    return Input(text, place, tuple(files), digest, stamps)


def _absence(place: Path, text: str) -> str:
    if glob.has_magic(text):
        return "matches no file"
    if place.is_dir():
        return "is an empty folder"
    return "does not exist"
