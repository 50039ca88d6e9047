"""Values that would not come back exactly are refused, with their column and a remedy."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing import codecs
from flight_delays.checkpointing.base.errors import InexactValue
from pandas.tseries.offsets import CustomBusinessDay

FRAME, SERIES, TABLE = (codecs.codec_named(name) for name in ("DataFrame", "Series", "Table"))


def objects(*values: Any) -> pd.Series[Any]:
    return pd.Series(np.fromiter(values, object, len(values)), dtype=object)


class Airport(str):
    """A subclass of str."""


class Carriers(pd.Index):
    """An index of a project's own, which keeps its type."""

    def __new__(cls, labels: list[str]) -> Carriers:
        return cls._simple_new(pd.array(labels, dtype="str"), None)  # type: ignore[attr-defined,no-any-return]


class Flights(pd.DataFrame):
    """A frame with methods of its own."""


COLUMNS: dict[str, tuple[Any, str]] = {
    "complex numbers": (pd.Series([1 + 2j]), ".real and .imag"),
    "long doubles": (pd.Series(np.array([1], np.longdouble)), "float64"),
    "foreign byte order": (pd.Series(np.array([1], ">i8")), "newbyteorder"),
    "sparse moments": (
        pd.Series(pd.arrays.SparseArray(np.array(["2013", "NaT"], "M8[ns]"))),
        "to_dense",
    ),
    "lists beside text": (objects([1], "a"), "column.map(json.dumps)"),
    "dicts beside numbers": (objects({"a": 1}, 2), "column.map(json.dumps)"),
    "tuples beside sets": (objects((1,), {2}), "column.map(list)"),
    "text beside bytes": (objects("a", b"b"), "decode"),
    "whole numbers beside floats": (objects(1, 2.5), 'astype("float64")'),
    "dates beside datetimes": (
        objects(dt.date(2013, 1, 1), dt.datetime(2013, 1, 1)),
        "to_datetime",
    ),
    "mixed objects": (objects("a", 1), "astype"),
    "str and a subclass of it": (objects("a", Airport("JFK")), "astype"),
    "a subclass of str": (objects(Airport("JFK")), "dtype"),
    "None beside NaN": (objects("a", None, float("nan")), "where"),
    "None beside NaT": (objects(None, pd.NaT), "where"),
    "integers over 64 bits": (objects(2**64), "decimal128"),
    "decimals of two scales": (objects(Decimal("1.10"), Decimal("2.5")), "round"),
    "fractions": (objects(Fraction(1, 3)), "dtype"),
    "half a surrogate": (objects("\ud800"), "errors='replace'"),
    "half a surrogate in python strings": (
        pd.Series(["\ud800"], dtype=pd.StringDtype("python")),
        "errors='replace'",
    ),
    "lists of unlike elements": (objects([1, "a"]), "explode"),
    "lists of text and of bytes that are none": (objects(["", b"\x80"]), "explode"),
    "lists that turn int into float": (objects([1, 2.5]), "explode"),
    "dicts of unlike keys": (objects({"a": 1}, {"b": 1}), "json_normalize"),
    "a zero character in a key": (objects({"a\0": 1}), "rename"),
    "a zero character in a key within a list": (objects([{"a\0": 1}]), "rename"),
    "a zero character in a field": (
        pd.Series([{"a\0": 1}], dtype=pd.ArrowDtype(pa.struct({"a\0": pa.int64()}))),
        "rename",
    ),
    "sets": (objects({1}), "sorted lists"),
    "tuples": (objects((1, 2)), "lists"),
    "arrays": (objects(np.array([1])), "tolist"),
    "timestamps among objects": (objects(pd.Timestamp("2013")), "to_datetime"),
    "zoned datetimes": (objects(dt.datetime(2013, 1, 1, tzinfo=dt.UTC)), "to_datetime"),
    "datetimes in a repeated hour": (objects(dt.datetime(2013, 1, 1, fold=1)), "to_datetime"),
    "a named fixed offset": (
        pd.Series(pd.to_datetime(["2013"])).dt.tz_localize(
            dt.timezone(dt.timedelta(hours=1), "Winter")
        ),
        "tz_convert",
    ),
    "categories of unlike types": (
        pd.Series(pd.Categorical(["a"], categories=pd.Index(["a", 1], dtype=object))),
        "astype",
    ),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_a_column_is_refused_by_name_with_a_remedy(case: str) -> None:
    column, remedy = COLUMNS[case]
    frame = pd.DataFrame({"fine": range(len(column)), "bad one": column})
    with pytest.raises(InexactValue) as refusal:
        FRAME.freeze(frame)
    assert "column 'bad one'" in str(refusal.value)
    assert remedy in str(refusal.value)
    with pytest.raises(InexactValue, match="the Series 'bad one'"):
        SERIES.freeze(column.rename("bad one"))


@pytest.mark.parametrize("case", ["mixed objects", "tuples", "half a surrogate"])
def test_an_index_is_refused_as_such(case: str) -> None:
    column, _ = COLUMNS[case]
    index = pd.Index(column.array, dtype=object, tupleize_cols=False)
    with pytest.raises(InexactValue, match=r"^the index "):
        FRAME.freeze(pd.DataFrame({"x": range(len(index))}, index=index))


def frame_with(**changes: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"x": [1, 2]})
    for name, value in changes.items():
        setattr(frame, name, value)
    return frame


