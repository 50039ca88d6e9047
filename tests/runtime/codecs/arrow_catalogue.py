"""Every type of Arrow, nested in every other type, as columns of a table in every shape."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa

Kind = tuple[Any, list[Any]]
"""A type, and two of its values as the function `array` takes them."""

UNITS = ("s", "ms", "us", "ns")
DAYS = [dt.date(2013, 1, 31), dt.date(2014, 1, 1)]
TIMES = [dt.time(1), dt.time(2, 3)]
WHOLE = "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()

FLAT: list[Kind] = [
    (pa.null(), [None, None]),
    (pa.bool_(), [True, False]),
    *((getattr(pa, name)(), [1, 2]) for name in WHOLE),
    *((getattr(pa, name)(), [1.5, float("nan")]) for name in ("float16", "float32", "float64")),
    *((make(), ["a", "é" * 20]) for make in (pa.string, pa.large_string, pa.string_view)),
    *((make(), [b"a", b"\xff" * 30]) for make in (pa.binary, pa.large_binary, pa.binary_view)),
    (pa.binary(2), [b"ab", b"cd"]),
    (pa.binary(0), [b"", b""]),
    *(
        (make(*digits), [Decimal("1.10"), Decimal("2.20")])
        for make, digits in {
            pa.decimal32: (5, 2),
            pa.decimal64: (12, 2),
            pa.decimal128: (20, 2),
            pa.decimal256: (50, 2),
        }.items()
    ),
    (pa.decimal128(5, -2), [Decimal(100), Decimal(200)]),
    (pa.date32(), DAYS),
    (pa.date64(), DAYS),
    *((pa.time32(unit), TIMES) for unit in UNITS[:2]),
    *((pa.time64(unit), TIMES) for unit in UNITS[2:]),
    *((pa.timestamp(unit, zone), [1, 2]) for unit in UNITS for zone in (None, "Europe/Madrid")),
    (pa.timestamp("s", "+01:00"), [1, 2]),
    *((pa.duration(unit), [1, 2]) for unit in UNITS),
    (pa.month_day_nano_interval(), [(1, 2, 3), (2, 3, 4)]),
]
EXTENSIONS: list[Kind] = [
    (pa.json_(), ["{}", "[]"]),
    (pa.json_(pa.string_view()), ["{}", "[]"]),
    (pa.uuid(), [b"x" * 16, b"y" * 16]),
    (pa.bool8(), [1, 0]),
    (pa.opaque(pa.map_(pa.string(), pa.int8()), "a", "b"), [[("k", 1)], []]),
    (pa.opaque(pa.list_(pa.dictionary(pa.int8(), pa.string())), "a", "b"), [["x"], ["y"]]),
    (pa.fixed_shape_tensor(pa.int8(), [2]), [[1, 2], [3, 4]]),
]


def nested(kind: Kind) -> Iterator[Kind]:
    """The types that contain a type."""
    inner, (one, two) = kind
    is_null = pa.types.is_null(inner)
    for make in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view):
        yield make(inner), [[one, two], [two]]
        yield make(pa.field("elem", inner, metadata={"a": "b"})), [[one], []]
        if not is_null:
            yield make(pa.field("item", inner, nullable=False)), [[one], [two, two]]
    yield pa.list_(inner, 2), [[one, two], [two, one]]
    yield pa.list_(inner, 0), [[], []]
    for field in _fields("a", inner):
        yield pa.struct([field, pa.field("b", inner)]), [[one, two], [two, two]]
    for field in (*_fields("value", inner), pa.field("own", inner)):
        yield pa.map_(pa.string(), field), [[("k", one)], [("l", two), ("m", one)]]
    yield pa.map_(pa.string(), inner, keys_sorted=True), [[("k", one)], [("l", two)]]
    if not is_null:
        yield pa.map_(inner, pa.int8()), [[(one, 1)], [(two, 2)]]
    for make in (
        lambda: pa.dictionary(pa.int8(), inner),
        lambda: pa.dictionary(pa.uint64(), inner, ordered=True),
        lambda: pa.run_end_encoded(pa.int32(), inner),
    ):
        try:
            yield make(), [one, two]
        except (pa.ArrowException, TypeError, ValueError):  # there is no such type
            continue
    yield pa.dense_union([pa.field("0", inner)]), [one, two]
    yield pa.sparse_union([pa.field("0", inner)]), [one, two]


def _fields(name: str, inner: Any) -> Iterator[Any]:
    yield pa.field(name, inner)
    yield pa.field(name, inner, metadata={"unit": "min"})
    if not pa.types.is_null(inner):
        yield pa.field(name, inner, nullable=False)


def kinds(depth: int) -> Iterator[Kind]:
    """All types that contain others to this depth, those of one depth only once."""
    level = [*FLAT, *EXTENSIONS]
    for deeper in range(depth + 1):
        yield from level
        some = level if deeper == 0 else [kind for kind in level if "int32" in str(kind[0])]
        level = [outer for kind in some for outer in nested(kind)]


def array(kind: Any, values: list[Any]) -> Any:
    """An array of any type, also of types that `pa.array` does not make."""
    for is_kind, make in _MAKERS.items():
        if is_kind(kind):
            return make(kind, values)
    return pa.array(values, kind)


def _extension(kind: Any, values: list[Any]) -> Any:
    return pa.ExtensionArray.from_storage(kind, array(kind.storage_type, values))


def _dictionary(kind: Any, values: list[Any]) -> Any:
    present = [value for value in values if value is not None][:1]
    codes = pa.array([None if value is None else 0 for value in values], kind.index_type)
    words = array(kind.value_type, present)
    return pa.DictionaryArray.from_arrays(codes, words, ordered=kind.ordered)


def _runs(kind: Any, values: list[Any]) -> Any:
    ends = pa.array(range(1, len(values) + 1), kind.run_end_type)
    return pa.RunEndEncodedArray.from_arrays(ends, array(kind.value_type, values))


def _union(kind: Any, values: list[Any]) -> Any:
    codes, member = pa.array([0] * len(values), pa.int8()), [array(kind.field(0).type, values)]
    if kind.mode == "sparse":
        return pa.UnionArray.from_sparse(codes, member)
    return pa.UnionArray.from_dense(codes, pa.array(range(len(values)), pa.int32()), member)


def _struct(kind: Any, values: list[Any]) -> Any:
    fields = [kind.field(number) for number in range(kind.num_fields)]
    columns = [
        array(field.type, [None if value is None else value[number] for value in values])
        for number, field in enumerate(fields)
    ]
    return pa.StructArray.from_arrays(columns, fields=fields, mask=_missing(values))


def _map(kind: Any, values: list[Any]) -> Any:
    pairs = list(itertools.chain.from_iterable(value or [] for value in values))
    keys = array(kind.key_type, [key for key, _ in pairs])
    items = array(kind.item_type, [item for _, item in pairs])
    return pa.MapArray.from_arrays(_offsets(values, pa.int32()), keys, items, type=kind)


def _list(kind: Any, values: list[Any]) -> Any:
    is_large = pa.types.is_large_list(kind)
    offsets = _offsets(values, pa.int64() if is_large else pa.int32())
    make = pa.LargeListArray if is_large else pa.ListArray
    return make.from_arrays(offsets, array(kind.value_type, _elements(values)), type=kind)


def _list_view(kind: Any, values: list[Any]) -> Any:
    is_large = pa.types.is_large_list_view(kind)
    number = pa.int64() if is_large else pa.int32()
    sizes = [len(value or []) for value in values]
    starts = list(itertools.accumulate(sizes, initial=0))[:-1]
    make = pa.LargeListViewArray if is_large else pa.ListViewArray
    elements = array(kind.value_type, _elements(values))
    ranges = pa.array(starts, number), pa.array(sizes, number)
    return make.from_arrays(*ranges, elements, type=kind, mask=_missing(values))


def _fixed_list(kind: Any, values: list[Any]) -> Any:
    if kind.list_size == 0:  # from_arrays would divide by it
        bitmap = pa.array([value is not None for value in values], pa.bool_()).buffers()[1]
        children = [array(kind.value_type, [])]
        return pa.Array.from_buffers(kind, len(values), [bitmap], children=children)
    full = [[None] * kind.list_size if value is None else value for value in values]
    elements = array(kind.value_type, _elements(full))
    return pa.FixedSizeListArray.from_arrays(elements, type=kind, mask=_missing(values))


def _offsets(values: list[Any], number: Any) -> Any:
    ends = itertools.accumulate((len(value or []) for value in values), initial=0)
    starts = [None if n < len(values) and values[n] is None else end for n, end in enumerate(ends)]
    return pa.array(starts, number)


def _elements(values: list[Any]) -> list[Any]:
    return list(itertools.chain.from_iterable(value or [] for value in values))


def _missing(values: list[Any]) -> Any:
    return pa.array([value is None for value in values], pa.bool_())


_MAKERS: dict[Callable[[Any], bool], Callable[[Any, list[Any]], Any]] = {
    lambda kind: isinstance(kind, pa.BaseExtensionType): _extension,
    pa.types.is_dictionary: _dictionary,
    pa.types.is_run_end_encoded: _runs,
    pa.types.is_union: _union,
    pa.types.is_struct: _struct,
    pa.types.is_map: _map,
    pa.types.is_list: _list,
    pa.types.is_large_list: _list,
    pa.types.is_list_view: _list_view,
    pa.types.is_large_list_view: _list_view,
    pa.types.is_fixed_size_list: _fixed_list,
}

SHAPES: dict[str, Callable[[Any, list[Any]], Any]] = {
    "no chunk": lambda kind, _: pa.chunked_array([], kind),
    "no rows": lambda kind, _: array(kind, []),
    "rows": lambda kind, both: array(kind, both * 3),
    "some null": lambda kind, both: array(kind, [both[0], None, both[1], None]),
    "all null": lambda kind, _: array(kind, [None] * 3),
    "a slice": lambda kind, both: array(kind, both * 3).slice(1, 3),
    "a slice without rows": lambda kind, both: array(kind, both * 3).slice(2, 0),
    "chunks that begin without rows": lambda kind, both: pa.chunked_array(
        [array(kind, both * 3).slice(start, rows) for start, rows in ((2, 0), (1, 3), (6, 0))]
    ),
    "chunks": lambda kind, both: pa.chunked_array(
        [array(kind, []), array(kind, both), array(kind, both * 2)]
    ),
}
"""A column of two values of a type."""
