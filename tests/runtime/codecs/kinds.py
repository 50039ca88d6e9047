"""Named values of every kind that pandas, Arrow and NumPy make, the same in every process.

The matrix of `test_roundtrip_matrix.py` consists of these. A kind is a function of a size: the
number of rows, labels or elements to make.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

Kind = Callable[[int], Any]

NAMES: list[Any] = [None, "name", ("a", 1), 7, dt.date(2013, 1, 31), ""]
"""Possible names of an index, a level or a Series."""


def objects(*values: Any) -> Any:
    """An array of Python objects, even of objects that NumPy would take for rows."""
    return np.fromiter(values, object, len(values))


def with_missing(make: Kind) -> Kind:
    """A kind with its second element missing."""

    def make_with_missing(size: int) -> Any:
        values: Any = pd.Series(make(size)).array.copy()
        values[1:2] = None if values.dtype == object else pd.NA if _has_na(values) else np.nan
        return values

    return make_with_missing


def _has_na(values: Any) -> bool:
    return getattr(values.dtype, "na_value", np.nan) is pd.NA


def _numbers(dtype: str) -> Kind:
    return lambda size: (np.arange(size) * 3 % 101).astype(dtype)


def _nullable(dtype: Any) -> Kind:
    return lambda size: pd.array(range(size), dtype=dtype)


def _text(dtype: Any) -> Kind:
    return lambda size: pd.array([f"é{i}" for i in range(size)], dtype=dtype)


def _moments(unit: str, zone: Any = None) -> Kind:
    def make(size: int) -> Any:
        moments = pd.DatetimeIndex((np.arange(size) * 86_400_007 + 10**9).astype(f"M8[{unit}]"))
        return (moments if zone is None else moments.tz_localize("UTC").tz_convert(zone)).array

    return make


def _spans(unit: str) -> Kind:
    return lambda size: pd.array((np.arange(size) * 77).astype(f"m8[{unit}]"))


def _periods(freq: str) -> Kind:
    return lambda size: pd.period_range("2013-01-31", periods=size, freq=freq).array


def _intervals(ends: Kind, closed: Any) -> Kind:
    def make(size: int) -> Any:
        edges = pd.Index(ends(size + 1)).sort_values()
        return pd.arrays.IntervalArray.from_breaks(edges, closed=closed)

    return make


def _arrow(arrow_type: Any, element: Callable[[int], Any]) -> Kind:
    def make(size: int) -> Any:
        values = [element(i) for i in range(size)]
        return pd.arrays.ArrowExtensionArray(arrow_array(values, arrow_type))

    return make


def arrow_array(values: list[Any], arrow_type: Any) -> Any:
    """An Arrow array of any type, also of dictionaries, which `pa.array` may not make."""
    if pa.types.is_dictionary(arrow_type):
        return pa.array(values, arrow_type.value_type).dictionary_encode().cast(arrow_type)
    return pa.array(values, arrow_type)


TEXT_TYPES: dict[str, Any] = {
    "str": "str",
    "string[python]": pd.StringDtype("python"),
    "string[pyarrow]": pd.StringDtype("pyarrow"),
    "str[python]": pd.StringDtype("python", na_value=np.nan),
}
_HOUR_BACK = dt.timezone(dt.timedelta(hours=-1))

FLAT: dict[str, Kind] = {
    **{t: _numbers(t) for t in ("int64", "int8", "uint32", "float64", "float32")},
    "huge uint64": lambda size: np.arange(size).astype("u8") + np.uint64(2**64 - 500),
    "bool": lambda size: np.arange(size) % 2 == 1,
    **{name: _text(dtype) for name, dtype in TEXT_TYPES.items()},
    "object str": lambda size: objects(*(f"k{i}" for i in range(size))),
    "object int": lambda size: objects(*range(5, 5 + size)),
    "object bool": lambda size: objects(*(i % 2 == 1 for i in range(size))),
    "object bytes": lambda size: objects(*(bytes([i, 255]) for i in range(size))),
    "object date": lambda size: objects(*(dt.date(2013, 1, i + 1) for i in range(size))),
    "object Decimal": lambda size: objects(*(Decimal(i) / 100 + 5 for i in range(1, size + 1))),
    **{f"datetime {unit}": _moments(unit) for unit in ("s", "ms", "us", "ns")},
    "datetime UTC": _moments("us", "UTC"),
    "datetime Madrid": _moments("ns", "Europe/Madrid"),
    "datetime -01:00": _moments("s", _HOUR_BACK),
    **{f"timedelta {unit}": _spans(unit) for unit in ("s", "ns")},
    **{f"period {freq}": _periods(freq) for freq in ("D", "M", "Q-NOV", "3h")},
    **{
        f"interval {closed} of {name}": _intervals(ends, closed)
        for (name, ends), closed in zip(
            {
                "int64": _numbers("int64"),
                "float64": _numbers("float64"),
                "datetime": _moments("us"),
                "datetime Madrid": _moments("ms", "Europe/Madrid"),
                "timedelta": _spans("ns"),
                "uint8": _numbers("uint8"),
                "float32": _numbers("float32"),
            }.items(),
            ["right", "left", "both", "neither", "right", "left", "right"],
            strict=True,
        )
    },
    **{t: _nullable(t) for t in ("Int64", "UInt8", "Float64")},
    "boolean": lambda size: pd.array([i % 2 == 1 for i in range(size)], dtype="boolean"),
    "arrow int64": _arrow(pa.int64(), lambda i: i),
    "arrow bool": _arrow(pa.bool_(), lambda i: i % 2 == 1),
    "arrow string": _arrow(pa.string(), lambda i: f"a{i}"),
    "arrow large_string": _arrow(pa.large_string(), lambda i: f"a{i}"),
    "arrow binary": _arrow(pa.binary(), lambda i: bytes([i])),
    "arrow decimal": _arrow(pa.decimal128(9, 2), lambda i: Decimal(i)),
    "arrow date32": _arrow(pa.date32(), lambda i: dt.date(2013, 1, i + 1)),
    "arrow date64": _arrow(pa.date64(), lambda i: dt.date(2013, 1, i + 1)),
    "arrow time64": _arrow(pa.time64("us"), lambda i: dt.time(i)),
    "arrow timestamp": _arrow(pa.timestamp("us"), lambda i: dt.datetime(2013, 1, i + 1)),
    "arrow zoned": _arrow(
        pa.timestamp("ms", "Europe/Madrid"), lambda i: dt.datetime(2013, 1, i + 1)
    ),
    "arrow duration": _arrow(pa.duration("s"), lambda i: dt.timedelta(i)),
    "arrow float": _arrow(pa.float64(), lambda i: i / 8),
}
FLAT |= {
    f"{name}, one missing": with_missing(FLAT[name])
    for name in (
        *("float64", "str", "string[python]", "object str", "object date", "datetime ns", "Int64"),
        *("datetime Madrid", "timedelta s", "period M", "interval left of float64", "boolean"),
        *("interval both of datetime", "Float64", "arrow int64", "arrow string", "arrow date32"),
    )
}

NESTED: dict[str, Kind] = {
    "arrow dictionary": _arrow(pa.dictionary(pa.int8(), pa.string()), lambda i: f"d{i % 2}"),
    "arrow ordered dictionary": _arrow(
        pa.dictionary(pa.int32(), pa.int64(), ordered=True), lambda i: i % 3
    ),
    "arrow list": _arrow(pa.list_(pa.int64()), lambda i: [i, None]),
    "arrow struct": _arrow(pa.struct([("a", pa.int64())]), lambda i: {"a": i}),
}
"""Types of Arrow that contain others; pandas can sort and hash few of them."""


def category_of(make: Kind, ordered: bool) -> Kind:
    """Categories of a kind, one of them unused, and one code missing."""

    def make_codes(size: int) -> Any:
        categories: Any = pd.Index(make(4), dtype=object if _is_object(make) else None).unique()
        categories = categories[~categories.isna()][::-1]
        codes = [-1 if i == 3 else i % max(len(categories) - 1, 1) for i in range(size)]
        dtype = pd.CategoricalDtype(categories, ordered=ordered)
        return pd.Categorical.from_codes(codes, dtype=dtype)

    return make_codes


def _is_object(make: Kind) -> bool:
    return bool(make(1).dtype == object)


CATEGORIES: dict[str, Kind] = {
    f"category of {name}": category_of(make, ordered=number % 2 == 1)
    for number, (name, make) in enumerate(FLAT.items())
    if "missing" not in name
}
CATEGORIES["category of nothing"] = lambda size: pd.Categorical([None] * size)
CATEGORIES["category of pd.cut"] = lambda size: pd.cut(np.arange(size), [-1, 1, 3, 99])
CATEGORIES["category of pd.qcut"] = lambda size: pd.qcut(np.arange(size + 2), 2)[:size]
CATEGORIES["category of category"] = lambda size: pd.Categorical.from_codes(
    [i % 2 for i in range(size)], categories=pd.CategoricalIndex(["a", "b", "c"])
)
CATEGORIES["category of range"] = lambda size: pd.Categorical.from_codes(
    [i % 3 for i in range(size)], categories=pd.RangeIndex(5, 2, -1)
)
CATEGORIES["category of dates with freq"] = lambda size: pd.Categorical.from_codes(
    [i % 3 for i in range(size)], categories=pd.date_range("2013-01-31", periods=3, freq="ME")
)
CATEGORIES["category with a name"] = lambda size: pd.Categorical.from_codes(
    [i % 2 for i in range(size)], categories=pd.Index(["x", "y"], name="letters")
)

OBJECTS: dict[str, Kind] = {
    "object list": lambda size: objects(*([i, i + 1] for i in range(size))),
    "object dict": lambda size: objects(*({"a": i, "b": str(i)} for i in range(size))),
    "object time": lambda size: objects(*(dt.time(i, 1) for i in range(size))),
    "object timedelta": lambda size: objects(*(dt.timedelta(i, 1) for i in range(size))),
    "object datetime": lambda size: objects(*(dt.datetime(2013, 1, i + 1) for i in range(size))),
    "object float": lambda size: objects(*(i / 8 for i in range(size))),
    "object None": lambda size: objects(*[None] * size),
    "object NaT": lambda size: objects(*[pd.NaT] * size),
    "object str or nan": lambda size: objects(*([np.nan, "a"] * size)[:size]),
}
"""Columns of Python objects that a file gives back."""

REFUSED: dict[str, Kind] = {
    "object set": lambda size: objects(*({i} for i in range(size))),
    "object tuple": lambda size: objects(*((i, 1) for i in range(size))),
    "object mixed": lambda size: objects(*([1, "a"] * size)[:size]),
    "object Timestamp": lambda size: objects(*[pd.Timestamp("2013-01-31")] * size),
    "object Period": lambda size: objects(*[pd.Period("2013-01")] * size),
    "object Interval": lambda size: objects(*[pd.Interval(0, 1)] * size),
    "object Fraction": lambda size: objects(*[Fraction(1, 3)] * size),
    "object numpy int": lambda size: objects(*(np.int64(i) for i in range(size))),
    "object huge int": lambda size: objects(*(2**70 + i for i in range(size))),
    "object zoned datetime": lambda size: objects(*[dt.datetime(2013, 1, 1, tzinfo=dt.UTC)] * size),
    "object array": lambda size: objects(*(np.arange(i) for i in range(size))),
    "complex": lambda size: np.arange(size) * 1j,
    "long double": lambda size: np.arange(size).astype(np.longdouble),
    "foreign bytes": lambda size: np.arange(size).astype(">i4"),
    "named offset": lambda size: (
        pd.DatetimeIndex(np.arange(size).astype("M8[s]"))
        .tz_localize(dt.timezone(dt.timedelta(hours=1), "Winter"))
        .array
    ),
}
"""Columns that no file gives back."""


class _Flag(pa.ExtensionType):  # type: ignore[misc]  # pyarrow comes without types
    """An Arrow type of a project's own."""

    def __init__(self) -> None:
        super().__init__(pa.int8(), "tests.flag")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> _Flag:
        return cls()


