"""Columns of Python objects: made quickly, each as it was, and looked at again only if changed."""

# ruff: noqa: PD011 - these tests look at the memory of columns

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.codecs import codec_named
from flight_delays.checkpointing.codecs.table.arrow import slice_rows
from flight_delays.checkpointing.codecs.table.decimals import decimals_to_arrow
from hypothesis import example, given, settings
from hypothesis import strategies as st

from . import exactness as exact

FRAME = codec_named("DataFrame")
thorough = settings(max_examples=100, deadline=None, database=None)

QUICK = ("date", "time", "timedelta", "datetime", "Decimal", "int")
"""Types of which an unchanged column is known again."""

digits = st.integers(-(10**40), 10**40) | st.integers(-9, 9)
decimals = st.builds(lambda number, places: Decimal(number).scaleb(-places), digits, st.just(2))
odd = st.decimals() | st.builds(
    lambda n, places: Decimal(f"{n}E{places}"), digits, st.integers(-45, 3)
)


def column(values: list[Any]) -> pd.DataFrame:
    objects = np.fromiter(values, object, len(values))
    return pd.DataFrame({"x": pd.Series(objects, dtype=object)})


def address(frozen: Any) -> int:
    return int(frozen.column(0).chunk(0).buffers()[1].address)


@thorough
@given(values=st.lists(decimals | st.none(), max_size=5) | st.lists(odd | st.none(), max_size=3))
@example(values=[Decimal("-0.00"), Decimal("0.00")])
@example(values=[Decimal("0E-9"), None])
@example(values=[Decimal(10**38), Decimal(1)])
@example(values=[Decimal("1E-38"), Decimal("0E-38")])
@example(values=[Decimal("sNaN")])
def test_decimals_are_kept_as_arrow_infers_them_and_not_changed(values: list[Any]) -> None:
    objects = np.fromiter(values, object, len(values))
    quick = decimals_to_arrow(objects) if any(v is not None for v in values) else None
    if quick is not None:
        inferred = pa.array(values)
        assert quick.type == inferred.type
        assert quick.to_pylist() == inferred.to_pylist()
        assert exact.same_scalar(quick.to_pylist(), values)
    refused = ""
    try:
        thawed = FRAME.thaw(FRAME.freeze(column(values)))
    except InexactValue as refusal:
        refused = str(refusal)
    assert "Decimal" in refused if refused else exact.same_frame(thawed, column(values))
    assert not (quick is not None and refused)


@pytest.mark.parametrize("kind", sorted(exact.OBJECTS))
@settings(thorough, max_examples=15)
@given(data=st.data())
def test_many_equal_objects_come_back_each_as_it_was(kind: str, data: Any) -> None:
    few = data.draw(st.lists(exact.OBJECTS[kind], min_size=1, max_size=4))
    missing = data.draw(st.sampled_from([None, float("nan"), pd.NaT, pd.NA]))
    values = data.draw(st.lists(st.sampled_from([*few, missing]), max_size=40))
    frame = column(values)
    thawed = FRAME.thaw(FRAME.freeze(frame))
    assert exact.same_frame(thawed, frame)
    assert exact.same_frame(FRAME.thaw(FRAME.freeze(thawed)), frame)


def test_equal_dates_are_one_object_and_lists_are_not() -> None:
    days = FRAME.thaw(FRAME.freeze(column([dt.date(2013, 1, 31 - n % 3) for n in range(50)])))
    lists = FRAME.thaw(FRAME.freeze(column([[1]] * 50)))
    assert len({*map(id, days["x"])}) == 3
    assert len({*map(id, lists["x"])}) == 50


