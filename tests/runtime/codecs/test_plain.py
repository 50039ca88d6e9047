"""JSON values, arrays and paths come back exactly or are refused."""

from __future__ import annotations

import datetime as dt
import io
import json
import warnings
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flight_delays.checkpointing import codecs
from flight_delays.checkpointing.base.errors import InexactValue
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.lib import recfunctions

from . import exactness as exact

JSON, ARRAY, PATH = (codecs.codec_named(name) for name in ("json", "ndarray", "Path"))
thorough = settings(max_examples=300, deadline=None, database=None)

zones = st.none() | st.sampled_from(
    [dt.UTC, zoneinfo.ZoneInfo("Europe/Madrid"), dt.timezone(dt.timedelta(hours=-3, seconds=7))]
)
SCALES: dict[Any, int] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def moment(nanoseconds: int, unit: Any, zone: dt.tzinfo | None) -> pd.Timestamp:
    """A Timestamp of this unit and zone, within the years that all units have."""
    utc = pd.Timestamp(nanoseconds // SCALES[unit], unit=unit).as_unit(unit).tz_localize("UTC")
    return utc.tz_convert(zone)


def span(nanoseconds: int, unit: Any) -> pd.Timedelta:
    """A Timedelta of this unit."""
    return pd.Timedelta(np.timedelta64(nanoseconds // SCALES[unit], unit))


numpy_scalars = (
    exact.numbers("float64", 1)
    | exact.numbers("float32", 1)
    | exact.numbers("float16", 1)
    | exact.numbers("int8", 1)
    | exact.numbers("uint64", 1)
    | exact.numbers("bool", 1)
    | st.sampled_from(
        [np.array(["ab"]), np.array(["NaT", "2013-01-31T05"], "M8[h]"), np.array([5], "m8[ns]")]
    )
).map(lambda array: array[0])
moments = st.tuples(
    st.integers(-(2**62), 2**62), st.sampled_from(["s", "ms", "us", "ns"]), zones
).map(lambda parts: moment(*parts))
spans = st.tuples(st.integers(-(2**62), 2**62), st.sampled_from(["s", "ms", "us", "ns"])).map(
    lambda parts: span(*parts)
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | exact.texts
    | st.dates()
    | st.datetimes(timezones=zones)
    | st.timedeltas()
    | numpy_scalars
    | st.binary()
    | st.decimals()
    | st.sampled_from([Decimal("NaN123"), Decimal("-sNaN"), Decimal("-0E+5"), Decimal("1.10")])
    | st.uuids()
    | st.complex_numbers()
    | st.times(timezones=zones)
    | st.times().map(lambda time: time.replace(fold=1))
    | moments
    | st.sampled_from([pd.NaT, pd.NA])
    | spans
)
hashable = st.recursive(
    scalars.filter(lambda value: not isinstance(value, Decimal) or not value.is_snan()),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
keys = exact.texts | st.sampled_from(["$date", "$dict", "$float", "$", "$numpy"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(hashable, max_size=3)
        | st.frozensets(hashable, max_size=3)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(hashable, inner, max_size=3)
    ),
    max_leaves=12,
)


def through_json(value: Any, tmp_path: Path) -> Any:
    format_ = codecs.format_named("json")
    path = tmp_path / "value.json"
    with path.open("wb") as file:
        format_.write(JSON.freeze(value), file)
    return JSON.thaw(format_.read(path, None))


@thorough
@given(value=values)
def test_a_json_value_comes_back_exactly(
    value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert exact.same_scalar(JSON.thaw(JSON.freeze(value)), value)
    assert exact.same_scalar(through_json(value, tmp_path_factory.getbasetemp()), value)


def nest(levels: int, inner: Any) -> Any:
    """A value within that many lists and dicts."""
    for level in range(levels):
        inner = [inner] if level % 2 else {"$tag": inner}
    return inner


def test_a_value_is_nested_as_deep_as_every_process_can_read(tmp_path: Path) -> None:
    assert through_json(nest(250, 1), tmp_path) == nest(250, 1)
    for value in (nest(251, 1), nest(100_000, 1)):
        with pytest.raises(InexactValue, match="nested more than 250 levels deep"):
            JSON.freeze(value)


def test_integers_of_any_length_come_back() -> None:
    for value in (10**5000, -(10**5000), 2**64, -(2**63)):
        assert JSON.thaw(JSON.freeze(value)) == value


def test_ordinary_values_are_ordinary_json() -> None:
    value = {"carrier": "UA", "delay": [1.5, None, True], "where": {"to": "España"}}
    assert json.loads(JSON.freeze(value)) == value
    assert b"NaN" not in JSON.freeze(float("nan"))


def test_every_step_gets_a_dict_of_its_own() -> None:
    frozen = JSON.freeze({"a": [1]})
    JSON.thaw(frozen)["a"].append(2)
    assert JSON.thaw(frozen) == {"a": [1]}


class Carrier(str):
    """A subclass of str."""


class Zone(dt.tzinfo):
    """A zone that only this program defines."""

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(hours=1)

    def dst(self, moment: dt.datetime | None) -> None:
        return None

    def tzname(self, moment: dt.datetime | None) -> str:
        return "here"


REFUSED: dict[str, tuple[Any, str]] = {
    "a fraction": (
        {"a": [0, {"b": Fraction(1, 2)}]},
        r"^result\['a'\]\[1\]\['b'\] is a fractions.Fraction.*value.numerator",
    ),
    "a range in a set": ([{range(2)}], r"^result\[0\]\{range\(0, 2\)\} is a range.*list\(value\)"),
    "a range in a tuple": ((1, range(2)), r"^result\[1\] is a range"),
    "a key that JSON does not keep": (
        {"a": {Fraction(1): 2}},
        r"^a key of result\['a'\] is a fractions.Fraction",
    ),
    "bytes that change": (bytearray(b"x"), r"^result is a bytearray.*bytes\(value\)"),
    "a second type of 64 bits": (np.longlong(1), "numpy.longlong"),
    "a frame": ({"a": pd.DataFrame()}, r"^result\['a'\] is a pandas.DataFrame.*steps of their own"),
    "a period": ([pd.Period("2013")], r"^result\[0\] is a .*Period.*start_time"),
    "a subclass of str": (Carrier("UA"), r"^result is a .*Carrier.*str\(value\)"),
    "an array": (np.array([1]), r"numpy.ndarray.*tolist\(\)"),
    "a complex scalar": (np.complex128(1), r"numpy.complex128"),
    "a long double": (np.longdouble(1), r"numpy.longdouble"),
    "an object": (Zone(), "^result is a .*Zone.*return its name"),
    "half a surrogate": (["\ud83d\ude00"], r"^result\[0\] holds .*errors='replace'"),
    "half a surrogate in a key": ({"\ud83d": 1}, "^result holds"),
    "an unknown zone": (dt.datetime(2013, 1, 1, tzinfo=Zone()), "zoneinfo.ZoneInfo"),
    "a named offset": (
        dt.datetime(2013, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), "Winter")),
        "zoneinfo.ZoneInfo",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_values_are_refused_with_their_place_and_a_remedy(case: str) -> None:
    value, message = REFUSED[case]
    with pytest.raises(InexactValue, match=message):
        JSON.freeze(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(InexactValue, match="holds itself"):
        JSON.freeze(value)


dtypes = (
    npst.scalar_dtypes()
    | npst.array_dtypes(npst.integer_dtypes() | npst.floating_dtypes(), max_size=3)
    | npst.unicode_string_dtypes(max_len=4)
    | st.just(np.dtype([("x", "i4", (2,)), ("y", "S3")]))
)


def through_npy(frozen: Any, folder: Path) -> Any:
    format_ = codecs.format_named("npy")
    path = folder / "value.npy"
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        format_.write(frozen, file)
    return format_.read(path, None)


@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
@thorough
@given(data=st.data())
def test_an_array_comes_back_exactly(data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    shapes = npst.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4)
    array = data.draw(npst.arrays(data.draw(dtypes), data.draw(shapes)))
    array = data.draw(st.sampled_from([array, array.T, array[..., ::-1] if array.ndim else array]))
    frozen = ARRAY.freeze(array)
    for thawed in (
        ARRAY.thaw(frozen),
        ARRAY.thaw(through_npy(frozen, tmp_path_factory.getbasetemp())),
    ):
        assert type(thawed) is np.ndarray
        assert thawed.dtype == array.dtype
        assert thawed.shape == array.shape
        assert thawed.tobytes() == array.tobytes()
        assert thawed.flags.f_contiguous == frozen.flags.f_contiguous
        assert not thawed.flags.writeable


def test_gaps_in_a_structure_stay_where_they_are(tmp_path: Path) -> None:
    dtype = np.dtype(
        {"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8], "itemsize": 24}
    )
    array = np.array([(1, 2.5), (3, 4.5)], dtype)
    loaded = through_npy(ARRAY.freeze(array), tmp_path)
    assert loaded.dtype == dtype
    assert loaded.tolist() == array.tolist()


def test_an_array_is_mapped_not_read(tmp_path: Path) -> None:
    array = through_npy(ARRAY.freeze(np.arange(100_000)), tmp_path)
    base = array
    while isinstance(base, np.ndarray):
        assert base.base is not None
        base = base.base
    assert type(base).__name__ == "mmap"


def test_an_array_in_one_order_is_frozen_without_a_copy() -> None:
    array = np.arange(6).reshape(2, 3)
    assert np.shares_memory(ARRAY.freeze(array), array)
    assert np.shares_memory(ARRAY.freeze(array.T), array)
    assert not array.flags.writeable  # for code that still refers to it


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    MATRIX = np.matrix([1])

STRUCTURE = np.zeros(3, [("a", "i4"), ("b", "f8")])
REPACKED: dict[str, Any] = {
    "fields in another order": STRUCTURE[["b", "a"]],
    "aligned fields": np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "fields over each other": np.zeros(
        2, np.dtype({"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 0]})
    ),
    "such fields within a field": np.zeros(2, [("x", STRUCTURE[["b", "a"]].dtype), ("y", "i1")]),
}


@pytest.mark.parametrize("case", REPACKED)
def test_a_structure_that_is_refused_can_be_kept_as_the_message_says(
    case: str, tmp_path: Path
) -> None:
    array = REPACKED[case]
    with pytest.raises(InexactValue, match=r"repack_fields\(array, recurse=True\)"):
        ARRAY.freeze(array)
    repacked = recfunctions.repack_fields(array, recurse=True)
    assert exact.same_ndarray(through_npy(ARRAY.freeze(repacked), tmp_path), repacked)


@pytest.mark.filterwarnings("ignore:Stored array in format 2.0")
def test_an_array_of_very_many_fields_is_kept(tmp_path: Path) -> None:
    array = np.zeros(2, [(f"field {number}", "i4") for number in range(9000)])
    assert exact.same_ndarray(through_npy(ARRAY.freeze(array), tmp_path), array)


@pytest.mark.parametrize("array", [np.array(5), np.array("2013", "M8[Y]"), np.zeros((), "i4,f8")])
def test_an_array_without_dimensions_is_no_scalar(array: Any, tmp_path: Path) -> None:
    assert exact.same_ndarray(ARRAY.thaw(ARRAY.freeze(array)), array)
    assert exact.same_ndarray(through_npy(ARRAY.freeze(array), tmp_path), array)
    with pytest.raises(InexactValue, match=r"result\['x'\] is a numpy.ndarray"):
        JSON.freeze({"x": array})


UNKEPT: dict[str, tuple[Any, str]] = {
    "objects": (np.array([None]), "dtype.*return a DataFrame"),
    "objects in a structure": (np.zeros(1, [("a", "O")]), "dtype"),
    "text of any length": (np.array(["a"], np.dtypes.StringDType()), "dtype"),
    "notes on a dtype": (np.zeros(1, np.dtype("i8", metadata={"unit": "m"})), "dtype"),
    "a masked array": (np.ma.masked_array([1], [True]), r"MaskedArray.*filled"),
    "a matrix": (MATRIX, r"matrix.*np.asarray\(value\)"),
    "records": (np.rec.array([(1, 2)]), r"recarray.*np.asarray\(value\)"),
    "a list": ([1], "returned list"),
}


@pytest.mark.parametrize("case", UNKEPT)
def test_other_arrays_are_refused_with_a_remedy(case: str) -> None:
    value, message = UNKEPT[case]
    with pytest.raises(InexactValue, match=message):
        ARRAY.freeze(value)


def test_a_path_comes_back_if_something_is_there(tmp_path: Path) -> None:
    assert PATH.thaw(PATH.freeze(tmp_path)) == tmp_path
    with pytest.raises(InexactValue, match="nothing; write the file"):
        PATH.freeze(tmp_path / "missing")
    with pytest.raises(InexactValue, match="returned str"):
        PATH.freeze(str(tmp_path))


@pytest.mark.parametrize("name", ["json", "npy"])
def test_only_tables_have_columns_to_choose(name: str, tmp_path: Path) -> None:
    with pytest.raises(InexactValue, match="only tables have columns"):
        codecs.format_named(name).read(tmp_path / "value", ("x",))
    with pytest.raises(InexactValue, match="only tables have columns"):
        codecs.select(b"{}", ("x",))


def test_formats_write_to_any_binary_file() -> None:
    file = io.BytesIO()
    codecs.format_named("npy").write(ARRAY.freeze(np.arange(3)), file)
    assert file.getvalue().startswith(b"\x93NUMPY")


FORMER: dict[str, Any] = {
    '{"$date": "2013-01-31"}': dt.date(2013, 1, 31),
    '{"$datetime": ["2013-01-31T01:02:03", 1, "Europe/Madrid"]}': dt.datetime(
        2013, 1, 31, 1, 2, 3, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Madrid")
    ),
    '{"$timedelta": [1, 2, 3]}': dt.timedelta(1, 2, 3),
    '[{"$int": "-0x10"}, {"$float": "nan"}, {"$float": "-inf"}]': [-16, float("nan"), -np.inf],
    '{"$dict": {"$tuple": [1]}}': {"$tuple": [1]},
    '{"a": {"$numpy": ["float32", 0.5]}}': {"a": np.float32(0.5)},
    '{"$numpy": ["float64", {"$float": "inf"}]}': np.float64("inf"),
    '{"$numpy": ["<M8[s]", 5]}': np.datetime64(5, "s"),
    '{"$numpy": ["<U2", "ab"]}': np.str_("ab"),
}


@pytest.mark.parametrize("text", FORMER)
def test_a_file_of_a_former_version_is_read_as_it_was(text: str) -> None:
    assert exact.same_scalar(JSON.thaw(text.encode()), FORMER[text])


def test_the_same_set_has_the_same_bytes() -> None:
    forwards, backwards = list("abcdefghijkl"), list("lkjihgfedcba")
    assert JSON.freeze(set(forwards)) == JSON.freeze(set(backwards))
