"""Segment 2, clean: what is kept can be trusted."""

from datetime import date
from types import ModuleType

import pandas as pd

JANUARY = (date(2013, 1, 1), date(2013, 1, 31))


def flights(*days: int, minute: int = 0, delay: float = 0.0) -> pd.DataFrame:
    """One flight at five in the morning on each of these days of January."""
    return pd.DataFrame(
        {
            "year": 2013,
            "month": 1,
            "day": days,
            "hour": 5,
            "minute": minute,
            "time_hour": [pd.Timestamp(2013, 1, day, 10, tz="UTC") for day in days],
            "dep_delay": delay,
        }
    )


def test_only_flights_of_the_period_stay_its_last_day_included(clean: ModuleType) -> None:
    kept = clean.scheduled(flights(1, 2, 3, 4), date(2013, 1, 2), date(2013, 1, 3))

    assert kept["day"].tolist() == [pd.Timestamp("2013-01-02"), pd.Timestamp("2013-01-03")]
    assert kept.index.tolist() == [0, 1]


def test_a_flight_is_due_at_its_minute_of_the_hour_in_utc(clean: ModuleType) -> None:
    [flight] = clean.scheduled(flights(1, minute=29), *JANUARY).itertuples()

    assert flight.due == pd.Timestamp("2013-01-01 10:29", tz="UTC")
    assert flight.hour == 5


def test_cancelled_flights_have_not_departed_and_the_others_keep_their_labels(
    clean: ModuleType,
) -> None:
    scheduled = pd.DataFrame({"delay": [None, -3.0, None, 40.0]})

    assert clean.departed(scheduled)["delay"].to_dict() == {1: -3.0, 3: 40.0}


def test_a_wind_that_no_airport_has_seen_is_no_reading(clean: ModuleType) -> None:
    hours = pd.to_datetime(["2013-02-12 07:00", "2013-02-12 08:00"], utc=True)
    weather = pd.DataFrame({"origin": "EWR", "time_hour": hours, "wind_speed": [12.7, 1048.4]})

    wind = clean.readings(weather, 100.0)["wind_speed"]

    assert wind[0] == 12.7
    assert wind.isna().tolist() == [False, True]


def test_an_airport_has_one_reading_an_hour(clean: ModuleType) -> None:
    hour = pd.Timestamp("2013-11-03 06:00", tz="UTC")
    weather = pd.DataFrame({"origin": ["EWR", "EWR", "JFK"], "time_hour": hour, "wind_speed": 5.0})

    assert clean.readings(weather, 100.0)["origin"].tolist() == ["EWR", "JFK"]


def test_planes_of_unknown_year_are_left_out(clean: ModuleType) -> None:
    planes = pd.DataFrame({"tailnum": ["N10156", "N14558"], "year": [2004.0, None]})

    built = clean.built(planes)

    assert built.to_dict() == {"N10156": 2004}
    assert built.dtype == "int16"
