"""CKP106: what a step returns, or takes from another step, is of a type that a checkpoint keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from .reviewed import Reviewed

IMPORTS = """
import dataclasses
import collections.abc
from dataclasses import dataclass
from typing import Iterator, NamedTuple, Optional
import matplotlib.figure
import matplotlib.pyplot as plt
import polars as pl
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge

class Model(RegressorMixin, BaseEstimator):
    pass

@dataclass(frozen=True)
class Drawn:
    title: str
    pictures: "list[Figure]"

class Node(NamedTuple):
    value: float
    below: "list[Node]"
    note: Any
"""

REFUSED = {
    "Figure": ("matplotlib.figure.Figure", "a figure. Use figure.savefig"),
    "matplotlib.figure.Figure": ("matplotlib.figure.Figure", "a figure"),
    "'plt.Figure'": ("matplotlib.pyplot.Figure", "a figure"),
    "dict[str, list[pl.Expr]]": ("polars.Expr", "another type of Polars"),
    "Optional[pl.Series]": ("polars.Series", "series.to_frame()"),
    "Annotated[Ridge, 'fitted']": ("sklearn.linear_model.Ridge", "uv add skops"),
    "Model": ("demo.segments.s01.Model", "a scikit-learn model"),
    "tuple[int, Drawn]": ("matplotlib.figure.Figure", "a figure"),
    "Iterator[int]": ("typing.Iterator", "Return a list"),
    "collections.abc.Callable[[int], int]": ("collections.abc.Callable", "a function or class"),
    "Any": ("typing.Any", "Name the type"),
    "dict[str, object]": ("object", "Name the type"),
    "map": ("map", "a generator or iterator"),
}
SILENT = [
    *("pd.DataFrame", "np.ndarray", "Path", "int", "list[dict[str, Any]]", "Node", "None"),
    *("tuple[int, ...]", "pd.Index", "pd.DataFrame | None", "dict[str, pd.DataFrame]"),
    *("pl.DataFrame", "pl.LazyFrame", "pl.DataFrame | None"),
    *("list[Path]", "Unknown", "'not an annotation'", "np.typing.NDArray[np.float64]"),
]


@pytest.fixture
def project(tmp_path: Path) -> Reviewed:
    return Reviewed(tmp_path).put({})


def step(annotation: str) -> str:
    return f"{IMPORTS}\n@step\ndef made() -> {annotation}:\n    return make()\n"


@pytest.mark.parametrize("annotation", REFUSED)
def test_a_result_that_no_checkpoint_keeps_is_reported_with_what_to_write(
    project: Reviewed, annotation: str
) -> None:
    kind, remedy = REFUSED[annotation]
    [finding] = project.write(s01=step(annotation)).findings()
    assert finding.rule == "CKP106"
    assert finding.message.startswith(f"the result of `made` is or holds `{kind}`")
    assert remedy in finding.message


@pytest.mark.parametrize("annotation", SILENT)
def test_what_is_kept_or_not_known_by_name_is_not_reported(
    project: Reviewed, annotation: str
) -> None:
    assert project.write(s01=step(annotation)).rules() == []


def test_all_are_reported_at_once_and_the_parameters_that_take_them(project: Reviewed) -> None:
    first = IMPORTS + "@step\ndef drawn() -> Figure:\n    return draw()\n"
    first += "@step\ndef fitted(n: int) -> Ridge:\n    return fit(n)\n"
    second = (
        IMPORTS + "@step\ndef shown(drawn: Figure, engine: pl.DataFrame) -> None:\n    draw()\n"
    )
    findings = project.write(s01=first, s02=second).findings()
    assert [finding.rule for finding in findings] == ["CKP106"] * 3
    assert findings[2].message.startswith("parameter `drawn` of `shown`")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/demo/adapters.py", 'TYPE = "sklearn.linear_model._ridge.Ridge"\n'),
        ("pyproject.toml", '[project]\ndependencies = ["skops>=0.11"]\n'),
    ],
)
def test_a_type_with_a_codec_of_the_project_is_not_reported(
    project: Reviewed, path: str, text: str
) -> None:
    project.put({path: text})
    assert project.write(s01=step("Ridge")).rules() == []
    assert project.write(s01=step("Figure")).rules() == ["CKP106"]
