"""The codec of each type, and the codecs that a project may add."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Literal, Optional, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from flight_delays.checkpointing import codecs
from flight_delays.checkpointing.base.errors import ConfigurationError
from flight_delays.checkpointing.codecs import catalogue


class Delay(TypedDict):
    carrier: str
    minutes: float


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (pd.DataFrame, "DataFrame"),
        (pd.Series, "Series"),
        (pa.Table, "Table"),
        (np.ndarray, "ndarray"),
        (npt.NDArray[np.float64], "ndarray"),
        (Path, "Path"),
        *((plain, "json") for plain in (bool, int, float, str, None, dict, list)),
        *((plain, "json") for plain in (date, datetime, timedelta, type(None), Delay)),
        (dict[str, Any], "json"),
        (dict[str, list[float | None]], "json"),
        (list[Delay], "json"),
        (float | None, "json"),
        (Optional[int], "json"),  # noqa: UP045 - the older spelling must work as well
        (Literal["a", 1, None], "json"),
        *((plain, "json") for plain in (Decimal, set, bytes, np.float64, pd.Timestamp)),
        (tuple[int, ...], "json"),
        (dict[int, tuple[Decimal, str]], "json"),
        *((index, "Index") for index in (pd.Index, pd.RangeIndex, pd.MultiIndex, pd.DatetimeIndex)),
    ],
)
def test_an_annotation_has_a_codec(annotation: object, name: str) -> None:
    codec = codecs.codec_of(annotation)
    assert codec is not None
    assert codec.name == name
    assert codecs.codec_named(name) is codec


@pytest.mark.parametrize(
    "annotation",
    [
        object,
        Any,
        list[Fraction],
        tuple[int, object],
        dict[int, pd.DataFrame],
        pd.DataFrame | None,
        np.longdouble,
        np.floating,
        "pandas.DataFrame",
    ],
)
def test_other_annotations_have_none(annotation: object) -> None:
    assert codecs.codec_of(annotation) is None


def test_checkpoints_follow_the_preference_where_a_family_has_a_choice() -> None:
    assert codecs.working_format("table", "arrow").name == "arrow"
    assert codecs.working_format("table", "parquet").name == "parquet"
    assert codecs.working_format("array", "parquet").name == "npy"
    assert codecs.working_format("json", "arrow").name == "json"


def test_outputs_are_files_that_others_can_read() -> None:
    families = ("table", "array", "json", "path")
    formats = {family: codecs.output_format(family) for family in families}
    assert {family: f and (f.name, f.suffix) for family, f in formats.items()} == {
        "table": ("parquet", ".parquet"),
        "array": ("npy", ".npy"),
        "json": ("json", ".json"),
        "path": None,
    }


def test_a_manifest_can_describe_every_value() -> None:
    frame = codecs.codec_named("DataFrame").freeze(pd.DataFrame({"x": [1.5], "y": ["a"]}))
    assert codecs.describe(frame) == {"rows": 1, "schema": {"x": "double", "y": "large_string"}}
    array = codecs.codec_named("ndarray").freeze(np.zeros((2, 3)))
    assert codecs.describe(array) == {"shape": [2, 3], "dtype": "float64"}
    assert codecs.describe(b"1") == codecs.describe(Path()) == {}


def test_the_size_of_a_value_counts_shared_memory_once(tmp_path: Path) -> None:
    column = pa.array(np.arange(100))
    assert codecs.frozen_bytes(pa.table({"x": column, "y": column})) == 800
    assert codecs.frozen_bytes(np.zeros(10)) == 80
    assert codecs.frozen_bytes(b"123") == 3
    assert codecs.frozen_bytes(tmp_path) == 0


def test_importing_the_registry_imports_no_family() -> None:
    heavy = "{'pandas', 'pyarrow', 'numpy'}"
    code = f"import sys, flight_delays.checkpointing.codecs; assert not {heavy} & set(sys.modules)"
    path = str(Path(codecs.__file__).parents[3])
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": path})


class Route:
    """A type of a project's own."""

    def __init__(self, text: str) -> None:
        self.text = text


@pytest.fixture
def route(monkeypatch: pytest.MonkeyPatch) -> codecs.Codec:
    monkeypatch.setattr("flight_delays.checkpointing.codecs.CODECS", dict(catalogue.CODECS))
    monkeypatch.setattr("flight_delays.checkpointing.codecs.FORMATS", dict(catalogue.FORMATS))
    return codecs.Codec(
        "Route", f"{Route.__module__}.Route", "route", lambda route: route.text, Route
    )


def write_text(frozen: str, file: BinaryIO) -> None:
    file.write(frozen.encode())


def route_format(name: str) -> codecs.Format:
    return codecs.Format(
        name,
        ".txt",
        "route",
        write_text,
        lambda path, columns: path.read_text(),
    )


def test_a_project_can_add_a_type_with_files_of_its_own(route: codecs.Codec) -> None:
    codecs.register(route, route_format("route"))
    codec = codecs.codec_of(Route)
    assert codec is route
    assert codec.thaw(codec.freeze(Route("JFK-LAX"))).text == "JFK-LAX"
    assert codecs.working_format("route", "arrow").name == "route"
    assert codecs.output_format("route") == codecs.format_named("route")


def test_a_name_or_a_type_cannot_be_taken_twice(route: codecs.Codec) -> None:
    with pytest.raises(ConfigurationError, match="format named 'npy' exists"):
        codecs.register(route, route_format("npy"))
    with pytest.raises(ConfigurationError, match="format named 'twice' exists"):
        codecs.register(route, route_format("twice"), route_format("twice"))
    assert codecs.codec_of(Route) is None
    codecs.register(route, route_format("route"))
    with pytest.raises(ConfigurationError, match="codec named 'Route'"):
        codecs.register(route)