CHANGES: dict[str, Callable[[pd.DataFrame, Any], pd.DataFrame]] = {
    "a value set": lambda df, value: (df.__setitem__("x", df["x"].copy()), df)[1],
    "loc": lambda df, value: (df.loc.__setitem__((0, "x"), value), df)[1],
    "iat": lambda df, value: (df.iat.__setitem__((2, 0), value), df)[1],
    "where": lambda df, value: df.assign(x=df["x"].where(df["x"] == value, value)),
    "rows": lambda df, value: df.iloc[1:],
    "first rows": lambda df, value: df.iloc[:2],
    "other rows": lambda df, value: df.iloc[::-1],
    "sorted": lambda df, value: df.sort_values("x"),
    "repeated": lambda df, value: pd.concat([df, df]),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
@pytest.mark.parametrize("kind", QUICK)
@settings(thorough, max_examples=5)
@given(data=st.data())
def test_a_changed_column_is_looked_at_again(kind: str, change: str, data: Any) -> None:
    values = data.draw(exact.lists_of(exact.OBJECTS[kind], 4))
    other = data.draw(exact.OBJECTS[kind])
    frozen = FRAME.freeze(column(values))
    changed = CHANGES[change](FRAME.thaw(frozen), other)
    expected = CHANGES[change](column(values), other)
    again = FRAME.freeze(changed)
    assert exact.same_frame(FRAME.thaw(again), expected)
    # As if it had never been thawed, to the type and the bits.
    assert again.equals(FRAME.freeze(expected), check_metadata=True)
    assert exact.same_frame(FRAME.thaw(frozen), column(values))


@pytest.mark.parametrize("kind", QUICK)
@settings(thorough, max_examples=5)
@given(data=st.data())
def test_a_column_that_is_passed_on_keeps_its_memory(kind: str, data: Any) -> None:
    some = st.none() | exact.OBJECTS[kind]
    values = [*data.draw(exact.lists_of(some, 4)), data.draw(exact.OBJECTS[kind])]
    frozen = FRAME.freeze(column(values))
    passed = FRAME.thaw(frozen).assign(new=1)[["x", "new"]]
    assert address(FRAME.freeze(passed)) == address(frozen)
    as_index = FRAME.freeze(passed.set_index("x"))
    assert exact.same_frame(FRAME.thaw(as_index), column(values).assign(new=1).set_index("x"))


def test_a_part_of_a_column_is_frozen_as_its_objects_alone_would_be() -> None:
    values = [Decimal("1.00"), Decimal("123.45"), None]
    part = slice_rows(FRAME.freeze(column(values)), 1)
    assert FRAME.freeze(FRAME.thaw(part)).schema.field(0).type == pa.decimal128(3, 2)


def test_objects_that_were_made_writeable_are_looked_at_again() -> None:
    frozen = FRAME.freeze(column([dt.date(2013, 1, 31), dt.date(2013, 2, 1)]))
    thawed = FRAME.thaw(frozen)
    raw = thawed._mgr.blocks[0].values
    with pytest.raises(ValueError, match="read-only"):
        thawed["x"].array[0] = dt.date(2014, 1, 1)
    raw.base.flags.writeable = True
    raw.base[0] = dt.date(2014, 1, 1)
    assert FRAME.thaw(FRAME.freeze(thawed))["x"].tolist()[0] == dt.date(2014, 1, 1)


@pytest.mark.parametrize(
    "value",
    [
        dt.time(1, tzinfo=ZoneInfo("Europe/Madrid")),  # of which Python does not know the offset
        dt.time(1, tzinfo=dt.UTC),
        dt.time(1, fold=1),
        dt.datetime(2013, 10, 27, 2, fold=1),
        dt.datetime(2013, 1, 31, tzinfo=dt.UTC),
        Decimal("-0.0"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("1E+3"),
    ],
    ids=repr,
)
def test_what_arrow_would_change_is_refused(value: Any) -> None:
    plain = Decimal("1.0") if isinstance(value, Decimal) else value.replace(tzinfo=None, fold=0)
    for values in ([value], [value, None], [plain, value]):
        with pytest.raises(InexactValue, match="column 'x' holds objects"):
            FRAME.freeze(column(values))
