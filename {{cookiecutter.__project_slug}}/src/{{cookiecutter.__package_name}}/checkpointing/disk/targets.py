"""The targets of a project: where each value that [outputs] names is published."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeAlias

from ..base.location import PACKAGE_NAME
from ..base.settings import Settings
from ..base.urls import checked_url, is_url
from ..codecs import suffix_of
from .claims import Target
from .owner import Owner

if TYPE_CHECKING:  # a project without a URL does without it
    from .shared.publishing import ObjectTarget

AnyTarget: TypeAlias = "Target | ObjectTarget"
"""A path, or a URL."""


def targets(settings: Settings) -> dict[str, AnyTarget]:
    """The target of each published value, by the value's name; no storage is opened yet.

    `[outputs]` belongs to the project, so a pipeline that is renamed or cut in two publishes to the
    targets of the former one.
    """
    owner, named = Owner(settings.root, None), settings.wiring.outputs
    urls = {value: checked_url(text) for value, text in named.items() if is_url(text)}
    at_urls = _at_urls(urls)
    return {
        value: at_urls.get(value) or Target(value, settings.root / text, owner)
        for value, text in named.items()
    }


def _at_urls(urls: dict[str, str]) -> dict[str, ObjectTarget]:
    if not urls:
        return {}
    from .shared.objects import open_objects
    from .shared.publishing import ObjectTarget

    opened = functools.cache(open_objects)
    return {value: ObjectTarget(value, url, PACKAGE_NAME, opened) for value, url in urls.items()}


def suffixes(settings: Settings) -> dict[str, str]:
    """The suffix of each path or URL where a value is published, by the value's name."""
    return {value: suffix_of(text) for value, text in settings.wiring.outputs.items()}
