"""Segment 6, train: which flights will arrive late, by what is known an hour before they are due.

Training is what may need more memory than the quota: `[run_on]` of pipeline.toml says where this
segment runs. Its steps do not know.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd

from ..checkpointing import Columns, step, write_model

NUMBERS = ["hour", "weekday", "plane_age", "crowd", "crowd_most", "plane_delay", "airport_delay"]
KINDS = ["carrier", "origin", "sky"]
# What a reader of the model's file has to trust, besides the types that skops trusts.
TRUSTED = ["numpy.dtype"]
AHEAD = pd.Timedelta(hours=1)  # so long before a flight is due, its arrival is predicted


class Split(NamedTuple):
    """The flights to learn from, and the later ones to test on."""

    train: pd.DataFrame
    test: pd.DataFrame


@step
def known(
    delays: Annotated[
        pd.DataFrame,
        Columns(
            *("day", "hour", "due", "carrier", "tailnum", "origin", "delay", "arr_delay"),
            *("plane_age", "crowd", "crowd_most", "sky"),
        ),
    ],
    late_minutes: int,
) -> pd.DataFrame:
    """One row per flight that arrived: what was known an hour before it was due, and if it is late.

    `plane_delay` is the mean delay with which the plane had left in the 12 hours before that,
    `airport_delay` that of all flights that had left the airport in the hour before. The crowd is
    the planned one; the sky, that of the hour, stands for its forecast.
    """
    what = delays[["due", "hour", "plane_age", "crowd", "crowd_most", *KINDS]].assign(
        weekday=delays["day"].dt.day_of_week,
        plane_delay=mean_delay_before(delays, "tailnum", "12h"),
        airport_delay=mean_delay_before(delays, "origin", "1h"),
        late=delays["arr_delay"] >= late_minutes,
    )
    return what[delays["arr_delay"].notna()].reset_index(drop=True)


@step
def split(known: pd.DataFrame, train_share: float) -> Split:
    """The earliest flights, `train_share` of them, and the rest: nobody learns from the future."""
    is_early = known["due"] < known["due"].quantile(train_share)
    return Split(known[is_early], known[~is_early])


@step
def model(train: pd.DataFrame, workdir: Path) -> Path:
    """A logistic regression that was fitted to `train`, as a .skops file: data, and no pickle.

    One thread fits it, so its bytes do not depend on the number of cores.
    """
    # Libraries of 60 MB, which only this segment is to hold.
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from threadpoolctl import threadpool_limits

    # A number that is missing says something too: a plane without a delay had not left yet.
    imputer = SimpleImputer(add_indicator=True, keep_empty_features=True)
    columns = make_column_transformer(
        (make_pipeline(imputer, StandardScaler()), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore"), KINDS),
    )
    with threadpool_limits(limits=1):
        fitted = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(train, train["late"])
    return write_model(fitted, workdir / "model.skops")


@step
def metrics(train: pd.DataFrame, test: pd.DataFrame, model: Path) -> pd.DataFrame:
    """How well the model predicts, beside a baseline that expects the same share of each flight.

    A row for each, on `train` and on `test`: flights, share late, area under the ROC curve,
    accuracy, and the Brier score, which is 0 for a perfect prediction.
    """
    import skops.io
    from sklearn.metrics import accuracy_score, brier_score_loss, roc_auc_score

    fitted = skops.io.load(model, trusted=TRUSTED)
    rows = []
    for part, flights in (("train", train), ("test", test)):
        late = flights["late"].to_numpy()
        predictions = {
            "model": fitted.predict_proba(flights)[:, 1],
            "baseline": np.full(len(late), train["late"].mean()),
        }
        for predictor, chances in predictions.items():
            scores = {
                "auc": roc_auc_score(late, chances),
                "accuracy": accuracy_score(late, chances >= 0.5),
                "brier": brier_score_loss(late, chances),
            }
            about = {"part": part, "predictor": predictor, "flights": len(late)}
            rows.append(about | {"late": late.mean()} | scores)
    return pd.DataFrame(rows).round(6)


def mean_delay_before(delays: pd.DataFrame, of: str, window: str) -> pd.Series:
    """The mean delay of what left in the `window` that ends `AHEAD` of each flight; else missing.

    Only departures count with the same value in the column `of`. A flight that is due earlier and
    has not left by then does not count: nobody knows its delay yet.
    """
    moments = {
        "left": delays["due"] + pd.to_timedelta(delays["delay"], unit="min"),
        "asked": delays["due"] - AHEAD,
    }
    events = pd.concat(
        [
            pd.DataFrame({"of": delays[of], "moment": moments["left"], "delay": delays["delay"]}),
            pd.DataFrame({"of": delays[of], "moment": moments["asked"], "flight": delays.index}),
        ]
    )
    events = events.dropna(subset=["of", "moment"]).sort_values(["of", "moment"], kind="stable")
    means = events.groupby("of").rolling(window, on="moment")["delay"].mean()
    events = events.assign(mean=means.to_numpy()).dropna(subset=["flight"])
    return events.set_index("flight")["mean"].reindex(delays.index)
