"""The meaning of "gives back exactly", to the last bit, and test values of every kind."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

# --- equality -------------------------------------------------------------------------------------


def same_scalar(left: Any, right: Any) -> bool:
    """The same type and representation: 1 differs from True, 1.0 from 1.00, None from NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same_scalar, left, right))
    if isinstance(left, dict):
        return same_scalar(list(left), list(right)) and same_scalar(
            list(left.values()), list(right.values())
        )
    if isinstance(left, (set, frozenset)):
        return len(left) == len(right) and same_scalar(
            sorted(left, key=_in_order), sorted(right, key=_in_order)
        )
    if isinstance(left, (pd.Timestamp, pd.Timedelta)):
        same = left.unit == right.unit and left.asm8.view("i8") == right.asm8.view("i8")
        zones = (getattr(side, "tzinfo", None) for side in (left, right))
        return bool(same) and same_zone(*zones) and repr(left) == repr(right)
    if isinstance(left, dt.datetime) and left.tzinfo is not right.tzinfo:
        return same_zone(left.tzinfo, right.tzinfo) and repr(left) == repr(right)
    return repr(left) == repr(right)


def _in_order(value: Any) -> str:
    """The repr of a value, with the elements of all sets within it in order."""
    if isinstance(value, (tuple, set, frozenset)):
        texts = map(_in_order, value)
        return repr(list(texts) if isinstance(value, tuple) else sorted(texts))
    return repr(value)


