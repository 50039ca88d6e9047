"""What "gives back exactly" means, to the last bit, and values of every kind to try it on."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

# --- equality -------------------------------------------------------------------------------------


def same_scalar(one: Any, other: Any) -> bool:
    """Of one type and one representation: tells 1 from True, 1.0 from 1.00, None from NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same_scalar, one, other))
    if isinstance(one, dict):
        return same_scalar(list(one), list(other)) and same_scalar(
            list(one.values()), list(other.values())
        )
    if isinstance(one, dt.datetime) and one.tzinfo is not other.tzinfo:
        return same_zone(one.tzinfo, other.tzinfo) and repr(one) == repr(other)
    return repr(one) == repr(other)


def same_zone(one: Any, other: Any) -> bool:
    return type(one) is type(other) and str(one) == str(other)


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal elements, -0.0 told from 0.0, any NaN like any other."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.kind == "f":
        nan = np.isnan(one)
        return bool(
            np.array_equal(nan, np.isnan(other)) and one[~nan].tobytes() == other[~nan].tobytes()
        )
    return one.tobytes() == other.tobytes()


def same_ndarray(one: Any, other: Any) -> bool:
    """Two NumPy arrays, in the same order in memory."""
    about = [
        (type(a), a.shape, a.dtype.num, repr(a.dtype), str(a.dtype.metadata)) for a in (one, other)
    ]
    is_fortran = [a.flags.f_contiguous and not a.flags.c_contiguous for a in (one, other)]
    return (
        about[0] == about[1] and is_fortran[0] == is_fortran[1] and one.tobytes() == other.tobytes()
    )


def same_dtype(one: Any, other: Any) -> bool:
    if one != other or str(one) != str(other) or type(one) is not type(other):
        return False
    if isinstance(one, pd.DatetimeTZDtype):
        return same_zone(one.tz, other.tz)
    if isinstance(one, pd.StringDtype):
        return one.storage == other.storage and (one.na_value is other.na_value)
    return True


def same_array(one: Any, other: Any) -> bool:
    """Two arrays behind a column or an index."""
    kind = type(one)
    if type(one) is not type(other) or len(one) != len(other):
        return False
    if isinstance(one, pd.Categorical):
        return (
            one.ordered == other.ordered
            and same_bits(one.codes, other.codes)
            and same_index(one.categories, other.categories)
        )
    if not same_dtype(one.dtype, other.dtype):
        return False
    if type(one) is pd.arrays.NumpyExtensionArray and one.to_numpy().dtype != object:
        return same_bits(one.to_numpy(), other.to_numpy())
    if kind in (pd.arrays.DatetimeArray, pd.arrays.TimedeltaArray, pd.arrays.PeriodArray):
        return same_bits(one.asi8, other.asi8)
    if isinstance(one, pd.arrays.IntervalArray):
        return same_array(one.left.array, other.left.array) and same_array(
            one.right.array, other.right.array
        )
    if kind in (pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray):
        valid = ~one._mask
        return same_bits(one._mask, other._mask) and same_bits(one._data[valid], other._data[valid])
    if isinstance(one, pd.arrays.ArrowExtensionArray) and isinstance(one.dtype, pd.ArrowDtype):
        left, right = one.__arrow_array__(), other.__arrow_array__()
        return same_arrow(left, right)
    return all(map(same_scalar, one, other))


def same_arrow(one: Any, other: Any) -> bool:
    """Two chunked arrays of Arrow; as text, because NaN is like NaN and some types print only."""
    if one.type != other.type or len(one) != len(other):
        return False
    whole = {"window": len(one) + 1, "container_window": 1000}
    texts = [pa.chunked_array([column.combine_chunks()], column.type) for column in (one, other)]
    return bool(one.equals(other)) or texts[0].to_string(**whole) == texts[1].to_string(**whole)


def same_index(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or not same_scalar(list(one.names), list(other.names)):
        return False
    if isinstance(one, pd.MultiIndex):
        return (
            getattr(one, "sortorder", None) == getattr(other, "sortorder", None)
            and all(map(same_index, one.levels, other.levels))
            and all(map(same_bits, one.codes, other.codes))
        )
    if isinstance(one, pd.RangeIndex):
        return (one.start, one.stop, one.step) == (other.start, other.stop, other.step)
    if getattr(one, "freq", None) != getattr(other, "freq", None):
        return False
    return same_array(one.array, other.array)


def same_frame(one: Any, other: Any) -> bool:
    """Two DataFrames or two Series."""
    if type(one) is not type(other):
        return False
    about = same_index(one.index, other.index) and same_scalar(one.attrs, other.attrs)
    about = about and one.flags == other.flags
    if isinstance(one, pd.Series):
        return about and same_scalar(one.name, other.name) and same_array(one.array, other.array)
    return (
        about
        and same_index(one.columns, other.columns)
        and all(
            same_array(one.iloc[:, i].array, other.iloc[:, i].array) for i in range(one.shape[1])
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
    """Any bit pattern of a numeric dtype, so that NaN, -0.0 and both ends come up."""
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
    """An array that can be a column: of every dtype that is to pass."""
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
    """An index of every kind that is to pass, of this many rows."""
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
    """A DataFrame that is to pass: every dtype, index and label kind, some attrs."""
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