def _dictionary(size: int, values: Any) -> Any:
    indices = pa.array([None if i == 1 else i % len(values) for i in range(size)], pa.int8())
    return pa.DictionaryArray.from_arrays(indices, values)


def _runs(size: int) -> Any:
    ends = pa.array([size] if size else [], pa.int32())
    return pa.RunEndEncodedArray.from_arrays(ends, pa.array(["a"][: min(size, 1)]))


def _ints(size: int) -> Any:
    return pa.array(range(size), pa.int8())


ARROW: dict[str, Kind] = {
    "null": pa.nulls,
    "float16": lambda size: pa.array(np.arange(size).astype("f2")),
    "decimal256": lambda size: pa.array([Decimal(i) for i in range(size)], pa.decimal256(40, 2)),
    "decimal32": lambda size: pa.array([Decimal(i) for i in range(size)], pa.decimal32(5, 2)),
    "time32": lambda size: pa.array([dt.time(i) for i in range(size)], pa.time32("s")),
    "month interval": lambda size: pa.array(
        [(i, 1, 1) for i in range(size)], pa.month_day_nano_interval()
    ),
    "fixed binary": lambda size: pa.array([b"ab"] * size, pa.binary(2)),
    "large binary": lambda size: pa.array([b"ab"] * size, pa.large_binary()),
    "string view": lambda size: pa.array(
        [f"a long text, number {i}" for i in range(size)], pa.string_view()
    ),
    "binary view": lambda size: pa.array([b"x" * 20] * size, pa.binary_view()),
    "large list": lambda size: pa.array([[i] for i in range(size)], pa.large_list(pa.int8())),
    "fixed list": lambda size: pa.array([[i, 1] for i in range(size)], pa.list_(pa.int8(), 2)),
    "list view": lambda size: pa.array([[i, 1] for i in range(size)], pa.list_view(pa.int8())),
    "large list view": lambda size: pa.array(
        [[i] for i in range(size)], pa.large_list_view(pa.int8())
    ),
    "map": lambda size: pa.array(
        [[("k", i)] for i in range(size)], pa.map_(pa.string(), pa.int8())
    ),
    "empty struct": lambda size: pa.array([{}] * size, pa.struct([])),
    "struct of structs": lambda size: (
        pa.array([{"a": {"b": i}} for i in range(size)])
        if size
        else pa.array([], pa.struct([("a", pa.struct([("b", pa.int64())]))]))
    ),
    "struct with null": lambda size: pa.array(
        [None if i == 1 else {"a": None if i == 2 else i} for i in range(size)],
        pa.struct([("a", pa.int8())]),
    ),
    "required struct": lambda size: pa.StructArray.from_arrays(
        [_ints(size)], fields=[pa.field("a", pa.int8(), nullable=False)]
    ),
    "annotated struct": lambda size: pa.StructArray.from_arrays(
        [_ints(size)], fields=[pa.field("a", pa.int8(), metadata={"unit": "min"})]
    ),
    "struct of one name": lambda size: pa.StructArray.from_arrays(
        [_ints(size), _ints(size)], names=["a", "a"]
    ),
    "list of floats": lambda size: pa.array(
        [[float("nan"), None, -0.0]] * size, pa.list_(pa.float64())
    ),
    "dictionary with null": lambda size: _dictionary(size, pa.array(["a", None])),
    "dictionary with twins": lambda size: _dictionary(size, pa.array(["a", "b", "a"])),
    "dictionary of dates": lambda size: _dictionary(
        size, pa.array([dt.date(2013, 1, 31), dt.date(2013, 1, 1)])
    ),
    "dictionary of floats": lambda size: _dictionary(size, pa.array([float("nan"), -0.0, 0.0])),
    "dictionary of bool": lambda size: _dictionary(size, pa.array([True, False])),
    "dictionary of views": lambda size: _dictionary(size, pa.array(["a", "b"], pa.string_view())),
    "dictionary of nothing": lambda size: _dictionary(size, pa.nulls(2)),
    "dictionary of structs": lambda size: _dictionary(size, pa.array([{"a": 1}, {"a": 2}])),
    "dictionary of lists": lambda size: _dictionary(size, pa.array([[1], [2, 3]])),
    "dictionary of decimals": lambda size: _dictionary(
        size, pa.array([Decimal("1.10"), Decimal("2.20")])
    ),
    "dictionary of dictionaries": lambda size: _dictionary(
        size, _dictionary(2, pa.array(["a", "b"]))
    ),
    "dictionary of zoned": lambda size: _dictionary(
        size, pa.array([1, 2], pa.timestamp("s", "Europe/Madrid"))
    ),
    "dictionary of seconds": lambda size: _dictionary(size, pa.array([1, 2], pa.timestamp("s"))),
    "dictionary of durations": lambda size: _dictionary(size, pa.array([1, 2], pa.duration("s"))),
    "dictionary of uint8": lambda size: _dictionary(size, pa.array([1, 2], pa.uint8())),
    "dictionary by uint64": lambda size: pa.DictionaryArray.from_arrays(
        pa.array([0] * size, pa.uint64()), pa.array(["a"])
    ),
    "list of dictionaries": lambda size: pa.ListArray.from_arrays(
        pa.array(range(size + 1), pa.int32()), _dictionary(size, pa.array(["a", "b"]))
    ),
    "struct of dictionaries": lambda size: pa.StructArray.from_arrays(
        [_dictionary(size, pa.array(["a", "b"]))], names=["a"]
    ),
    "struct of ordered dictionaries": lambda size: pa.StructArray.from_arrays(
        [
            pa.DictionaryArray.from_arrays(
                pa.array([0] * size, pa.int8()), pa.array([5, 4]), ordered=True
            )
        ],
        names=["a"],
    ),
    "run ends": _runs,
    "dense union": lambda size: pa.UnionArray.from_dense(
        pa.array([0] * size, pa.int8()), pa.array(range(size), pa.int32()), [_ints(size)]
    ),
    "sparse union": lambda size: pa.UnionArray.from_sparse(
        pa.array([0] * size, pa.int8()), [_ints(size)]
    ),
    "own type": lambda size: pa.ExtensionArray.from_storage(_Flag(), _ints(size)),
    "json": lambda size: pa.ExtensionArray.from_storage(
        pa.json_(), pa.array(["{}"] * size, pa.string())
    ),
    "uuid": lambda size: pa.ExtensionArray.from_storage(
        pa.uuid(), pa.array([b"x" * 16] * size, pa.binary(16))
    ),
    "opaque": lambda size: pa.ExtensionArray.from_storage(
        pa.opaque(pa.int8(), "a", "b"), _ints(size)
    ),
    "bool8": lambda size: pa.ExtensionArray.from_storage(pa.bool8(), _ints(size)),
    "tensor": lambda size: pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.int8(), [2]), pa.array([[1, 2]] * size, pa.list_(pa.int8(), 2))
    ),
    "list of own type": lambda size: pa.ListArray.from_arrays(
        pa.array(range(size + 1), pa.int32()),
        pa.ExtensionArray.from_storage(pa.bool8(), _ints(size)),
    ),
}
"""Columns of a `pyarrow.Table`, and of an `ArrowDtype`."""

