"""What DuckDB reads and writes exactly, type by type; the rest is refused, with the column.

A dictionary of texts becomes an ENUM with the same values in the same order, a HUGEINT, such as a
sum of integers, a decimal, a UUID and JSON their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ...base.errors import InexactValue
from ..table.arrow_types import parts_of, within
from ..table.buffers import to_numpy, with_type

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_DAY = 86_400_000  # milliseconds
_MOST_VALUES = 1 << 16  # of an ENUM
_UTC = ("UTC", "Etc/UTC", "+00:00")
_NOT_KEPT = {
    "bit": "VARCHAR",
    "time with time zone": "VARCHAR",
    "uhugeint": "DECIMAL(38, 0)",
    "bignum": "VARCHAR",
    "variant": "JSON",
    "geometry": "VARCHAR",
}


def require_kept(names: Sequence[str], types: Sequence[Any]) -> None:
    """Refuse columns of a result that no file gives back exactly. Raises InexactValue."""
    _require_unlike_names(names, "give each a name of its own in the query, with AS")
    for name, kind in zip(names, types, strict=True):
        for component in _within(kind):
            if component.id == "union":
                remedy = "make a column of each of its members, with union_extract"
            elif component.id not in _NOT_KEPT:
                continue
            elif component is kind:
                remedy = f"use CAST({_quoted(name)} AS {_NOT_KEPT[kind.id]})"
            else:
                remedy = f"cast that part of it to {_NOT_KEPT[component.id]}"
            raise InexactValue(
                f"column {name!r} is of DuckDB's type {kind}, and no file gives back "
                f"{component} exactly; {remedy}"
            )


def require_read(table: Any) -> None:
    """Refuse columns of a table that DuckDB would change or cannot read. Raises InexactValue."""
    if not table.num_columns:
        raise InexactValue(
            "the table has no columns, and DuckDB has no such tables; annotate the parameter "
            "pandas.DataFrame or pyarrow.Table"
        )
    _require_unlike_names(table.column_names, "rename one of them in the step that makes the table")
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not name or "\0" in name:
            raise InexactValue(
                f"column {name!r} would get another name in DuckDB; rename it in the step that "
                "makes the table"
            )
        for component in within(column.type):
            if remedy := _why_not_read(component):
                raise InexactValue(
                    f"column {name!r} is of type {column.type}, which DuckDB {remedy}, or leave it "
                    "out with Columns(...)"
                )
        for chunk in column.chunks:
            _require_values(name, chunk)


def as_read(name: str, column: Any) -> str:
    """The expression by which a query gets a column of a table as what it is."""
    quoted = delimited(name)
    if not pa.types.is_dictionary(column.type):
        return quoted
    values = column.chunk(0).dictionary if column.num_chunks else pa.nulls(0, pa.string())
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if not is_text or values.null_count or not 0 < len(values) <= _MOST_VALUES:
        return quoted
    if len(values.unique()) < len(values):
        return quoted
    listed = ", ".join("'" + str(value).replace("'", "''") + "'" for value in values.to_pylist())
    return f"CAST({quoted} AS ENUM ({listed})) AS {quoted}"


def no_rows(schema: Any, types: Sequence[Any]) -> Any:
    """A batch without rows, with all values of an ENUM: those do not depend on the rows."""
    arrays = []
    for field, kind in zip(schema, types, strict=True):
        array = pa.nulls(0, field.type)
        if kind.id == "enum":
            [(_, values)] = kind.children
            words = pa.array(values, field.type.value_type)
            array = pa.DictionaryArray.from_arrays(array.indices, words)
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def with_usual_names(table: Any) -> Any:
    """A result with the names that Arrow itself gives to the elements of lists.

    Raises InexactValue for a HUGEINT that is too large for a decimal.
    """
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if any(map(_may_be_hugeint, within(column.type))):
            _require_digits(name, column)
        kind, chunks = _usual(column.type), column.chunks
        if pa.types.is_dictionary(kind):
            chunks = [_ordered(chunk) for chunk in chunks]
            kind = chunks[0].type if chunks else kind
        elif kind != column.type or str(kind) != str(column.type):
            chunks = [with_type(chunk, kind) for chunk in chunks]
        columns.append(pa.chunked_array(chunks, kind))
    return pa.Table.from_arrays(columns, names=table.column_names)


def _ordered(array: Any) -> Any:
    """The values of an ENUM, which are in an order, with codes of the kind that pandas has."""
    size = 8 if len(array.dictionary) <= 2**7 else 16 if len(array.dictionary) <= 2**15 else 32
    codes = array.indices.cast(pa.from_numpy_dtype(f"int{size}"))
    return pa.DictionaryArray.from_arrays(codes, array.dictionary, ordered=True)


def _within(kind: Any) -> Iterator[Any]:
    """A type of DuckDB and all types that it consists of."""
    yield kind
    if kind.id in ("list", "array", "struct", "map", "union"):
        for _, part in kind.children:
            if hasattr(part, "id"):
                yield from _within(part)


def _require_unlike_names(names: Sequence[str], remedy: str) -> None:
    known: dict[bytes, str] = {}
    for name in names:
        plain = name.encode().lower()  # of ASCII alone, as DuckDB does it
        if (other := known.get(plain)) == name:
            raise InexactValue(f"there are two columns {name!r}; {remedy}")
        if other is not None:
            raise InexactValue(
                f"columns {other!r} and {name!r} have one name for DuckDB, which knows no upper "
                f"and lower case; {remedy}"
            )
        known[plain] = name


def _quoted(name: str) -> str:
    """A name as a query has it."""
    return name if _PLAIN_NAME.fullmatch(name) else delimited(name)


def delimited(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _why_not_read(kind: Any) -> str:
    """What DuckDB does with a type that it does not read exactly, and what to do; else nothing."""
    is_zoned = pa.types.is_timestamp(kind) and kind.tz is not None
    if is_zoned and kind.tz not in _UTC:
        return "would move to UTC; use .dt.tz_convert('UTC') in the step that makes it"
    if pa.types.is_duration(kind):
        return "would make an interval; keep a number, with .dt.total_seconds() or astype('int64')"
    if pa.types.is_float16(kind):
        return "does not read; use float32"
    if pa.types.is_decimal256(kind) or (pa.types.is_decimal(kind) and kind.scale < 0):
        return "does not read; use a decimal of at most 38 digits"
    if pa.types.is_union(kind):
        return "does not read exactly; make a column of each member"
    if isinstance(kind, pa.BaseExtensionType):
        return "would read as another type; use its plain values"
    return ""


def _require_values(name: str, array: Any) -> None:
    """Refuse values of which DuckDB would drop a part. Raises InexactValue."""
    for part in parts_of(array):
        if pa.types.is_interval(part.type):
            data = np.frombuffer(part.buffers()[1], [("m", "i4"), ("d", "i4"), ("ns", "i8")])
            data = data[part.offset : part.offset + len(part)]["ns"] % 1000
            dropped, remedy = "intervals with nanoseconds", "round them"
        elif pa.types.is_date64(part.type):
            data = to_numpy(part, "i8") % _DAY
            dropped, remedy = "dates with a time of the day", "cast it to timestamp('ms')"
        else:
            continue
        if data[part.is_valid().to_numpy(zero_copy_only=False)].any():
            raise InexactValue(
                f"column {name!r} holds {dropped}, which DuckDB would drop; {remedy}, or leave it "
                "out with Columns(...)"
            )


def _may_be_hugeint(kind: Any) -> bool:
    return bool(pa.types.is_decimal128(kind) and kind.precision == 38)


def _require_digits(name: str, column: Any) -> None:
    """Refuse a HUGEINT of more than 38 digits. Raises InexactValue."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        raise InexactValue(
            f"column {name!r} holds a HUGEINT of more than 38 digits, which no file gives back; "
            f"use CAST({_quoted(name)} AS VARCHAR)"
        ) from None


def _usual(kind: Any) -> Any:
    if pa.types.is_list(kind):
        return pa.list_(_usual(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_usual(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_usual(kind.value_type), kind.list_size)
    if pa.types.is_map(kind):
        return pa.map_(_usual(kind.key_type), _usual(kind.item_type))
    if pa.types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return pa.struct([field.with_type(_usual(field.type)) for field in fields])
    return kind
