"""Which annotations declare a value that is made of several, each item kept by itself."""

from __future__ import annotations

import collections.abc
import dataclasses
import typing
from typing import Any

from ..codecs import codec_of, is_own, outer_types, why_refused
from ..codecs.several import ItemType, Kind, Shape
from .signatures import without_none

_ITERATORS = (collections.abc.Iterator, collections.abc.Iterable)
_PAIR = 2


@dataclasses.dataclass(frozen=True)
class Item:
    """One item of a value that is made of several, for a parameter of another name than the item's.

    >>> import pandas as pd
    >>> from typing import Annotated
    >>> @step
    ... def customers(orders: Annotated[pd.DataFrame, Item("tables", "orders")]) -> int:
    ...     return orders["customer"].nunique()
    """

    value: str
    """The step that makes the value."""

    key: str | int
    """The field of a NamedTuple or dataclass, the key of a dict, or the number in a list or tuple,
    from 0."""


def has_fields(annotation: Any) -> bool:
    """Whether a class is a NamedTuple or a dataclass."""
    return isinstance(annotation, type) and (
        dataclasses.is_dataclass(annotation)
        or (issubclass(annotation, tuple) and hasattr(annotation, "_fields"))
    )


def item_type(annotation: Any) -> ItemType | None:
    """How an item of that annotation is kept; None if it cannot be."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    codec = codec_of(annotation)
    is_optional = False
    if codec is None:
        annotation, is_optional = without_none(annotation)
        codec = codec_of(annotation) if is_optional else None
    if codec is None:
        return None
    name = codec.type_name if codec.family != "json" else type_name(annotation)
    kinds = outer_types(annotation) if codec.family == "json" else ()
    return ItemType(codec.name, name, is_optional, kinds)


def shape_of(annotation: Any, *, is_plain_too: bool = False) -> Shape | None:
    """How a value of that annotation is made of several; None for any other annotation.

    A NamedTuple and a dataclass always are. A tuple, list or dict is if its items are no plain
    JSON, and an `Iterator` of its items is the lazy form of a list or a dict.

    Args:
        is_plain_too: return the shape of plain JSON as well, such as `list[int]`.
    """
    members = _members(annotation, is_plain_too=is_plain_too)
    if members is None or None in members.types:
        return None
    kinds = typing.cast(tuple[ItemType, ...], members.types)
    return Shape(members.kind, type_name(annotation), members.keys, kinds, members.is_lazy)


def why_items_refused(annotation: Any) -> str:
    """Why a field of a NamedTuple or dataclass cannot be kept; empty if all can."""
    members = _members(annotation)
    if members is not None and members.kind == "fields":
        for place, inner, kind in zip(members.places, members.inner, members.types, strict=True):
            if kind is None:
                return f"{place}: {why_refused(inner)}"
    return ""


def type_name(annotation: Any) -> str:
    """An annotation for people."""
    return annotation.__qualname__ if type(annotation) is type else _shortened(annotation)


@dataclasses.dataclass(frozen=True)
class _Members:
    kind: Kind
    keys: tuple[str, ...]
    places: tuple[str, ...]
    inner: tuple[Any, ...]
    is_lazy: bool = False

    @property
    def types(self) -> tuple[ItemType | None, ...]:
        return tuple(map(item_type, self.inner))


def _members(annotation: Any, *, is_plain_too: bool = False) -> _Members | None:
    codec = codec_of(annotation)
    if codec is not None and is_own(codec.name):
        return None
    if has_fields(annotation):
        hints = typing.get_type_hints(annotation, include_extras=True)
        keys = tuple(
            getattr(annotation, "_fields", None)
            or (field.name for field in dataclasses.fields(annotation))
        )
        places = tuple(f"its field `{key}`" for key in keys)
        return _Members("fields", keys, places, tuple(hints.get(key, Any) for key in keys))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if not arguments or (codec is not None and not is_plain_too):
        return None
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return None
        numbers = tuple(str(number) for number in range(len(arguments)))
        return _Members("tuple", numbers, tuple(f"item {n}" for n in numbers), arguments)
    if origin is list:
        return _Members("list", (), ("its items",), arguments)
    if origin is dict and arguments[0] is str:
        return _Members("dict", (), ("its items",), arguments[1:])
    if origin in _ITERATORS:
        pair = typing.get_args(arguments[0])
        if typing.get_origin(arguments[0]) is tuple and len(pair) == _PAIR and pair[0] is str:
            return _Members("dict", (), ("its items",), pair[1:], is_lazy=True)
        return _Members("list", (), ("its items",), arguments, is_lazy=True)
    return None


def _shortened(annotation: Any) -> str:
    text = repr(annotation)
    for long, short in (("pandas.core.frame.", "pandas."), ("pandas.core.series.", "pandas.")):
        text = text.replace(long, short)
    return text