NO_PANDAS = {
    *("month interval", "string view", "binary view", "list view", "large list view", "run ends"),
    *("dense union", "sparse union", "dictionary of nothing"),
}
"""Types of Arrow that pandas, as an `ArrowDtype`, can neither print nor select rows of."""


def _as_column(make: Kind) -> Kind:
    return lambda size: pd.arrays.ArrowExtensionArray(make(size))


def _sparse(values: list[Any], fill: Any, kind: Any) -> Kind:
    return lambda size: pd.arrays.SparseArray(
        np.resize(np.array(values), size), fill_value=fill, kind=kind
    )


SPARSE: dict[str, Kind] = {
    "sparse int64": _sparse([0, 0, 3], 0, "integer"),
    "sparse float64": _sparse([float("nan"), 2.5, -0.0, float("nan")], float("nan"), "block"),
    "sparse bool": _sparse([True, True, False], True, "integer"),
}

VALUES: dict[str, Kind] = {
    **FLAT,
    **CATEGORIES,
    **NESTED,
    **OBJECTS,
    "float16": _numbers("float16"),
    **SPARSE,
    **{f"arrow {name}": _as_column(make) for name, make in ARROW.items() if name not in NO_PANDAS},
}
"""Columns of a frame."""


ARRAYS: dict[str, Any] = {
    "0-d": np.array(5),
    "0-d date": np.array("2013", "M8[Y]"),
    "no rows": np.empty((0, 3)),
    "no columns": np.empty((3, 0)),
    "Fortran order": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
    "strided": np.arange(10)[::2],
    "backwards": np.arange(10)[::-1],
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
    "read-only": np.frombuffer(b"abcd", "u1"),
    **{
        t: np.zeros(2, t) for t in ("M8[D]", "M8[25s]", "M8", "m8[ns]", "m8", "c16", "f2", "g", "?")
    },
    **{t: np.zeros(2, t) for t in ("V5", "V0", "U0", "S0", "S3", ">i4", ">U2")},
    "text": np.array(["é", "ab"]),
    "structure": np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
    "structure within": np.zeros(2, [("a", [("b", "M8[ns]"), ("c", "U3")])]),
    "structure of arrays": np.zeros(2, [("a", "i4", (2, 3))]),
    "structure with gaps": np.zeros(
        2, np.dtype({"names": ["a"], "formats": ["i4"], "offsets": [4], "itemsize": 16})
    ),
    "structure of titles": np.zeros(2, [(("title", "a"), ">i4")]),
    "structure of nothing": np.zeros(2, []),
}
"""NumPy arrays that a file gives back."""

