"""Which tables of Arrow polars reads exactly, and what it is given in place of other types.

polars changes some types when it reads them, a few without a word: a second that its milliseconds
cannot count becomes another moment, an ordered category without polars' own metadata loses its
order. So each column is first given a type that polars keeps, by a rule that loses no value, or it
is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ...base.errors import InexactValue
from ..table.buffers import Recipe, no_rows, one_chunk
from ..table.sentinels import as_nulls

_AS_ARROW = "annotate the parameter pyarrow.Table or pandas.DataFrame"


@dataclass(frozen=True)
class Column:
    """How polars reads a column of a frozen table.

    Attributes:
        target: the type that the column is cast to, without loss, before polars reads it.
        field: the field that polars reads, with its metadata: the values of an Enum, say.
        dtype: what the column is in polars.
        recipe: of a column of pandas, whose missing values are NaN or NaT; None for any other.
    """

    target: Any
    field: Any
    dtype: Any
    recipe: Recipe | None

    @property
    def name(self) -> str:
        return str(self.field.name)


def column_of(name: str, column: Any, recipe: Recipe | None, noted: Any) -> Column:
    """How polars reads a column, of which one without rows is enough; raises InexactValue.

    Args:
        recipe: of a column of pandas.
        noted: the field of the column when polars gave it away; None if another library made it.
    """
    where = f"column {name!r}"
    column = _with_nulls(column, recipe)
    if noted is not None:
        dtype = _imported(noted, where)
        is_dictionary = pa.types.is_dictionary(noted.type) and pa.types.is_dictionary(column.type)
        field = noted if is_dictionary else pa.field(name, column.type)
        return Column(column.type, field, dtype, recipe)
    target = _target(column.type, where)
    field = pa.field(name, target)
    if pa.types.is_dictionary(target) and target.ordered:
        field = _enum_field(name, one_chunk(column).dictionary, where)
    return Column(target, field, _imported(field, where), recipe)


def read(column: Any, as_: Column) -> Any:
    """A column of Arrow as a Series; raises InexactValue for values that polars cannot hold."""
    where = f"column {as_.name!r}"
    column = _with_nulls(column, as_.recipe)
    try:
        if pa.types.is_run_end_encoded(column.type):
            column = pa.chunked_array(map(pc.run_end_decode, column.chunks), column.type.value_type)
        if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(as_.target):
            plain = [chunk.dictionary_decode() for chunk in column.chunks]
            column = pa.chunked_array(plain, column.type.value_type)
        if column.type != as_.target:
            column = column.cast(as_.target)
        if as_.field.type != as_.target:
            chunks = [_with_codes(chunk, as_.field.type) for chunk in column.chunks]
            column = pa.chunked_array(chunks, as_.field.type)
    except pa.ArrowException as reason:
        raise InexactValue(
            f"{where} holds values that polars cannot ({reason}); {_AS_ARROW}"
        ) from None
    table = pa.Table.from_arrays([column], schema=pa.schema([as_.field]))
    series = _from_arrow(table, where)
    if series.null_count() != column.null_count:
        raise InexactValue(
            f"{where} holds values of {column.type} that polars would make null, such as times "
            f"beyond a day; {_AS_ARROW}"
        )
    return series if series.dtype == as_.dtype else series.cast(as_.dtype)


def _with_nulls(column: Any, recipe: Recipe | None) -> Any:
    if recipe is None or recipe["as"] == "arrow":
        return column
    return pa.chunked_array([as_nulls(one_chunk(column), recipe)])


def _from_arrow(table: Any, where: str) -> Any:
    try:
        return pl.DataFrame(pl.from_arrow(table, rechunk=False)).to_series()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as reason:
        line = str(reason).partition("\n")[0]
        raise InexactValue(
            f"{where} is of a type that polars cannot read ({line}); {_AS_ARROW}"
        ) from None


def _imported(field: Any, where: str) -> Any:
    return _from_arrow(no_rows(pa.schema([field])), where).dtype


def _target(kind: Any, where: str, *, is_outer: bool = True) -> Any:
    """The type to give to polars in place of a type; raises InexactValue if there is none."""
    if isinstance(kind, pa.BaseExtensionType):
        raise InexactValue(
            f"{where} holds the extension type {kind}; give polars its plain values, with "
            "column.cast(column.type.storage_type)"
        )
    for is_kind, of in _RULES:
        if is_kind(kind):
            return of(kind, where, is_outer)
    return kind


def _refused(what: str, remedy: str = _AS_ARROW) -> Callable[[Any, str, bool], Any]:
    def refuse(kind: Any, where: str, is_outer: bool) -> Any:
        raise InexactValue(f"{where} holds {what} ({kind}), which polars does not have; {remedy}")

    return refuse


def _decimal(kind: Any, where: str, is_outer: bool) -> Any:
    if not 0 <= kind.scale <= kind.precision <= 38:
        return _refused("decimals", "cast it to pyarrow.decimal128(38, scale)")(
            kind, where, is_outer
        )
    return pa.decimal128(kind.precision, kind.scale)


def _seconds(kind: Any, where: str, is_outer: bool) -> Any:
    if kind.unit != "s":
        return kind
    return pa.timestamp("ms", kind.tz) if pa.types.is_timestamp(kind) else pa.duration("ms")


def _list(kind: Any, where: str, is_outer: bool) -> Any:
    inner = _target(kind.value_type, where, is_outer=False)
    if not pa.types.is_fixed_size_list(kind):
        return kind if inner == kind.value_type else pa.large_list(inner)
    if kind.list_size == 0:
        return _refused("lists of the fixed size 0")(kind, where, is_outer)
    return kind if inner == kind.value_type else pa.list_(inner, kind.list_size)


def _struct(kind: Any, where: str, is_outer: bool) -> Any:
    fields = [kind.field(number) for number in range(kind.num_fields)]
    if len({field.name for field in fields}) < len(fields):
        return _refused(
            "a structure with two fields of one name", "give each field a name of its own"
        )(kind, where, is_outer)
    return pa.struct(
        [field.with_type(_target(field.type, where, is_outer=False)) for field in fields]
    )


def _map(kind: Any, where: str, is_outer: bool) -> Any:
    key, item = (_target(t, where, is_outer=False) for t in (kind.key_type, kind.item_type))
    return kind if (key, item) == (kind.key_type, kind.item_type) else pa.map_(key, item)


def _dictionary(kind: Any, where: str, is_outer: bool) -> Any:
    values = _target(kind.value_type, where, is_outer=False)
    is_text = _is_text(kind.value_type)
    if kind.ordered and not (is_text and is_outer):
        return _refused(
            "ordered categories within a type, or of something other than text",
            "make them text, or use column.dictionary_decode()",
        )(kind, where, is_outer)
    return kind if is_text else values


def _runs(kind: Any, where: str, is_outer: bool) -> Any:
    return _target(kind.value_type, where, is_outer=is_outer)


def _is_text(kind: Any) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.string_view())


_VIEWS = _refused("lists whose elements lie anywhere", "make it a column of lists")
_RULES: list[tuple[Callable[[Any], bool], Callable[[Any, str, bool], Any]]] = [
    (pa.types.is_fixed_size_binary, lambda kind, where, is_outer: pa.large_binary()),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_date64, lambda kind, where, is_outer: pa.date32()),
    (lambda kind: pa.types.is_timestamp(kind) or pa.types.is_duration(kind), _seconds),
    (pa.types.is_interval, _refused("calendar intervals")),
    (pa.types.is_struct, _struct),
    (pa.types.is_map, _map),
    (pa.types.is_union, _refused("a union", "use one column for each type")),
    (pa.types.is_dictionary, _dictionary),
    (pa.types.is_run_end_encoded, _runs),
    (lambda kind: pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind), _VIEWS),
    (lambda kind: hasattr(kind, "value_type"), _list),
]


def _enum_field(name: str, values: Any, where: str) -> Any:
    """The field of an Enum with these values, as polars gives it to Arrow."""
    if values.null_count or len(values.unique()) < len(values):
        raise InexactValue(
            f"{where} has ordered categories of which one is missing or there twice; "
            "use column.dictionary_decode()"
        )
    empty = pl.DataFrame(schema={name: pl.Enum(values.to_pylist())})
    return empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema.field(0)


def _with_codes(array: Any, kind: Any) -> Any:
    """Categories with codes of the type that polars has for them."""
    codes = array.indices.cast(kind.index_type, safe=False)  # a missing one may have the code -1
    words = array.dictionary.cast(kind.value_type)
    return pa.DictionaryArray.from_arrays(codes, words, ordered=kind.ordered, safe=False)
