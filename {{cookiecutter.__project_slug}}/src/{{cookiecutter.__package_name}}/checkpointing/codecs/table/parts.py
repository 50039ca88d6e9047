"""Parts of a table that did not come from pandas: what the whole decides of a frame made of one.

Whether a column of integers becomes a nullable one depends on nulls anywhere in the table. So a
part carries a note of that in its schema's metadata, which no step sees.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...base.errors import InexactValue

_NOTE = b"checkpointing.part"


def with_nulls_noted(table: Any) -> Any:
    """The table with a note of which of its columns have nulls.

    Raises InexactValue if a column holds both NaN and nulls.
    """
    nulls = [bool(column.null_count) for column in table.columns]
    for name, column, has_nulls in zip(table.column_names, table.columns, nulls, strict=True):
        if has_nulls and pa.types.is_floating(column.type):
            refuse_nan_beside_nulls(column, f"column {name!r}")
    return with_note(table, nulls, 0)


def with_note(table: Any, nulls: list[bool], start: int, *, is_null_nan: bool = False) -> Any:
    """A part that begins at a row's number, of a table of which some columns have nulls.

    With `is_null_nan`, a null among floats is read as NaN; without, both in one column are refused.
    """
    note = json.dumps({"nulls": nulls, "start": start, "is_null_nan": is_null_nan}).encode()
    return table.replace_schema_metadata((table.schema.metadata or {}) | {_NOTE: note})


def as_part(part: Any, start: int) -> Any:
    """Some rows of what `with_nulls_noted` returned, from a row's number on."""
    return with_note(part, json.loads(part.schema.metadata[_NOTE])["nulls"], start)


def note_of(table: Any) -> Any:
    """The note of a part; None for a table that is none."""
    metadata = table.schema.metadata or {}
    return json.loads(metadata[_NOTE]) if _NOTE in metadata else None


def without_note(table: Any) -> Any:
    """The table as it was made."""
    if note_of(table) is None:
        return table
    metadata = {key: v for key, v in table.schema.metadata.items() if key != _NOTE}
    return table.replace_schema_metadata(metadata or None)


def refuse_nan_beside_nulls(column: Any, where: str) -> None:
    """Refuse floats with nulls if some of them are NaN. Raises InexactValue."""
    if pc.any(pc.is_nan(column)).as_py():
        raise InexactValue(
            f"{where} holds both NaN and nulls, which are one in a DataFrame; "
            "make them one with pyarrow.compute, or annotate the parameter pyarrow.Table"
        )
