"""Values that are made of several, such as a NamedTuple of tables: each item is kept by itself.

The value itself is then only an index: what the whole is, and the keys of its items in order. The
name of an item is that of the value, a dot and its key: `split.train`, `tables.orders`, `folds.0`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..base.errors import InexactValue
from . import plain

INDEX = "several"
"""The name of the codec of an index."""

Kind = Literal["fields", "tuple", "list", "dict", "each"]


@dataclass(frozen=True)
class ItemType:
    """How one item is kept: by which codec, and whether None may stand in its place.

    `kinds` are the outermost types of a JSON value; see `annotations.outer_types`.
    """

    codec: str
    type_name: str
    is_optional: bool = False
    kinds: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Shape:
    """How a value is made of several items.

    Attributes:
        kind: "fields" of a NamedTuple or a dataclass, the items of a tuple, list or dict, or what a
            step makes of "each" item of something.
        type_name: the annotation for people.
        keys: the keys of the items; empty for a list or dict, whose keys only a run tells.
        types: one for each key, or the one of all items of a list or dict.
        is_lazy: a step receives an iterator, which loads one item after the other.
    """

    kind: Kind
    type_name: str
    keys: tuple[str, ...]
    types: tuple[ItemType, ...]
    is_lazy: bool = False

    def type_of(self, key: str) -> ItemType | None:
        """The type of an item; None if there can be none of that key."""
        if self.kind in ("dict", "each") or (self.kind == "list" and is_number(key)):
            return self.types[0]
        return dict(zip(self.keys, self.types, strict=False)).get(key)

    def loads(self, key: str) -> ItemType | None:
        """The type as which a step that takes the whole loads an item, whatever it is called."""
        return self.type_of(key) if self.keys else self.types[0]


def item_name(value: str, key: str | int) -> str:
    """The name of an item of a value."""
    return f"{value}.{key}"


def value_of(name: str) -> str:
    """The value that an item belongs to; of the name of a value, itself."""
    return name.partition(".")[0]


def key_of(name: str) -> str:
    """The key of an item; empty for the name of a value."""
    return name.partition(".")[2]


def is_number(key: str) -> bool:
    """Whether a key can be that of an item of a list, as it is written."""
    return key.isdecimal() and key == str(int(key))


def freeze(index: Mapping[str, Any]) -> bytes:
    """The index of a value as JSON."""
    return json.dumps(dict(index), ensure_ascii=False).encode()


def thaw(frozen: bytes) -> Any:
    """The index: `kind`, and the `keys` of the items in order."""
    return json.loads(frozen)


def write(frozen: bytes, file: Any) -> None:
    """Write the bytes unchanged."""
    plain.write(frozen, file)


def read(path: Any, columns: tuple[str, ...] | None) -> bytes:
    """Read the bytes of an index."""
    return plain.read(path, columns)


def index_of(shape: Shape, keys: Iterable[str]) -> bytes:
    """The index of a value with these items, frozen."""
    return freeze({"kind": shape.kind, "keys": list(keys)})


def keys_in(frozen: bytes) -> list[str]:
    """The keys of a value's items in order, from its index."""
    keys: list[str] = thaw(frozen)["keys"]
    return keys


def unpack(shape: Shape, value: Any, whole: Any) -> dict[str, Any]:
    """The items of a value by their keys; `whole` is the class of its fields.

    Raises InexactValue for a value that is not what its step has promised, or whose keys JSON does
    not keep.
    """
    kinds = {"fields": whole, "tuple": tuple, "list": list, "dict": dict, "each": dict}
    kind: Any = kinds[shape.kind]
    if type(value) is not kind:
        raise InexactValue(
            f"the step promised a {shape.type_name} and returned a {type(value).__qualname__}; "
            f"return exactly a {kind.__qualname__}"
        )
    if shape.kind == "fields":
        return {key: getattr(value, key) for key in shape.keys}
    if shape.kind in ("dict", "each"):
        for key in value:
            plain.to_plain({key: None})  # raises for a key that is no text
        return dict(value)
    if shape.kind == "tuple" and len(value) != len(shape.keys):
        raise InexactValue(
            f"the step promised a {shape.type_name} and returned a tuple of {len(value)}; return "
            f"{len(shape.keys)} values"
        )
    return {str(number): item for number, item in enumerate(value)}


def assemble(shape: Shape, items: Mapping[str, Any], whole: Any) -> Any:
    """The value that has these items; `whole` is the class of its fields."""
    match shape.kind:
        case "list":
            return list(items.values())
        case "tuple":
            return tuple(items.values())
        case "dict" | "each":
            return dict(items)
    if hasattr(whole, "_make"):
        return whole._make(items.values())
    value = object.__new__(whole)  # `__post_init__` ran when the step made the value
    for key, item in items.items():
        object.__setattr__(value, key, item)
    return value
