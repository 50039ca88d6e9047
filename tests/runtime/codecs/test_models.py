"""Models of scikit-learn as .skops files: exact, of the same bytes, and without other code."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flight_delays.checkpointing import codecs, write_model
from flight_delays.checkpointing.base.errors import InexactValue
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import all_estimators

MODEL = codecs.codec_named("model")
X = np.random.default_rng(0).random((40, 4))
Y = np.arange(40) % 2
MODELS: dict[str, Any] = {
    "linear": LogisticRegression(),
    "in a pipeline": make_pipeline(StandardScaler(), Ridge(alpha=0.1)),
    "of trees": RandomForestClassifier(n_estimators=5, random_state=1),
    "of histograms": HistGradientBoostingRegressor(max_iter=3, random_state=1),
    "of neighbours": KNeighborsClassifier(),
    "of clusters": KMeans(2, random_state=1, n_init=1),
}
NOT_KEPT = {"Birch", "FeatureAgglomeration", "SplineTransformer"}


class Own(Ridge):  # type: ignore[misc]
    """A model of a project's own."""


def shifted(values: Any) -> Any:
    return values + 1


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_predicts_the_same_and_gets_the_same_bytes(kind: str, tmp_path: Path) -> None:
    model = MODELS[kind].fit(X, Y)
    frozen = MODEL.freeze(model)
    form = codecs.working_format("model", "arrow")
    with (tmp_path / "model.skops").open("wb") as file:
        form.write(frozen, file)
    thawed = MODEL.thaw(form.read(tmp_path / "model.skops", None))
    assert type(thawed) is type(model)
    assert MODEL.freeze(thawed) == frozen  # before it predicts: trees of neighbours count that
    assert np.array_equal(thawed.predict(X), model.predict(X))
    assert MODEL.freeze(MODELS[kind].fit(X, Y)) == frozen


def test_a_step_writes_a_model_to_a_file_of_the_same_bytes_and_gets_its_path(
    tmp_path: Path,
) -> None:
    model = LogisticRegression().fit(X, Y)
    file = tmp_path / "model.skops"
    assert write_model(model, file) == file
    assert file.read_bytes() == MODEL.freeze(model)
    with pytest.raises(InexactValue, match="not trusted"):
        write_model(make_pipeline(FunctionTransformer(shifted)), tmp_path / "other.skops")
    assert [path.name for path in tmp_path.iterdir()] == ["model.skops"]


@pytest.mark.parametrize("kind", [Ridge, Pipeline, RandomForestClassifier, Own])
def test_each_class_of_estimators_has_the_codec(kind: type) -> None:
    codec = codecs.codec_of(kind)
    assert codec is not None
    assert codec.name == "model"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            make_pipeline(FunctionTransformer(shifted)),
            r"holds .*test_models\.shifted, which is not",
        ),
        (Own(), r"holds .*test_models\.Own, which is not trusted"),
        (FunctionTransformer(eval), r"holds builtins\.eval"),
        (FunctionTransformer(np.testing.runstring), r"holds numpy\.testing.*runstring"),
        ({"alpha": 1}, r"promised a model of scikit-learn and returned builtins\.dict"),
    ],
)
def test_a_model_with_other_code_is_refused_by_name(model: Any, message: str) -> None:
    with pytest.raises(InexactValue, match=message):
        MODEL.freeze(model)


@pytest.mark.exhaustive
def test_every_estimator_is_exact_or_refused_by_name() -> None:
    refused = set()
    for name, kind in all_estimators():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = kind().fit(X, Y)
            except (AttributeError, TypeError, ValueError):  # it needs arguments, or other data
                continue
            try:
                thawed = MODEL.thaw(MODEL.freeze(model))
            except InexactValue as refusal:
                refused.add(name if name in refusal.message else refusal.message)
                continue
            if hasattr(model, "predict"):
                assert np.array_equal(thawed.predict(X), model.predict(X)), name
    assert refused <= NOT_KEPT