def same_zone(left: Any, right: Any) -> bool:
    return type(left) is type(right) and str(left) == str(right)


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    """Equal elements: -0.0 differs from 0.0, and all NaN are equal."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype.kind == "f":
        nan = np.isnan(left)
        return bool(
            np.array_equal(nan, np.isnan(right)) and left[~nan].tobytes() == right[~nan].tobytes()
        )
    return left.tobytes() == right.tobytes()


def same_ndarray(left: Any, right: Any) -> bool:
    """Two NumPy arrays, in the same order in memory."""
    properties = [
        (type(a), a.shape, a.dtype.num, repr(a.dtype), str(a.dtype.metadata)) for a in (left, right)
    ]
    is_fortran = [a.flags.f_contiguous and not a.flags.c_contiguous for a in (left, right)]
    return (
        properties[0] == properties[1]
        and is_fortran[0] == is_fortran[1]
        and left.tobytes() == right.tobytes()
    )


def same_dtype(left: Any, right: Any) -> bool:
    if left != right or str(left) != str(right) or type(left) is not type(right):
        return False
    if isinstance(left, pd.DatetimeTZDtype):
        return same_zone(left.tz, right.tz)
    if isinstance(left, pd.StringDtype):
        return left.storage == right.storage and (left.na_value is right.na_value)
    return True


def same_array(left: Any, right: Any) -> bool:
    """The arrays of two columns or two indexes."""
    kind = type(left)
    if type(left) is not type(right) or len(left) != len(right):
        return False
    if isinstance(left, pd.Categorical):
        return (
            left.ordered == right.ordered
            and same_bits(left.codes, right.codes)
            and same_index(left.categories, right.categories)
        )
    if not same_dtype(left.dtype, right.dtype):
        return False
    if type(left) is pd.arrays.NumpyExtensionArray and left.to_numpy().dtype != object:
        return same_bits(left.to_numpy(), right.to_numpy())
    if kind in (pd.arrays.DatetimeArray, pd.arrays.TimedeltaArray, pd.arrays.PeriodArray):
        return same_bits(left.asi8, right.asi8)
    if isinstance(left, pd.arrays.IntervalArray):
        return same_array(left.left.array, right.left.array) and same_array(
            left.right.array, right.right.array
        )
    if kind in (pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray):
        valid = ~left._mask
        return same_bits(left._mask, right._mask) and same_bits(
            left._data[valid], right._data[valid]
        )
    if isinstance(left, pd.arrays.ArrowExtensionArray) and isinstance(left.dtype, pd.ArrowDtype):
        left_array, right_array = left.__arrow_array__(), right.__arrow_array__()
        return same_arrow(left_array, right_array)
    if kind is pd.arrays.SparseArray:
        return (
            left.kind == right.kind
            and left.sp_index.equals(right.sp_index)
            and same_bits(left.sp_values, right.sp_values)
            and repr(left.fill_value) == repr(right.fill_value)
        )
    return all(map(same_scalar, left, right))


def same_arrow(left: Any, right: Any) -> bool:
    """Two chunked arrays of Arrow, equal as values or as text: NaN and some types only as text."""
    if left.type != right.type or len(left) != len(right):
        return False
    whole = {"window": len(left) + 1, "container_window": 1000}
    texts = [pa.chunked_array([column.combine_chunks()], column.type) for column in (left, right)]
    return bool(left.equals(right)) or texts[0].to_string(**whole) == texts[1].to_string(**whole)


def same_index(left: Any, right: Any) -> bool:
    if type(left) is not type(right) or not same_scalar(list(left.names), list(right.names)):
        return False
    if isinstance(left, pd.MultiIndex):
        return (
            getattr(left, "sortorder", None) == getattr(right, "sortorder", None)
            and all(map(same_index, left.levels, right.levels))
            and all(map(same_bits, left.codes, right.codes))
        )
    if isinstance(left, pd.RangeIndex):
        return (left.start, left.stop, left.step) == (right.start, right.stop, right.step)
    if getattr(left, "freq", None) != getattr(right, "freq", None):
        return False
    return same_array(left.array, right.array)


def same_frame(left: Any, right: Any) -> bool:
    """Two DataFrames or two Series."""
    if type(left) is not type(right):
        return False
    is_same = same_index(left.index, right.index) and same_scalar(left.attrs, right.attrs)
    is_same = is_same and left.flags == right.flags
    if isinstance(left, pd.Series):
        return (
            is_same and same_scalar(left.name, right.name) and same_array(left.array, right.array)
        )
    return (
        is_same
        and same_index(left.columns, right.columns)
        and all(
            same_array(left.iloc[:, i].array, right.iloc[:, i].array) for i in range(left.shape[1])
        )
    )


# --- values ---------------------------------------------------------------------------------------

UNITS = ("s", "ms", "us", "ns")
ZONES = (
    "UTC",
    "Europe/Madrid",
    zoneinfo.ZoneInfo("UTC"),
    zoneinfo.ZoneInfo("America/New_York"),
    dt.UTC,
    dt.timezone(dt.timedelta(hours=-3, minutes=-30)),
    dt.timezone(dt.timedelta(seconds=61)),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
dates = st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))


def lists_of(values: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=size, max_size=size)


def numbers(dtype: str, size: int) -> st.SearchStrategy[np.ndarray]:
    """Any bit pattern of a numeric dtype, including NaN, -0.0, the minimum and the maximum."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return lists_of(st.booleans(), size).map(lambda v: np.array(v, bool))
    raw = st.binary(min_size=size * kind.itemsize, max_size=size * kind.itemsize)
    patterns = raw.map(lambda data: np.frombuffer(data, kind).copy())
    if kind.kind != "f":
        return patterns
    special = st.sampled_from([np.nan, -0.0, 0.0, 1.5, np.inf, -np.inf])
    return patterns | lists_of(special, size).map(lambda v: np.array(v, kind))


NUMERIC = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()
NULLABLE = "boolean Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float32 Float64".split()
PERIODS = ("D", "M", "Q-NOV", "Y", "h", "3M", "W-SUN")
OBJECTS: dict[str, st.SearchStrategy[Any]] = {
    "str": texts,
    "bytes": st.binary(max_size=4),
    "bool": st.booleans(),
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(),
    "date": dates,
    "time": st.times().map(lambda time: time.replace(fold=0)),
    "timedelta": st.timedeltas(dt.timedelta(days=-9999), dt.timedelta(days=9999)),
    "datetime": st.datetimes().map(lambda moment: moment.replace(fold=0)),
    "Decimal": st.decimals(-999, 999, places=2),
    "list": st.lists(texts, max_size=3),
    "dict": st.builds(lambda a, b: {"a": a, "b": b}, st.integers(-9, 9), texts),
}
ARROW: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int32": (pa.int32(), st.integers(-9, 9)),
    "double": (pa.float64(), st.floats(width=64)),
    "date32": (pa.date32(), dates),
    "string": (pa.string(), texts),
    "binary": (pa.binary(), st.binary(max_size=3)),
    "decimal": (pa.decimal128(9, 2), st.decimals(-999, 999, places=2)),
    "list": (pa.list_(pa.int64()), st.lists(st.integers(-9, 9), max_size=3)),
    "struct": (pa.struct([("a", pa.int64())]), st.fixed_dictionaries({"a": st.integers(0, 9)})),
    "timestamp": (
        pa.timestamp("us", "Europe/Madrid"),
        st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)),
    ),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), texts),
}


