"""A step may write to the values that it gets, without an effect on other steps."""

# ruff: noqa: PD002, PD008 - these tests try in-place changes

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flight_delays.checkpointing import codecs

from . import exactness as exact

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")

FRAME, SERIES = codecs.codec_named("DataFrame"), codecs.codec_named("Series")


def flights() -> pd.DataFrame:
    moments = pd.to_datetime(["2013-01-31", "NaT", "2013-02-01"])
    return pd.DataFrame(
        {
            "x": [1.5, np.nan, 3.5],
            "n": [3, 1, 2],
            "flag": [True, False, True],
            "t": moments,
            "zoned": moments.tz_localize("Europe/Madrid"),
            "span": moments - moments[0],
            "day": moments.to_period("D"),
            "text": ["a", None, "c"],
            "kind": pd.Categorical(["a", None, "b"]),
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "bin": pd.arrays.IntervalArray.from_breaks([0, 1, 2, 3]),
            "object": pd.Series(["a", None, "c"], dtype=object),
            "arrow": pd.array([1, None, 3], dtype="int64[pyarrow]"),
        },
        index=pd.Index([10, 20, 30], name="key"),
    )


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A value as a later part gets it: in a mapped file."""
    path = tmp_path_factory.mktemp("checkpoint") / "flights.arrow"
    with path.open("wb") as file:
        codecs.format_named("arrow").write(FRAME.freeze(flights()), file)
    return codecs.format_named("arrow").read(path, None)


@pytest.fixture(params=["in memory", "mapped"])
def frozen(request: pytest.FixtureRequest, mapped: Any) -> Any:
    """A value as later steps get it: in the memory of this process, or in a mapped file."""
    return mapped if request.param == "mapped" else FRAME.freeze(flights())


def add_in_place(df: pd.DataFrame) -> None:
    df["x"] += 1


def fill_in_place(df: pd.DataFrame) -> None:
    df.fillna({"x": 0.0}, inplace=True)


def through_loc(df: pd.DataFrame) -> None:
    df.loc[20, "x"] = 9.0


def through_loc_of_rows(df: pd.DataFrame) -> None:
    df.loc[df["n"] > 1, ["x", "n"]] = 0


def through_iloc(df: pd.DataFrame) -> None:
    df.iloc[0, 1] = 7


def through_at(df: pd.DataFrame) -> None:
    df.at[10, "n"] = 5


def sort_in_place(df: pd.DataFrame) -> None:
    df.sort_values("n", inplace=True)


def replace_in_place(df: pd.DataFrame) -> None:
    df.replace({"n": {3: 4}}, inplace=True)


def mask_in_place(df: pd.DataFrame) -> None:
    df.mask(df[["x", "n"]] > 2, 0, inplace=True)


def update_in_place(df: pd.DataFrame) -> None:
    df.update(pd.DataFrame({"x": [5.0]}, index=[20]))


def interpolate_in_place(df: pd.DataFrame) -> None:
    column = df["x"]
    column.interpolate(inplace=True)
    column.ffill(inplace=True)
    df["x"] = column


def index_as_column(df: pd.DataFrame) -> None:
    df.reset_index(inplace=True)
    df.loc[0, "key"] = 99


def index_as_series(df: pd.DataFrame) -> None:
    keys = df.index.to_series()
    keys.iloc[0] = 99
    frame = df.index.to_frame(index=False)
    frame.loc[0, "key"] = 99
    df["key"] = df.index
    df.loc[10, "key"] = 99


def column_as_index(df: pd.DataFrame) -> None:
    df.set_index("n", inplace=True)
    df.reset_index(inplace=True)
    df.loc[0, "n"] = 99


def every_column(df: pd.DataFrame) -> None:
    for position in range(df.shape[1]):
        column: Any = df.iloc[:, position]
        column.iloc[0] = column.iloc[2]
        df.isetitem(position, column)


def column_array(df: pd.DataFrame) -> None:
    df["whole"] = df["whole"].fillna(0)
    df["t"] = df["t"].fillna(pd.Timestamp("2013"))
    df["kind"] = df["kind"].cat.rename_categories({"a": "z"})


def rename_labels(df: pd.DataFrame) -> None:
    df.columns = [name.upper() for name in df.columns]
    df.loc[10, "X"] = 0.0


WRITES = [
    add_in_place,
    fill_in_place,
    through_loc,
    through_loc_of_rows,
    through_iloc,
    through_at,
    sort_in_place,
    replace_in_place,
    mask_in_place,
    update_in_place,
    interpolate_in_place,
    index_as_column,
    index_as_series,
    column_as_index,
    every_column,
    column_array,
    rename_labels,
]
VIEWS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "itself": lambda df: df,
    "renamed": lambda df: df.rename(columns={"object": "other"}),
    "assigned": lambda df: df.assign(new=1),
    "chosen columns": lambda df: df[list(df.columns)],
    "a slice of rows": lambda df: df[:],
    "shallow copy": lambda df: df.copy(deep=False),
    "reindexed": lambda df: df.reindex(columns=df.columns),
    "back and forth": lambda df: df.reset_index().set_index("key"),
    "concatenated": lambda df: pd.concat([df[["x", "n"]], df.drop(columns=["x", "n"])], axis=1),
    "inferred": lambda df: df.infer_objects(),
    "piped through Series": lambda df: pd.DataFrame({name: df[name] for name in df}, copy=False),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("write", WRITES)
def test_a_write_works_as_on_an_own_frame_and_stays_private(
    write: Callable[[pd.DataFrame], None], view: str, mapped: Any
) -> None:
    frame = FRAME.thaw(mapped)
    # The step rebinds its parameter: the frame that it received is freed before the write.
    frame = VIEWS[view](frame)
    write(frame)
    expected = VIEWS[view](flights())
    write(expected)
    pd.testing.assert_frame_equal(frame, expected)
    assert exact.same_frame(FRAME.thaw(mapped), flights())


def test_a_series_can_be_written_to_after_the_first_one_died(frozen: Any) -> None:
    series = SERIES.thaw(codecs.select(frozen, ("x",)))
    series = series.rename("y")
    gc.collect()
    series.iloc[0] = 9.0
    series.loc[20] = 8.0
    series += 1
    series.fillna(0.0, inplace=True)
    assert series.tolist() == [10.0, 9.0, 4.5]
    assert exact.same_frame(FRAME.thaw(frozen), flights())


def test_a_column_taken_out_of_a_frame_that_died_can_be_written_to(frozen: Any) -> None:
    column = FRAME.thaw(frozen)["x"]
    gc.collect()
    column[10] = 9.0
    assert column.tolist()[0] == 9.0
    assert exact.same_frame(FRAME.thaw(frozen), flights())


INDEX_VIEWS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "Series": lambda df: pd.Series(df.index, copy=False),
    "to_series": lambda df: df.index.to_series(),
    "to_frame": lambda df: df.index.to_frame(index=False)["key"],
    "column": lambda df: pd.DataFrame({"key": df.index}, copy=False)["key"],
}


@pytest.mark.parametrize("view", INDEX_VIEWS)
def test_the_values_of_an_index_that_died_can_be_written_to(view: str, frozen: Any) -> None:
    keys = INDEX_VIEWS[view](FRAME.thaw(frozen))
    keys.iloc[0] = 99
    assert keys.tolist() == [99, 20, 30]
    assert exact.same_frame(FRAME.thaw(frozen), flights())


def test_raw_memory_of_a_column_is_read_only(frozen: Any) -> None:
    frame = FRAME.thaw(frozen)
    for raw in (frame["x"].to_numpy(), frame["x"].array, frame["t"].array, frame.index.to_numpy()):
        with pytest.raises(ValueError, match="read-only"):
            raw[0] = raw[2]
    assert exact.same_frame(FRAME.thaw(frozen), flights())


def test_who_keeps_the_frame_that_was_frozen_cannot_change_the_value() -> None:
    original = flights()
    frozen = FRAME.freeze(original)
    original.loc[10, "n"] = 99
    original["x"] += 1
    original.reset_index(inplace=True)
    original.loc[0, "key"] = 99
    assert exact.same_frame(FRAME.thaw(frozen), flights())


def test_only_the_column_that_is_written_to_is_copied(frozen: Any) -> None:
    frame = FRAME.thaw(frozen)
    before = {name: frame[name].to_numpy().ctypes.data for name in ("x", "n")}
    frame.loc[10, "x"] = 0.0
    after = {name: frame[name].to_numpy().ctypes.data for name in ("x", "n")}
    assert after["n"] == before["n"]
    assert after["x"] != before["x"]
    frame.loc[20, "x"] = 0.0
    assert frame["x"].to_numpy().ctypes.data == after["x"]


def test_a_step_can_free_what_it_was_handed() -> None:
    values = np.arange(10.0)
    reference = weakref.ref(values)
    frozen = FRAME.freeze(pd.DataFrame({"x": values}, index=pd.Index(values), copy=False))
    del values
    frame = FRAME.thaw(frozen)
    del frozen
    frame = frame.rename(columns={"x": "y"})
    gc.collect()
    assert reference() is not None
    del frame
    gc.collect()
    assert reference() is None
