"""Refuse types of Arrow that its own files do not give back, before a file is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ...base.errors import InexactValue


def require_kept(arrow_type: Any, where: str) -> None:
    """Refuse a type that an Arrow file would not keep in full; raises InexactValue.

    `where` names the column in messages.
    """
    for component in within(arrow_type):
        # A process has an extension type of Python only after it has imported its module: another
        # process would read the plain values. Every process has Arrow's own extension types.
        if isinstance(component, pa.ExtensionType):
            raise InexactValue(
                f"{where} holds the extension type {component}, which another process need not "
                "know; use its plain values, with column.cast(column.type.storage_type)"
            )
        if pa.types.is_run_end_encoded(component) and component is not arrow_type:
            raise InexactValue(
                f"{where} holds run ends within another type ({arrow_type}), of which Arrow cannot "
                "make an array without rows; use the plain values within it"
            )
        if pa.types.is_map(component) and not _has_usual_names(component):
            raise InexactValue(
                f"{where} holds a map whose fields have names of their own ({component}), which "
                "no file gives back; cast it to pyarrow.map_(key_type, item_type)"
            )
        if any("\0" in name for name in _field_names(component)):
            raise InexactValue(
                f"{where} holds a structure with a zero character in the name of a field, where "
                "other libraries end the name; rename the field"
            )
        if pa.types.is_dictionary(component) and has_dictionary(component.value_type):
            raise InexactValue(
                f"{where} holds a dictionary within a dictionary ({component}), which no file "
                "gives back; use column.dictionary_decode()"
            )


def has_dictionary(arrow_type: Any) -> bool:
    """Whether a type is a dictionary type or contains a dictionary type."""
    return any(pa.types.is_dictionary(component) for component in within(arrow_type))


def _field_names(arrow_type: Any) -> list[str]:
    """The names of the fields of a structure or union."""
    if not (pa.types.is_struct(arrow_type) or pa.types.is_union(arrow_type)):
        return []
    return [arrow_type.field(position).name for position in range(arrow_type.num_fields)]


def _has_usual_names(arrow_type: Any) -> bool:
    key, item = arrow_type.key_field.with_name("key"), arrow_type.item_field.with_name("value")
    usual = pa.map_(key, item, keys_sorted=arrow_type.keys_sorted)
    return bool(arrow_type.equals(usual, check_metadata=True))


def within(arrow_type: Any) -> Iterator[Any]:
    """A type and all types that it consists of."""
    yield arrow_type
    if isinstance(arrow_type, pa.BaseExtensionType):
        yield from within(arrow_type.storage_type)
    elif pa.types.is_dictionary(arrow_type) or pa.types.is_run_end_encoded(arrow_type):
        yield from within(arrow_type.value_type)
    else:
        for position in range(arrow_type.num_fields):
            yield from within(arrow_type.field(position).type)


def way_out_of_cuts(kind: Any) -> str | None:
    """What to do with a type whose joined arrays show where they were joined; None for others."""
    for component in within(kind):
        if pa.types.is_run_end_encoded(component):
            return "use .sparse.to_dense(), or run_end_decode of pyarrow.compute,"
        if pa.types.is_union(component):
            return "make a column of each of its members"
        is_view = pa.types.is_string_view(component) or pa.types.is_binary_view(component)
        if is_view and component is not kind:
            return "cast it to a type without views"
    return None


def parts_of(array: Any) -> Iterator[Any]:
    """An array and all arrays that its values consist of."""
    yield array
    kind = array.type
    if pa.types.is_dictionary(kind):
        parts = [array.dictionary]
    elif pa.types.is_run_end_encoded(kind):
        parts = [array.values]
    elif pa.types.is_struct(kind):
        parts = array.flatten()
    elif pa.types.is_map(kind):
        parts = [array.keys, array.items]
    elif kind.num_fields:
        parts = [array.flatten()]  # of any kind of list
    else:
        parts = []
    for part in parts:
        yield from parts_of(part)