REFUSED_ARRAYS: dict[str, Any] = {
    "objects": np.array([1, "a"], object),
    "strings": np.array(["a"], np.dtypes.StringDType()),
    "masked": np.ma.array([1]),
    "records": np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "record type": np.zeros(2, np.dtype((np.record, [("a", "i4")]))),
    "annotated type": np.zeros(2, np.dtype("i4", metadata={"a": 1})),
    "annotated field": np.zeros(2, [("a", np.dtype("i4", metadata={"a": 1}))]),
    "aligned structure": np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "structure of objects": np.zeros(2, [("a", "O")]),
    "fields out of order": np.zeros(
        2, np.dtype({"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [4, 0]})
    ),
    "fields over each other": np.zeros(
        2, np.dtype({"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 0]})
    ),
}

PLAIN: dict[str, Any] = {
    "numbers": [1, True, 1.0, -0.0, float("inf"), 2**70, 2**14_100, np.float32(0.1), np.int8(-1)],
    "moments": [
        dt.date(2013, 1, 31),
        dt.datetime(2013, 1, 31, fold=1, tzinfo=dt.UTC),
        dt.timedelta(1, 2, 3),
    ],
    "NumPy's moments": [np.datetime64("NaT", "s"), np.timedelta64(5, "D")],
    "texts": ["", "é\u2028\x00", np.str_("a")],
    "nothing": None,
    "tags": {"$date": "2013", "a": {"$dict": {}}, "": []},
}
"""Values that JSON keeps."""


# --- indexes and labels ---------------------------------------------------------------------------


def flat_index(make: Kind) -> Kind:
    """An index of a kind of values."""
    return lambda size: pd.Index(
        make(size), dtype=object if _is_object(make) else None, tupleize_cols=False
    )


def levels_of(*makes: Kind) -> Kind:
    """A MultiIndex with a level of each kind."""
    return lambda size: pd.MultiIndex.from_arrays([flat_index(make)(size) for make in makes])


def _multi_of_all() -> dict[str, Kind]:
    kinds = list((FLAT | CATEGORIES).items())
    rotated = [*kinds[29:], *kinds[:29]]
    return {
        f"levels of {name} and {other_name}": levels_of(make, other_make)
        for (name, make), (other_name, other_make) in zip(kinds, rotated, strict=True)
    }


def _dates(freq: str, size: int) -> Any:
    return pd.date_range("2013-01-31", periods=size, freq=freq)


_UNSORTED: list[Any] = [
    pd.CategoricalIndex(["b", "a"], categories=["a", "x", "b"]),
    pd.Index([3, 1, 2]),
]
INDEXES: dict[str, Kind] = {
    "range": pd.RangeIndex,
    "range backwards": lambda size: pd.RangeIndex(3 + 2 * size, 3, -2),
    **{f"index of {name}": flat_index(make) for name, make in (FLAT | CATEGORIES).items()},
    "index of arrow dictionary": flat_index(NESTED["arrow dictionary"]),
    **{
        f"dates by {freq}": partial(_dates, freq)
        for freq in ("D", "ME", "QS-FEB", "B", "W-TUE", "15min")
    },
    "zoned dates by D": lambda size: pd.date_range("2013-03-30", periods=size, tz="Europe/Madrid"),
    "spans by 90min": lambda size: pd.timedelta_range("1h", periods=size, freq="90min"),
    **_multi_of_all(),
    "one level": levels_of(FLAT["str"]),
    "one level of categories": levels_of(CATEGORIES["category of str"]),
    "three levels": levels_of(
        CATEGORIES["category of pd.cut"], FLAT["datetime us"], CATEGORIES["category of int64"]
    ),
    "levels with unused values": lambda size: pd.MultiIndex.from_product(
        [pd.Categorical(["a", "b", "a"]).categories, pd.interval_range(0, 9)]
    )[4 : 4 + size],
    "levels that are not sorted": lambda size: pd.MultiIndex(
        levels=_UNSORTED,
        codes=[[1 - i % 2 for i in range(size)], [-1 if i == 1 else i % 3 for i in range(size)]],
    ),
}
"""Indexes, and labels of columns."""
