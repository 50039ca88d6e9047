"""Open the checkpoints of a pipeline, wherever they are."""

from __future__ import annotations

import os
from functools import partial

from ..base.settings import Settings
from .locks import acquired
from .place import checkpoints_place
from .store import SEEN, Store


def open_store(settings: Settings, pipeline: str) -> Store:
    """The checkpoints of a pipeline: in a folder, or at a URL with a cache in that folder.

    Nothing is read or sent yet; but a folder that was the cache of a URL becomes one without.
    Raises StorageError when a package is missing.
    """
    place = checkpoints_place(settings, pipeline)
    url, checkpoints = settings.checkpoints_url, settings.memory.checkpoints
    if url is not None:
        from .shared.objects import open_objects  # a project without a URL does without these
        from .shared.remote import Remote
        from .shared.store import SharedStore

        remote = Remote(partial(open_objects, url), checkpoints.lease, checkpoints.cache_max)
        return SharedStore(place, remote, pipeline)
    store = Store(place.folder)
    may_write = os.access(place.folder, os.W_OK)  # it may be another user's
    if may_write and (place.folder / SEEN).is_file() and place.is_ours():
        from .shared.seen import forget_unfetched
        from .shared.store import CACHE_LOCK

        lock = acquired(place.folder / CACHE_LOCK, 0)
        if lock is not None:
            if not store.is_in_use():
                forget_unfetched(place.folder, None)
            lock.release()
    return store