FRAMES: dict[str, tuple[Any, str]] = {
    "a label twice": (frame_with().T.set_axis(["y", "y"], axis=1), "'y'.*rename"),
    "labels that look the same": (frame_with().T.set_axis([1, "1"], axis=1), "'1'.*rename"),
    "a label of an odd type": (frame_with(columns=[Fraction(1, 3)]), "Fraction.*rename"),
    "an index name of an odd type": (
        frame_with(index=pd.Index([1, 2], name=Fraction(1, 3))),
        "name of the index.*Fraction.*rename",
    ),
    "attrs": (frame_with(attrs={"bins": range(2)}), r"attrs\['bins'\] is a range.*list"),
    "a subclass": (Flights({"x": [1]}), r"Flights; return pandas.DataFrame\(result\)"),
    "a Series": (pd.Series([1]), "returned pandas.Series"),
    "nothing": (None, "returned builtins.NoneType"),
    "an index of a type of its own": (
        frame_with(index=Carriers(["AA", "UA"])),
        r"the index is a Carriers, .*labels alone; use pandas.Index\(index\)",
    ),
    "an unnamed frequency": (
        pd.DataFrame(
            {"x": [1, 2]},
            index=pd.date_range("2013-01-01", periods=2, freq=pd.DateOffset(months=1)),
        ),
        "the index has the frequency.*set its freq to None",
    ),
    "an own calendar": (
        pd.DataFrame(
            {"x": [1, 2]},
            index=pd.date_range(
                "2013-01-01", periods=2, freq=CustomBusinessDay(holidays=["2013-01-02"])
            ),
        ),
        "the index has the frequency.*set its freq to None",
    ),
}


@pytest.mark.parametrize("case", FRAMES)
def test_a_frame_is_refused_with_a_remedy(case: str) -> None:
    frame, message = FRAMES[case]
    with pytest.raises(InexactValue, match=message):
        FRAME.freeze(frame)


def test_a_series_name_of_an_odd_type_is_refused() -> None:
    with pytest.raises(InexactValue, match=r"the Series' name .*Fraction.*rename it to a str"):
        SERIES.freeze(pd.Series([1], name=Fraction(1, 3)))


def test_what_is_no_table_is_no_table() -> None:
    with pytest.raises(InexactValue, match=r"promised a pyarrow.Table and returned .*RecordBatch"):
        TABLE.freeze(pa.record_batch({"x": [1]}))


def test_nan_beside_nulls_cannot_be_read_as_a_frame() -> None:
    table = TABLE.freeze(pa.table({"x": pa.array([1.5, float("nan"), None])}))
    with pytest.raises(InexactValue, match=r"column 'x' holds both NaN and nulls"):
        FRAME.thaw(table)


def test_a_zone_that_pandas_does_not_know_cannot_be_read_as_a_frame() -> None:
    table = TABLE.freeze(pa.table({"t": pa.array([1], pa.timestamp("s", "Mars/Olympus"))}))
    with pytest.raises(InexactValue, match=r"column 't' is in the time zone 'Mars/Olympus'"):
        FRAME.thaw(table)


def test_a_moment_that_pandas_takes_for_nat_cannot_be_read_as_a_frame() -> None:
    table = TABLE.freeze(pa.table({"t": pa.array([-(2**63)], pa.timestamp("ns"))}))
    with pytest.raises(InexactValue, match=r"column 't' holds the earliest moment"):
        FRAME.thaw(table)


def test_categories_that_parquet_cannot_keep_are_refused_by_column(tmp_path: Path) -> None:
    values = pa.StructArray.from_arrays([pa.array([1, 2])], ["a"])
    table = pa.table({"x": pa.DictionaryArray.from_arrays(pa.array([0, 1]), values)})
    with (
        (tmp_path / "x.parquet").open("wb") as file,
        pytest.raises(InexactValue, match=r"column 'x' has categories of type struct"),
    ):
        codecs.format_named("parquet").write(TABLE.freeze(table), file)