def arrow_array(values: list[Any], arrow_type: Any) -> Any:
    if pa.types.is_dictionary(arrow_type):
        return pa.array(values, arrow_type.value_type).dictionary_encode().cast(arrow_type)
    return pa.array(values, arrow_type, from_pandas=False)


@st.composite
def arrays(draw: Any, size: int, kinds: tuple[str, ...] | None = None) -> Any:
    """An array that can be a column, of any dtype that a checkpoint must keep."""
    kind = draw(
        st.sampled_from(
            kinds
            or "numeric nullable moment zoned timedelta period text interval "
            "category object arrow".split()
        )
    )
    if kind == "numeric":
        return draw(numbers(draw(st.sampled_from(NUMERIC)), size))
    if kind == "nullable":
        dtype: Any = pd.api.types.pandas_dtype(draw(st.sampled_from(NULLABLE)))
        data = draw(numbers(dtype.numpy_dtype.name, size))
        mask = np.array(draw(lists_of(st.booleans(), size)), bool)
        return dtype.construct_array_type()(data, mask)
    if kind in ("moment", "zoned", "timedelta"):
        letter = "m" if kind == "timedelta" else "M"
        ints = st.integers(-(2**40), 2**40) | st.just(np.iinfo(np.int64).min)
        values = np.array(draw(lists_of(ints, size)), "i8").view(
            f"{letter}8[{draw(st.sampled_from(UNITS))}]"
        )
        if kind == "zoned":
            utc = pd.DatetimeIndex(values).tz_localize("UTC")
            return utc.tz_convert(draw(st.sampled_from(ZONES))).array
        return pd.array(values)
    if kind == "period":
        ints = st.integers(-5000, 5000) | st.just(np.iinfo(np.int64).min)
        dtype = pd.PeriodDtype(draw(st.sampled_from(PERIODS)))
        return pd.arrays.PeriodArray(np.array(draw(lists_of(ints, size)), "i8"), dtype=dtype)
    if kind == "text":
        dtype = pd.StringDtype(
            draw(st.sampled_from(["pyarrow", "python"])),
            na_value=draw(st.sampled_from([pd.NA, np.nan])),
        )
        return pd.array(draw(lists_of(texts | st.none(), size)), dtype=dtype)
    if kind == "interval":
        left = np.array(draw(lists_of(st.integers(-99, 99), size)), "i8")
        unit = draw(st.sampled_from(["i8", "f8", "M8[us]", "m8[ns]"]))
        ends = [pd.Index(left.astype(unit)), pd.Index((left + 1).astype(unit))]
        closed = draw(st.sampled_from(["left", "right", "both", "neither"]))
        intervals = pd.arrays.IntervalArray.from_arrays(ends[0], ends[1], closed=closed)
        if unit != "i8" and draw(st.booleans()):
            intervals = intervals.copy()
            intervals[: draw(st.integers(0, size))] = np.nan
        return intervals
    if kind == "category":
        values = draw(
            indexes_without_levels(draw(st.integers(0, 5)))
            | (st.lists(texts, max_size=4) | st.lists(dates, max_size=4)).map(
                lambda v: pd.Index(v, dtype=object)
            )
        ).unique()
        values = values[~values.isna()]
        codes = st.integers(-1, len(values) - 1)
        dtype = pd.CategoricalDtype(values, ordered=draw(st.booleans()))
        return pd.Categorical.from_codes(draw(lists_of(codes, size)), dtype=dtype)
    if kind == "object":
        elements = OBJECTS[draw(st.sampled_from(sorted(OBJECTS)))]
        missing = draw(st.sampled_from([None, float("nan"), pd.NaT, pd.NA]))
        drawn = draw(lists_of(elements | st.just(missing), size))
        return pd.arrays.NumpyExtensionArray(np.fromiter(drawn, object, size))
    arrow_type, elements = ARROW[draw(st.sampled_from(sorted(ARROW)))]
    drawn = draw(lists_of(elements | st.none(), size))
    return pd.arrays.ArrowExtensionArray(arrow_array(drawn, arrow_type))


