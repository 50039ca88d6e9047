"""Segment 6, train: nothing is learnt from the future, and the metrics are the stored model's."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io

LATE = 15


@pytest.fixture(scope="session")
def train(package: str) -> ModuleType:
    """Segment 6, which an update of the project does not bring."""
    name = f"{package}.segments.s06_train"
    if find_spec(name) is None:
        pytest.skip("there is no segments/s06_train.py: generate a new project to copy it from")
    return import_module(name)


def delays(*rows: tuple[str, str, float | None], **columns: Any) -> pd.DataFrame:
    """Flights of segment 5 as (plane, time of the day in UTC, delay); they arrive as they left."""
    table = pd.DataFrame(rows, columns=["tailnum", "clock", "delay"]).astype({"delay": float})
    due = pd.to_datetime("2013-01-01 " + table["clock"], utc=True)
    same: dict[str, Any] = {"carrier": "UA", "origin": "JFK", "sky": "fair", "plane_age": 9.0}
    what = table.assign(due=due, hour=due.dt.hour, day=pd.Timestamp("2013-01-01"), **same)
    what = what.assign(crowd=1.5, crowd_most=2.0, arr_delay=table["delay"])
    return what.drop(columns="clock").assign(**columns)


@pytest.fixture
def flights() -> pd.DataFrame:
    """Flights of which those of one carrier are often late, the others seldom."""
    random = np.random.default_rng(1)
    is_bad = random.random(400) < 0.5
    due = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(400), unit="h")
    numbers = {name: random.random(400) for name in ("plane_age", "crowd", "crowd_most")}
    return pd.DataFrame(
        {
            **numbers,
            "due": due,
            "hour": due.hour,
            "weekday": due.day_of_week,
            "plane_delay": np.nan,
            "airport_delay": np.where(is_bad, np.nan, 1.0),
            "carrier": np.where(is_bad, "ZZ", "UA"),
            "origin": "JFK",
            "sky": "fair",
            "late": random.random(400) < np.where(is_bad, 0.8, 0.1),
        }
    )


def test_a_flight_without_an_arrival_is_not_learnt_from_but_its_delay_was_known(
    train: ModuleType,
) -> None:
    table = delays(("N1", "10:00", 20.0), ("N2", "12:00", 5.0), arr_delay=[np.nan, 14.0])

    [flight] = train.known(table, LATE).to_dict("records")

    assert (flight["airport_delay"], flight["late"]) == (20.0, False)


def test_a_flight_is_late_from_the_limit_on(train: ModuleType) -> None:
    table = delays(("N1", "10:00", 0.0), ("N2", "10:00", 0.0), arr_delay=[14.0, 15.0])
    assert train.known(table, LATE)["late"].tolist() == [False, True]


def test_a_delay_is_known_an_hour_before_if_the_flight_had_left_by_then(
    train: ModuleType,
) -> None:
    table = delays(("N1", "10:00", 30.0), ("N1", "11:30", 0.0), ("N1", "11:29", 0.0))
    assert train.known(table, LATE)["plane_delay"].fillna(-1).tolist() == [-1, 30, -1]


def test_delays_are_of_the_same_plane_within_12_hours_and_of_the_airport_within_one(
    train: ModuleType,
) -> None:
    table = delays(
        ("N1", "00:00", 10.0),
        ("N2", "08:31", 20.0),
        ("N1", "09:00", 40.0),
        ("N1", "10:50", 0.0),
        ("N3", "23:00", 0.0),
        ("N1", "13:10", 0.0),
    )

    known = train.known(table, LATE)

    assert known["plane_delay"].fillna(-1).tolist() == [-1, -1, 10, 25, -1, 20]
    assert known["airport_delay"].fillna(-1).tolist() == [-1, -1, -1, 30, -1, -1]


def test_a_plane_without_a_number_has_no_earlier_delay(train: ModuleType) -> None:
    table = delays(("N1", "08:00", 10.0), ("N1", "10:00", 0.0), tailnum=None)
    assert train.known(table, LATE)["plane_delay"].isna().all()


def test_what_happens_later_changes_nothing_that_was_known(train: ModuleType) -> None:
    table = delays(("N1", "08:00", 10.0), ("N1", "10:00", 0.0), ("N1", "10:59", 0.0))
    other = table.assign(delay=[10.0, 50.0, 300.0], arr_delay=[-1.0, 90.0, 300.0])
    before, after = (train.known(frame, LATE).drop(columns="late") for frame in (table, other))
    pd.testing.assert_frame_equal(before, after)


def test_every_flight_to_learn_from_is_earlier_than_every_one_to_test_on(
    train: ModuleType, flights: pd.DataFrame
) -> None:
    parts = train.split(flights.sample(frac=1, random_state=1), 0.75)

    assert (len(parts.train), len(parts.test)) == (300, 100)
    assert parts.train["due"].max() < parts.test["due"].min()


def test_the_same_flights_give_a_file_with_the_same_bytes_that_skops_reads(
    train: ModuleType, flights: pd.DataFrame, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()

    first, second = (train.model(flights, folder) for folder in folders)

    assert [first.parent, second.parent] == folders
    assert first.read_bytes() == second.read_bytes()
    assert skops.io.get_untrusted_types(file=first) == train.TRUSTED
    late = skops.io.load(first, trusted=train.TRUSTED).predict(flights)
    assert late.tolist() == (flights["carrier"] == "ZZ").tolist()


def test_the_model_is_better_than_the_baseline_which_knows_only_how_many_are_late(
    train: ModuleType, flights: pd.DataFrame, tmp_path: Path
) -> None:
    parts = train.split(flights, 0.75)

    table = train.metrics(*parts, train.model(parts.train, tmp_path))

    rows = table.set_index(["part", "predictor"])
    assert rows["flights"].to_dict() == {
        ("train", "model"): 300,
        ("train", "baseline"): 300,
        ("test", "model"): 100,
        ("test", "baseline"): 100,
    }
    share, late = parts.train["late"].mean(), parts.test["late"]
    baseline = rows.loc[("test", "baseline")]
    assert baseline["auc"] == 0.5
    assert baseline["brier"] == pytest.approx(((late - share) ** 2).mean(), abs=1e-6)
    assert baseline["late"] == pytest.approx(late.mean())
    for part in ("train", "test"):
        model, baseline = rows.loc[(part, "model")], rows.loc[(part, "baseline")]
        assert model["auc"] > 0.75
        assert model["accuracy"] > baseline["accuracy"]
        assert model["brier"] < baseline["brier"]


def test_a_flight_of_a_carrier_that_is_new_can_be_predicted(
    train: ModuleType, flights: pd.DataFrame, tmp_path: Path
) -> None:
    table = train.metrics(flights, flights.assign(carrier="new"), train.model(flights, tmp_path))
    assert table["auc"].notna().all()
