"""What Spark reads and writes exactly, type by type; the rest is refused, with the column.

Spark reads Parquet by itself, and changes some types without a word: a duration becomes a number,
a moment of Madrid one of UTC. So a table of Arrow is first given types that Spark keeps, by rules
that lose no value: an unsigned integer becomes the next larger one, a category its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import types as st
from pyspark.sql.pandas.types import from_arrow_schema

from ...base.errors import InexactValue
from ..table.arrow_types import parts_of

_ALIKE = (
    (pa.string(), pa.large_string(), pa.string_view()),
    (pa.binary(), pa.large_binary(), pa.binary_view()),
)
"""Types that are the same in Parquet."""

_DAY = 86_400_000  # milliseconds
_UTC = ("UTC", "Etc/UTC", "+00:00")
_OUT = "or leave it out with Columns(...)"


def target_of(schema: Any) -> Any:
    """The schema that a table is cast to before Spark reads it. Raises InexactValue."""
    if not len(schema):
        raise InexactValue(
            "the table has no columns, and Spark reads no rows without columns; annotate the "
            "parameter pandas.DataFrame or pyarrow.Table"
        )
    _require_unlike_names(schema.names, "rename one of them in the step that makes the table")
    return pa.schema([(field.name, _target(field.type, _where(field.name))) for field in schema])


def is_read_as(kind: Any, target: Any) -> bool:
    """Whether Spark reads a column of a Parquet file as the target, without a cast before that."""
    if pa.types.is_dictionary(kind):
        return is_read_as(kind.value_type, target)
    if pa.types.is_struct(kind):
        pairs = ((kind.field(n), target.field(n)) for n in range(kind.num_fields))
        return all(is_read_as(own.type, other.type) for own, other in pairs)
    if pa.types.is_map(kind):
        keys = is_read_as(kind.key_type, target.key_type)
        return keys and is_read_as(kind.item_type, target.item_type)
    if pa.types.is_list(target) and hasattr(kind, "value_type"):
        return is_read_as(kind.value_type, target.value_type)
    return any(kind in alike and target in alike for alike in _ALIKE) or kind == target


def cast(table: Any, target: Any) -> Any:
    """The rows of a table with the types that Spark keeps.

    Raises InexactValue for a value of which Spark would drop a part.
    """
    columns = []
    for field, column in zip(target, table.columns, strict=True):
        try:
            columns.append(_cast(column, field.type))
        except (pa.ArrowException, NotImplementedError) as reason:
            raise InexactValue(
                f"{_where(field.name)} holds values of {column.type} that Spark cannot ({reason}); "
                f"round them in the step that makes it, {_OUT}"
            ) from None
    return pa.Table.from_arrays(columns, schema=target)


def schema_of(target: Any) -> st.StructType:
    """The schema of Spark for a schema of `target_of`."""
    schema: st.StructType = from_arrow_schema(target, prefer_timestamp_ntz=True)
    return schema


def require_kept(schema: st.StructType) -> None:
    """Refuse columns of a result that no file gives back exactly. Raises InexactValue."""
    if not schema.fields:
        raise InexactValue(
            "the frame has no columns, and a file gives back no rows without columns; keep a "
            "column, or return the number of rows"
        )
    _require_unlike_names(schema.names, "give each a name of its own, with withColumnRenamed")
    for field in schema.fields:
        for component in _within(field.dataType):
            _require_type(field, component)


def _require_type(field: st.StructField, kind: st.DataType) -> None:
    where = _where(field.name)
    if isinstance(kind, st.MapType) and isinstance(kind.keyType, st.NullType):
        raise InexactValue(
            f"{where} is of Spark's type {field.dataType.simpleString()}, whose keys have no type; "
            f"cast it: CAST(map() AS map<string, int>)"
        )
    if isinstance(kind, st.StructType):
        if not kind.fields:
            raise InexactValue(f"{where} holds structures without fields; drop it")
        names = f"{where} holds a structure: "
        _require_unlike_names(kind.names, "rename one of them", names)
    for types, what, remedy in _NOT_KEPT:
        if isinstance(kind, types):
            part = "" if kind is field.dataType else "that part of "
            raise InexactValue(
                f"{where} is of Spark's type {field.dataType.simpleString()}, and no file gives "
                f"back {what} for all readers; {remedy.format(part=part, name=field.name)}"
            )


_NOT_KEPT: tuple[tuple[tuple[type, ...], str, str], ...] = (
    (
        (st.DayTimeIntervalType,),
        "an interval",
        "keep {part}it as a number of seconds, such as unix_timestamp(b) - unix_timestamp(a), or "
        "as text with cast('string')",
    ),
    (
        (st.YearMonthIntervalType, st.CalendarIntervalType),
        "an interval",
        "keep {part}it as a number of months, or as text with cast('string')",
    ),
    ((st.VariantType,), "a variant", "make {part}it text, with F.to_json({name!r})"),
    (
        (st.UserDefinedType,),
        "a type of a library",
        "make {part}it an array or a structure, with vector_to_array, say",
    ),
    (
        tuple(
            getattr(st, name)
            for name in ("AnyTimeType", "TimeType", "SpatialType")
            if hasattr(st, name)
        ),
        "it",
        "make {part}it text with cast('string')",
    ),
)


def _within(kind: st.DataType) -> Iterator[st.DataType]:
    """A type of Spark and all types that it consists of."""
    yield kind
    match kind:
        case st.ArrayType():
            yield from _within(kind.elementType)
        case st.MapType():
            yield from _within(kind.keyType)
            yield from _within(kind.valueType)
        case st.StructType():
            for field in kind.fields:
                yield from _within(field.dataType)


def _where(name: str) -> str:
    return f"column {name!r}"


def _require_unlike_names(names: list[str], remedy: str, before: str = "") -> None:
    known: dict[str, str] = {}
    for name in names:
        if (other := known.get(name.lower())) == name:
            raise InexactValue(f"{before}there are two columns {name!r}; {remedy}")
        if other is not None:
            raise InexactValue(
                f"{before}columns {other!r} and {name!r} have one name for Spark, which knows no "
                f"upper and lower case; {remedy}"
            )
        known[name.lower()] = name


def _target(kind: Any, where: str) -> Any:
    """The type to give to Spark in place of a type; raises InexactValue if there is none."""
    if isinstance(kind, pa.BaseExtensionType):
        raise InexactValue(
            f"{where} holds the extension type {kind}; give Spark its plain values, with "
            "column.cast(column.type.storage_type)"
        )
    for is_kind, of in _RULES:
        if is_kind(kind):
            return of(kind, where)
    return kind


def _refused(what: str, remedy: str) -> Callable[[Any, str], Any]:
    def refuse(kind: Any, where: str) -> Any:
        raise InexactValue(
            f"{where} holds {what} ({kind}), which Spark does not have; {remedy}, {_OUT}"
        )

    return refuse


def _as(kind: Any) -> Callable[[Any, str], Any]:
    return lambda _, where: kind


def _decimal(kind: Any, where: str) -> Any:
    if not 0 <= kind.scale <= kind.precision <= 38:
        return _refused("decimals of this size", "cast it to pyarrow.decimal128(38, scale)")(
            kind, where
        )
    return pa.decimal128(kind.precision, kind.scale)


def _timestamp(kind: Any, where: str) -> Any:
    if kind.tz is None:
        return pa.timestamp("us")
    if kind.tz not in _UTC:
        raise InexactValue(
            f"{where} is in the time zone {kind.tz!r}, which Spark would move to UTC; use "
            f".dt.tz_convert('UTC') in the step that makes it, {_OUT}"
        )
    return pa.timestamp("us", "UTC")


def _struct(kind: Any, where: str) -> Any:
    fields = [kind.field(number) for number in range(kind.num_fields)]
    if not fields:
        return _refused("structures without fields", "drop it")(kind, where)
    _require_unlike_names(
        [field.name for field in fields], "rename one of them", f"{where} holds a structure: "
    )
    return pa.struct([(field.name, _target(field.type, where)) for field in fields])


def _list(kind: Any, where: str) -> Any:
    if pa.types.is_fixed_size_list(kind) and kind.list_size == 0:
        return _refused("lists of the fixed size 0", "drop it")(kind, where)
    return pa.list_(_target(kind.value_type, where))


def _map(kind: Any, where: str) -> Any:
    return pa.map_(_target(kind.key_type, where), _target(kind.item_type, where))


def _values(kind: Any, where: str) -> Any:
    return _target(kind.value_type, where)


_RULES: list[tuple[Callable[[Any], bool], Callable[[Any, str], Any]]] = [
    (pa.types.is_uint8, _as(pa.int16())),
    (pa.types.is_uint16, _as(pa.int32())),
    (pa.types.is_uint32, _as(pa.int64())),
    (pa.types.is_uint64, _as(pa.decimal128(20, 0))),
    (pa.types.is_float16, _as(pa.float32())),
    (lambda kind: kind in (pa.large_string(), pa.string_view()), _as(pa.large_string())),
    (pa.types.is_fixed_size_binary, _as(pa.binary())),
    (lambda kind: kind in (pa.large_binary(), pa.binary_view()), _as(pa.large_binary())),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_date64, _as(pa.date32())),
    (pa.types.is_time, _refused("times of the day", "make it text or a number of seconds")),
    (pa.types.is_timestamp, _timestamp),
    (
        pa.types.is_duration,
        _refused("durations", "keep a number, with .dt.total_seconds() or astype('int64')"),
    ),
    (pa.types.is_interval, _refused("calendar intervals", "keep the parts as numbers")),
    (pa.types.is_struct, _struct),
    (pa.types.is_map, _map),
    (pa.types.is_union, _refused("a union", "use one column for each type")),
    (lambda kind: pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind), _values),
    (lambda kind: hasattr(kind, "value_type"), _list),
]


def _cast(column: Any, kind: Any) -> Any:
    """A column as another type; raises what Arrow raises for values that it cannot keep."""
    if column.type == kind:
        return column
    if pa.types.is_run_end_encoded(column.type):
        chunks = [pc.run_end_decode(chunk) for chunk in column.chunks]
        column = pa.chunked_array(chunks, column.type.value_type)
    if pa.types.is_dictionary(column.type):
        chunks = [chunk.dictionary_decode() for chunk in column.chunks]
        column = pa.chunked_array(chunks, column.type.value_type)
    for part in (part for chunk in column.chunks for part in parts_of(chunk)):
        if pa.types.is_date64(part.type) and _has_time(part):
            raise pa.ArrowInvalid("it would drop the time of the day")
    if pa.types.is_list_view(column.type) or pa.types.is_large_list_view(column.type):
        column = pa.chunked_array(map(_as_lists, column.chunks), pa.list_(column.type.value_type))
    result = column.cast(kind)
    if "list_view" in str(column.type):  # of one with nulls a cast makes lists that are none
        result.validate(full=True)
    return result


def _as_lists(views: Any) -> Any:
    """The same lists, where each value lies after the one before."""
    sizes = pc.fill_null(pc.list_value_length(views), 0).cast(pa.int64())
    offsets = pa.concat_arrays([pa.array([0]), pc.cumulative_sum(sizes)]).cast(pa.int32())
    return pa.ListArray.from_arrays(offsets, views.flatten(), mask=views.is_null())


def _has_time(dates: Any) -> bool:
    """Whether a date in milliseconds is no whole number of days."""
    numbers = dates.cast(pa.int64())
    days = pc.divide(numbers, _DAY)
    return not pc.all(pc.equal(pc.multiply(days, _DAY), numbers)).as_py()
