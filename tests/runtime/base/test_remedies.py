"""The table of types: the code keeps what it says is kept, and refuses the rest as it says."""

from __future__ import annotations

import importlib
import types
import typing
from collections import Counter
from decimal import Decimal
from typing import Any

import numpy.typing as npt
import pytest
import scipy.sparse
import sklearn.linear_model
from flight_delays.checkpointing.base.remedies import GENERAL, KEPT, REFUSED, Refused, refused
from flight_delays.checkpointing.codecs import codec_of, why_refused

from ..codecs import classes

EXAMPLES: dict[str, Any] = {
    "None": None,
    "numpy.typing.NDArray": npt.NDArray[Any],
    "scipy.sparse.*": scipy.sparse.dia_matrix,
    "sklearn.*": sklearn.linear_model.Ridge,
    "dataclasses.dataclass": classes.Split,
    "typing.NamedTuple": classes.Point,
    "pydantic.BaseModel": classes.Config,
    "enum.Enum": classes.Colour,
}
NAMES = [name for entry in KEPT for name in entry.types]
# Those of these tables' own that are kept as such, and refused only within another value.
WITHIN = {
    *("pathlib.Path", "pandas.DataFrame", "pandas.Series", "pandas.Index", "numpy.ndarray"),
    *("polars.DataFrame", "polars.dataframe.frame.DataFrame"),
    *("polars.LazyFrame", "polars.lazyframe.frame.LazyFrame"),
    *("duckdb.DuckDBPyRelation", "duckdb._relation.DuckDBPyRelation"),
    *("pyspark.sql.DataFrame", "pyspark.sql.dataframe.DataFrame"),
}


def imported(name: str) -> Any:
    """The type of a name; None if its library is not installed here."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module or "builtins"), attribute, None)
    except ImportError:
        return None


INSTALLED = [
    (entry, name)
    for entry in REFUSED
    for name in entry.types
    if not name.endswith(".*") and name not in WITHIN and imported(name) is not None
    if name not in ("sklearn.base.BaseEstimator", "pyarrow.lib.Table")  # skops is installed here
]


@pytest.mark.parametrize("name", NAMES)
def test_a_type_that_is_said_to_be_kept_has_a_codec(name: str) -> None:
    kind = EXAMPLES[name] if name in EXAMPLES else imported(name)
    assert kind is not None or name == "None"
    assert codec_of(kind) is not None


@pytest.mark.parametrize(
    ("entry", "name"), INSTALLED, ids=[f"{entry.what}: {name}" for entry, name in INSTALLED]
)
def test_a_type_that_is_said_to_be_refused_is_refused_with_its_remedy(
    entry: Refused, name: str
) -> None:
    kind = imported(name)
    assert codec_of(kind) is None
    said = why_refused(kind)
    assert f"cannot be stored: {entry.what}. " in said
    assert said.endswith(f"{entry.remedy[1:]}.")
    nested = why_refused(dict[str, list[kind]])  # type: ignore[valid-type]
    if kind is not typing.Any:  # within a container it is looked at when the value is there
        assert entry.remedy[1:] in nested


def test_most_types_of_the_table_are_tried() -> None:
    assert len(INSTALLED) > 80


def test_no_type_has_two_remedies_and_each_remedy_is_an_order() -> None:
    names = Counter(name for entry in REFUSED for name in entry.types)
    assert [name for name, count in names.items() if count > 1] == []
    assert len({entry.what for entry in REFUSED}) == len(REFUSED)
    for entry in REFUSED:
        assert entry.remedy[0].islower(), entry.what
        assert not entry.remedy.endswith("."), entry.what


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["xgboost.sklearn.XGBClassifier", "sklearn.base.BaseEstimator"], "a model of XGBoost"),
        (["shop.Model", "sklearn.base.BaseEstimator"], "a scikit-learn model"),
        (["polars.series.series.Series"], "another type of Polars"),
        (["polars.dataframe.frame.DataFrame"], "a table or array within another value, or a "),
        (["geopandas.geodataframe.GeoDataFrame", "pandas.DataFrame"], "a DataFrame of GeoPandas"),
        (["shop.Flights", "pandas.DataFrame"], "a table or array within another value, or a "),
        (["torch.Tensor"], "a tensor"),
        (["_duckdb.DuckDBPyConnection"], "a connection or statement of DuckDB"),
        (["torch.nn.modules.module.Module"], "a model of PyTorch"),
    ],
)
def test_the_name_of_a_class_comes_before_its_package_and_its_bases(
    names: list[str], what: str
) -> None:
    entry = refused(names)
    assert entry is not None
    assert entry.what.startswith(what)


def test_an_unknown_type_gets_the_general_remedy() -> None:
    class Own:
        """A class that the table cannot know."""

    for kind in (Own, "text", 3, list[Own]):
        assert why_refused(kind).endswith(f"{GENERAL[1:]}.")
    assert refused(["shop.Own"]) is None


def test_a_part_is_named_within_what_holds_it() -> None:
    said = why_refused(tuple[Decimal, dict[str, types.FunctionType | None]])
    assert "its part `function` is a function or class" in said
