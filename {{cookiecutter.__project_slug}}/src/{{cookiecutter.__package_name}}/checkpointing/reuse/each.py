"""The items of a step that runs for each of them: what they are called, and the key of each.

An item's key covers what the step's key covers, but of the parameter with the items only this one.
So a new month, or a changed file, runs one item.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..base.errors import ConfigurationError
from ..codecs import format_named
from ..codecs.several import INDEX, item_name, key_of
from ..disk.manifest import FileRecord, Manifest
from ..graph.steps import Segment, Step
from .bound import Bound
from .step_keys import item_base, item_key


@dataclass(frozen=True)
class EachItem:
    """One item: the name of what the step makes of it, its number from 0, and its key."""

    name: str
    number: int
    key: str


def each_items(
    bound: Bound,
    segment: Segment,
    step: Step,
    holders: Mapping[str, Manifest],
    values: Mapping[str, str],
    keys: Mapping[str, str],
) -> tuple[EachItem, ...] | None:
    """The items of a step in order; None if what they come from has not been made yet.

    Args:
        holders: by the name of a value, the checkpoint that holds it.
        values: the identities of the values of earlier segments.
        keys: of the steps of the segment, as far as they are known.

    Raises ConfigurationError if two items have the same name, and Damaged.
    """
    base = item_base(bound, segment, step, values, keys)
    contents = _contents(bound, step, holders)
    if base is None or contents is None:
        return None
    items: dict[str, EachItem] = {}
    for number, (name, content) in enumerate(contents):
        if name in items:
            raise ConfigurationError(
                f"{step.place}: two items of `{step.each}` are called {name!r}, so one would "
                f"replace the other. Leave one out.",
                step=step.name,
            )
        items[name] = EachItem(item_name(step.name, name), number, item_key(base, content))
    return tuple(items.values())


def _contents(
    bound: Bound, step: Step, holders: Mapping[str, Manifest]
) -> list[tuple[str, str]] | None:
    """The name and the identity of each item of what a step runs for."""
    name = step.each
    if name in bound.inputs:
        tree = bound.inputs[name].tree
        assert tree is not None, "a URL was refused"
        base = tree.scope.base
        named = {base / entry: (entry, digest) for entry, digest in tree.checksums.items()}
        return [named[path] for path in bound.inputs[name].files]
    if (step.name, name) in bound.params:
        return list(_named(bound.params[step.name, name]))
    if (holder := holders.get(name)) is None:
        return None
    return _made(bound, holder, name)


def _made(bound: Bound, holder: Manifest, value: str) -> list[tuple[str, str]] | None:
    """The items of a value that an earlier step made."""
    kept = holder.items(value)
    if value not in kept:
        return None
    record = bound.store.bring(holder, {value: kept[value]})[value]
    content = _json(record, bound.store.path(holder.segment, holder.key) / record.file)
    if record.codec != INDEX:
        return list(_named(content))
    names = [item_name(value, key) for key in content["keys"]]
    if any(name not in kept for name in names):
        return None
    return [(key_of(name), kept[name].identity) for name in names]


def _json(record: FileRecord, path: Any) -> Any:
    return json.loads(format_named(record.format).read(path, None))


def _named(items: list[Any]) -> Iterator[tuple[str, str]]:
    """The name and the identity of each item of a plain list: itself, or else its number."""
    for number, item in enumerate(items):
        is_nested = isinstance(item, list | dict)
        yield str(number) if is_nested else str(item), repr(item)
