"""Columns chosen of a table are the same, in however many choices and whatever is between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing import codecs
from flight_delays.checkpointing.base.errors import InexactValue

from . import exactness as exact

FRAME, SERIES, TABLE = (codecs.codec_named(name) for name in ("DataFrame", "Series", "Table"))
COUNT = 6
KINDS: dict[str, Any] = {
    "range": pd.RangeIndex(COUNT),
    "named range": pd.RangeIndex(10, 10 - 2 * COUNT, -2, name="n"),
    "numbers": pd.Index([3, 4, 5, 6, 7, 8], dtype="int8"),
    "nullable numbers": pd.Index([0, 1, 2, 3, 4, None], dtype="Int64"),
    "floats": pd.Index([0.5, 1.5, 2.5, 3.5, 4.5, np.nan]),
    "text": pd.Index(list("abcdef"), name="letter"),
    "objects": pd.Index(["a", 1, None, 2.5, ("b", 1), "c"], dtype=object, tupleize_cols=False),
    "days": pd.date_range("2013-01-01", periods=COUNT, freq="D", name="day"),
    "hours in a zone": pd.date_range("2013-03-31", periods=COUNT, freq="h", tz="Europe/Madrid"),
    "durations": pd.timedelta_range("1h", periods=COUNT, freq="90min"),
    "months": pd.period_range("2013-01", periods=COUNT, freq="M"),
    "categories": pd.CategoricalIndex(list("abcdef"), categories=list("zfedcba"), ordered=True),
    "categories of a range": pd.CategoricalIndex(range(COUNT), categories=pd.RangeIndex(9)),
    "intervals": pd.interval_range(0, COUNT),
    "intervals of days": pd.interval_range(pd.Timestamp("2013-01-01"), periods=COUNT),
    "levels": pd.MultiIndex.from_product(
        [pd.date_range("2013-01-01", periods=2, freq="D"), pd.RangeIndex(3)], names=["day", None]
    ),
    "sorted levels": pd.MultiIndex.from_product([["a", "b"], [1, 2, 3]]).sort_values(),
    "levels that nothing uses": pd.MultiIndex.from_product([["a", "b", "c"], [1, 2, 3]])[:COUNT],
}
ALL = tuple(range(COUNT))
CHOICES = [(0, 2, 4), (1, 2), (3,), (4, 2, 0), ALL]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def loaded(frozen: Any, form: str, folder: Path) -> Any:
    """A table that was written and read; with no format as it is."""
    if not form:
        return frozen
    path = folder / f"value.{form}"
    path.unlink(missing_ok=True)  # an earlier value may still be mapped
    with path.open("wb") as file:
        codecs.format_named(form).write(frozen, file)
    return codecs.format_named(form).read(path, None)


def ways_to(choice: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """One choice, two and three that lead to the same columns."""
    wider = tuple(sorted({*choice, 5}))
    for former in ((), (wider,), (ALL,), (ALL, wider)):
        yield (*former, choice)


def in_turn(frozen: Any, ways: tuple[tuple[int, ...], ...], form: str, folder: Path) -> Any:
    """What is left of a table after some choices, with a file before each but the first."""
    names = frozen.column_names
    for number, positions in enumerate(ways):
        between = loaded(frozen, form if number else "", folder)
        frozen = codecs.select(between, tuple(names[position] for position in positions))
    return frozen


@pytest.mark.parametrize("kind", KINDS)
def test_columns_have_the_same_labels_in_however_many_choices(kind: str, folder: Path) -> None:
    labels = KINDS[kind]
    frozen = FRAME.freeze(pd.DataFrame(np.arange(2.0 * COUNT).reshape(2, COUNT), columns=labels))
    for choice in CHOICES:
        once = FRAME.thaw(in_turn(frozen, (choice,), "", folder))
        assert exact.same_scalar(list(once.columns), list(labels.take(choice)))
        assert once.columns.dtype == labels.dtype
        assert list(once.columns.names) == list(labels.names)
        for ways, form in itertools.product(ways_to(choice), ("", "arrow", "parquet")):
            chosen = FRAME.thaw(in_turn(frozen, ways, form, folder))
            assert exact.same_frame(chosen, once), (ways, form)


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_taken_as_a_series_has_the_same_name_in_however_many_choices(
    kind: str, folder: Path
) -> None:
    frozen = FRAME.freeze(pd.DataFrame(np.zeros((2, COUNT)), columns=KINDS[kind]))
    for ways in ways_to((2,)):
        chosen = SERIES.thaw(in_turn(frozen, ways, "arrow", folder))
        once = SERIES.thaw(in_turn(frozen, ((2,),), "", folder))
        assert type(chosen.name) is type(once.name)
        assert exact.same_frame(chosen, once)


def test_a_name_that_several_columns_have_chooses_none_of_them(folder: Path) -> None:
    columns = [pa.array([number]) for number in range(3)]
    frozen = TABLE.freeze(pa.Table.from_arrays(columns, names=["a", "a", "b"]))
    path = folder / "twice.arrow"
    with path.open("wb") as file:
        codecs.format_named("arrow").write(frozen, file)
    with pytest.raises(InexactValue, match="there are 2 columns 'a', and Columns"):
        codecs.select(frozen, ("b", "a"))
    with pytest.raises(InexactValue, match="give each column a name of its own in the step that"):
        codecs.format_named("arrow").read(path, ("a",))
    assert codecs.select(frozen, ("b",)).to_pydict() == {"b": [2]}
