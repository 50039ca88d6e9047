"""Find, check and hash the inputs and params that pipeline.toml and `--set` name."""

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
from pydantic import PydanticUserError, TypeAdapter, ValidationError

from ..base.errors import ConfigurationError, nearest
from ..base.files import checksum, files_in, replace_text, stamp
from ..base.settings import PIPELINE_FILE, Settings, Wiring
from ..graph.graph import Graph

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
        ConfigurationError: a file is missing, or a glob matches nothing.
    """
    used = {parameter.name for step in graph.steps for parameter in step.parameters}
    return {
        name: _find(name, str(changed.get(name, text)), settings.root, cache)
        for name, text in settings.wiring.inputs.items()
        if name in used
    }


def check_params(graph: Graph, wiring: Wiring, changed: Mapping[str, Any]) -> dict[str, Any]:
    """Every param's value, checked against the annotation of each step that takes it.

    Raises:
        ConfigurationError: a value does not fit an annotation.
    """
    params = {n: changed.get(n, value) for n, value in wiring.params.items()}
    for step in graph.steps:
        for parameter in step.parameters:
            if parameter.name not in params:
                continue
            value = params[parameter.name]
            try:
                TypeAdapter(parameter.annotation).validate_python(value, strict=True)
            except ValidationError as error:
                raise ConfigurationError(
                    f"param `{parameter.name}` is {value!r}, but {step.place} takes "
                    f"`{parameter.name}: {parameter.type_name}`: {error.errors()[0]['msg']}",
                    step=step.name,
                ) from None
            except PydanticUserError:
                raise ConfigurationError(
                    f"{step.place}: parameter `{parameter.name}` is one of [params]; annotate it "
                    f"as what TOML gives, such as `int`, not as {parameter.type_name}.",
                    step=step.name,
                ) from None
    return params


def check_names(wiring: Wiring, changed: Mapping[str, Any]) -> None:
    """Refuse a changed value that is neither a param nor an input. Raises ConfigurationError."""
    known = [*wiring.params, *wiring.inputs]
    for name in changed:
        if name not in known:
            raise ConfigurationError(
                f"`{name}` is neither under [params] nor under [inputs] in "
                f"{PIPELINE_FILE}{nearest(name, known)}"
            )


def argument(source: Input, annotation: Any) -> Any:
    """The value that a step receives for an input: the configured path, the URL, or the files."""
    return list(source.files) if annotation == list[Path] else source.place


def _find(name: str, text: str, root: Path, cache: HashCache) -> Input:
    if "://" in text:
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
