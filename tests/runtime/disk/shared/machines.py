"""Machines that share checkpoints at a URL: each has a cache of its own, and none runs a step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from flight_delays.checkpointing.disk.manifest import Manifest
from flight_delays.checkpointing.disk.owner import Owner
from flight_delays.checkpointing.disk.place import Place
from flight_delays.checkpointing.disk.shared.objects import Objects, open_objects
from flight_delays.checkpointing.disk.shared.remote import Remote
from flight_delays.checkpointing.disk.shared.store import SharedStore

PLENTY = 10**12  # bytes that a cache may take


def machine(
    folder: Path,
    url: str,
    *,
    cache_max: int = PLENTY,
    objects: Objects | None = None,
    lease: float = 60.0,
) -> SharedStore:
    """The store of a machine whose cache is in that folder, as another process would open it."""
    place = Place(folder / "checkpoints" / "demo", "checkpoints", Owner(folder, "demo"), "")
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    place.claim()

    def opened(is_conditional: bool | None) -> Objects:
        return objects or open_objects(url, is_conditional)

    return SharedStore(place, Remote(opened, lease, cache_max), "demo")


def files(store: SharedStore) -> set[str]:
    """The files in the cache that belong to checkpoints."""
    found = (path for path in store.folder.glob("*/*/**/*") if path.is_file())
    return {path.relative_to(store.folder).as_posix() for path in found}


def objects_at(url: str) -> dict[str, int]:
    """The objects at a URL that belong to checkpoints, with their bytes."""
    return {
        stored.name.removeprefix("demo/"): stored.bytes
        for stored in open_objects(url).list("demo")
        if stored.name.count("/") > 2
    }


def at(url: str, name: str) -> Path:
    """The file of an object at a file URL."""
    return Path(url.removeprefix("file://")) / "demo" / name


def paths_of(manifest: Manifest) -> set[str]:
    """The files of a checkpoint, its manifest included."""
    folder = f"{manifest.segment}/{manifest.key}"
    named = {f"{folder}/{record.file}" for _, record in manifest.records()}
    return named | {f"{folder}/manifest.json"}


class Killed(BaseException):
    """What ends a process in the middle of a request, as far as a test can tell."""


class Fragile:
    """Objects whose process is killed at a request that changes something.

    Args:
        after: how many such requests are made before.
        is_done: whether the last one still reaches the storage.
    """

    def __init__(self, url: str, after: int, *, is_done: bool) -> None:
        self._objects = open_objects(url)
        self._left, self._is_done = after, is_done
        self.changes: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._objects, name)
        if name not in ("create", "replace", "upload", "copy", "remove"):
            return method

        def changing(*arguments: Any) -> Any:
            self._left -= 1
            if self._left < 0 and not self._is_done:
                raise Killed
            self.changes.append(name)
            result = method(*arguments)
            if self._left < 0:
                raise Killed
            return result

        return changing


class Altered:
    """Objects of which a test alters one method or several, and leaves the others."""

    def __init__(self, url: str, **methods: Callable[..., Any]) -> None:
        self._objects = open_objects(url)
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._objects, name)
        if name not in self._methods:
            return method
        return lambda *arguments: self._methods[name](method, *arguments)


def altered(url: str, **methods: Callable[..., Any]) -> Objects:
    """Objects whose methods of these names are called with the true one before their arguments."""
    return cast(Objects, Altered(url, **methods))


def fragile(url: str, after: int, *, is_done: bool) -> Objects:
    """Such objects, as what they stand for."""
    return cast(Objects, Fragile(url, after, is_done=is_done))


def damage(path: Path) -> None:
    """Flip a byte of a file in place."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


Making = Callable[..., Manifest]