labels = (
    texts
    | st.none()
    | st.integers(-(2**40), 2**40)
    | st.booleans()
    | st.floats(allow_nan=False)
    | dates
    | st.tuples(texts, st.integers(-9, 9))
    | st.sampled_from([pd.Timestamp("2013-01-31"), pd.Timestamp("2013-01-31", tz="Europe/Madrid")])
)
FREQUENCIES = ("D", "h", "ME", "QS-FEB", "B", "W-TUE", "3D", "15min", "YE-MAR", "BME")


@st.composite
def indexes(draw: Any, size: int) -> Any:
    """An index of this many rows, of any kind that a checkpoint must keep."""
    name = draw(labels)
    kind = draw(st.sampled_from("range flat flat multi freq timefreq category".split()))
    if kind == "range":
        start, step = draw(st.integers(-9, 9)), draw(st.sampled_from([1, 2, -1, 7]))
        return pd.RangeIndex(start, start + step * size, step, name=name)
    if kind == "freq":
        zone = draw(st.sampled_from([None, "Europe/Madrid"]))
        freq, unit = draw(st.sampled_from(FREQUENCIES)), draw(st.sampled_from(UNITS))
        return pd.date_range("2013-01-01", periods=size, freq=freq, tz=zone, name=name, unit=unit)
    if kind == "timefreq":
        return pd.timedelta_range("1h", periods=size, freq="90min", name=name)
    if kind == "multi":
        levels = [draw(indexes_without_levels(size)) for _ in range(draw(st.integers(1, 3)))]
        names = draw(lists_of(labels, len(levels)))
        return pd.MultiIndex.from_arrays(levels, names=names)
    if kind == "category":
        return pd.CategoricalIndex(draw(arrays(size, ("category",))), name=name)
    return draw(indexes_without_levels(size)).rename(name)


def indexes_without_levels(size: int) -> st.SearchStrategy[Any]:
    kinds = ("numeric", "nullable", "moment", "zoned", "timedelta", "period", "text", "interval")
    return (
        arrays(size, kinds)
        .filter(lambda values: str(values.dtype) != "float16")
        .map(lambda values: pd.Index(values))
    )


@st.composite
def frames(draw: Any) -> pd.DataFrame:
    """A DataFrame that a checkpoint must keep: any dtypes, index and labels, some attrs."""
    size, width = draw(st.integers(0, 6)), draw(st.integers(0, 4))
    index = draw(indexes(size))
    columns = {
        i: pd.Series(values, index=index, dtype=values.dtype)
        for i, values in enumerate(draw(arrays(size)) for _ in range(width))
    }
    frame = pd.DataFrame(columns, index=index)
    frame.columns = draw(
        st.lists(texts, min_size=width, max_size=width, unique=True).map(pd.Index)
        | st.just(pd.RangeIndex(width))
        | st.just(pd.Index(range(5, 5 + width), name="number"))
        | st.just(pd.date_range("2013-01-31", periods=width, freq="ME"))
        | st.just(pd.MultiIndex.from_product([["mean"], range(width)], names=["of", None]))
        | st.just(pd.CategoricalIndex(list("abcd")[:width]))
        | st.just(pd.Index(["a", 1, None, 2.5][:width], dtype=object))
    )
    frame.attrs = draw(st.just({}) | st.just({"source": "nyc", "year": [2013]}))
    return frame
