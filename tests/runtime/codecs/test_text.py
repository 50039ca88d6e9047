"""Text of every storage and missing values of every kind are the same fresh and from a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing.base.errors import InexactValue
from flight_delays.checkpointing.codecs import codec_named, format_named

from . import exactness as exact
from .kinds import TEXT_TYPES, objects

FRAME, SERIES = codec_named("DataFrame"), codec_named("Series")
DTYPES = {**TEXT_TYPES, "arrow": pd.ArrowDtype(pa.string()), "object": object}
MISSING: dict[str, Any] = {"None": None, "nan": np.nan, "NA": pd.NA, "NaT": pd.NaT}
VALUES: dict[str, list[Any]] = {
    "nothing": [],
    "missing alone": [None, None],
    "one missing": ["a", None, "\u00e9"],
    "none missing": ["a", ""],
}
OBJECTS: dict[str, list[Any]] = {
    **{f"{name} alone": [value, value] for name, value in MISSING.items()},
    **{f"text or {name}": ["a", value] for name, value in MISSING.items()},
    "floats": [np.nan, 1.0],
    "floats or None": [1.0, None, np.nan],
    "nan or NA": [np.nan, pd.NA],
    "int or nan": [1, np.nan],
    "bool or nan": [True, np.nan],
}


def _series(values: list[Any], dtype: Any) -> Any:
    return pd.Series(objects(*values) if dtype is object else values, dtype=dtype)


SERIES_OF: dict[str, Callable[[], Any]] = {
    **{
        f"{name}, {kind}": partial(_series, values, dtype)
        for name, dtype in DTYPES.items()
        for kind, values in VALUES.items()
    },
    **{f"object, {kind}": partial(_series, values, object) for kind, values in OBJECTS.items()},
}
PLACES: dict[str, Callable[[Any], Any]] = {
    "column": lambda column: pd.DataFrame({"x": column}),
    "no rows of a column": lambda column: pd.DataFrame({"x": column}).iloc[:0],
    "Series": lambda column: column.rename("x"),
    "index": lambda column: pd.DataFrame({"y": 1}, index=_index(column)),
    "level": lambda column: pd.DataFrame(
        {"y": 1}, index=pd.MultiIndex.from_arrays([_index(column), range(len(column))])
    ),
    "labels": lambda column: pd.DataFrame(
        [range(len(_index(column).unique()))], columns=_index(column).unique()
    ),
    "categories": lambda column: pd.DataFrame(
        {"y": pd.Categorical.from_codes([-1, -1], categories=_index(column).dropna().unique())}
    ),
}


def _index(column: Any) -> Any:
    return pd.Index(column.array, dtype=column.dtype)


def portrait(value: Any) -> list[Any]:
    """What a step may ask of text: dtype, storage, and which object each missing value is."""
    if isinstance(value, pd.MultiIndex):
        return [portrait(level) for level in value.levels]
    if isinstance(value, pd.DataFrame):
        columns = [value.iloc[:, number] for number in range(value.shape[1])]
        return [portrait(value.index), portrait(value.columns), *map(portrait, columns)]
    if isinstance(value.dtype, pd.CategoricalDtype):
        return portrait(value.dtype.categories)
    storage = getattr(value.dtype, "storage", None), repr(getattr(value.dtype, "na_value", None))
    arrow = getattr(value.array, "_pa_array", None)
    items = [
        next((f"is {name}" for name, missing in MISSING.items() if item is missing), repr(item))
        for item in (*value, *getattr(value.array, "_ndarray", ()))
    ]
    return [repr(value.dtype), storage, str(getattr(arrow, "type", None)), items]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_what_a_step_receives_is_what_was_returned_in_type_storage_and_missing_values(
    place: str, form: str, tmp_path: Path
) -> None:
    refused = []
    for name, make in SERIES_OF.items():
        value = PLACES[place](make())
        codec = SERIES if place == "Series" else FRAME
        try:
            frozen = codec.freeze(value)
        except InexactValue:
            refused.append(name)
            continue
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        with path.open("wb") as file:
            format_named(form).write(frozen, file)
        for received in (frozen, format_named(form).read(path, None)):
            thawed = codec.thaw(received)
            assert exact.same_frame(thawed, PLACES[place](make())), name
            assert portrait(thawed) == portrait(PLACES[place](make())), name

    of_labels = {f"object, {name}" for name in OBJECTS if "NA" in name or "NaT" in name}
    assert set(refused) <= (of_labels if place == "labels" else set())


def test_the_labels_of_a_table_do_not_depend_on_options_of_pandas() -> None:
    frozen = codec_named("Table").freeze(pa.table({"x": ["a"]}))
    plain = portrait(FRAME.thaw(frozen))
    with pd.option_context("mode.string_storage", "python"):
        assert portrait(FRAME.thaw(frozen)) == plain
