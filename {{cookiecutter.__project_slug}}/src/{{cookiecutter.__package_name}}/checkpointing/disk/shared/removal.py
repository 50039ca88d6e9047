"""Remove objects of a checkpoint at a URL, so that half a checkpoint never counts."""

from __future__ import annotations

from collections.abc import Iterable

from ..manifest import MANIFEST, PARTIAL
from .contents import Contents
from .objects import Objects


def remove_objects(
    objects: Objects, contents: Contents, segment: str, key: str, inside: Iterable[str]
) -> int:
    """Remove objects by their path in a checkpoint, manifests before what they name.

    Returns their bytes. Raises StorageError.
    """
    at = contents.at(segment, key)
    manifests = [name for name in inside if name in (MANIFEST, PARTIAL)]
    files = [name for name in inside if name not in manifests]
    freed = 0
    for names in (manifests, files):
        if names:
            objects.remove([at[name].name for name in names])
            contents.drop(segment, key, names)
            freed += sum(at[name].bytes for name in names)
    return freed
