"""Segment 1, ingest: each file gives the columns that later steps need, and no others."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

Frame = Callable[[Any], pd.DataFrame]
JANUARY = (date(2013, 1, 1), date(2013, 1, 31))
FLIGHT = {
    "year": 2013,
    "month": 1,
    "day": 1,
    "hour": 5,
    "minute": 29,
    "time_hour": pd.Timestamp("2013-01-01 10:00", tz="UTC"),
    "carrier": "UA",
    "tailnum": "N14228",
    "origin": "EWR",
    "dest": "IAH",
    "dep_delay": 2.0,
    "arr_delay": 11.0,
    "air_time": 227.0,
}
CALM = {"temp": 50.0, "wind_speed": 5.0, "precip": 0.0, "visib": 10.0}
LIMITS = {"freezing_f": 34.0, "fog_miles": 3.0, "wind_mph": 20.0}


@pytest.fixture
def airports_file(tmp_path: Path) -> Path:
    file = tmp_path / "airports.csv"
    file.write_text("faa,name,lat,lon\nEWR,Newark,40.5,-74.0\nIAH,Houston,30.0,-95.5\n")
    return file


def flights_file(folder: Path, *changes: dict[str, Any]) -> Path:
    """A file with a flight for each of these changes of FLIGHT."""
    file = folder / "flights.parquet"
    pd.DataFrame([FLIGHT | {"distance": 1400} | change for change in changes]).to_parquet(file)
    return file


def test_a_flight_has_the_moment_when_it_is_due_and_the_places_of_both_ends(
    ingest: ModuleType, frame: Frame, tmp_path: Path, airports_file: Path
) -> None:
    flights = ingest.flights(flights_file(tmp_path, {}), airports_file, *JANUARY)

    [flight] = frame(flights).to_dict("records")
    assert flight == {
        "day": pd.Timestamp("2013-01-01"),
        "hour": 5,
        "time_hour": FLIGHT["time_hour"],
        "carrier": "UA",
        "tailnum": "N14228",
        "origin": "EWR",
        "dest": "IAH",
        "arr_delay": 11.0,
        "air_time": 227.0,
        "due": pd.Timestamp("2013-01-01 10:29", tz="UTC"),
        "delay": 2.0,
        "lat": 40.5,
        "lon": -74.0,
        "to_lat": 30.0,
        "to_lon": -95.5,
    }


def test_only_flights_of_the_period_stay_its_last_day_included(
    ingest: ModuleType, frame: Frame, tmp_path: Path, airports_file: Path
) -> None:
    file = flights_file(tmp_path, *({"day": day} for day in (1, 2, 3, 4)))

    kept = frame(ingest.flights(file, airports_file, date(2013, 1, 2), date(2013, 1, 3)))

    assert kept["day"].dt.day.tolist() == [2, 3]
    assert kept.index.tolist() == [0, 1]


def test_a_cancelled_flight_and_one_to_an_airport_that_is_not_listed_stay(
    ingest: ModuleType, frame: Frame, tmp_path: Path, airports_file: Path
) -> None:
    file = flights_file(tmp_path, {"dep_delay": None, "air_time": None}, {"dest": "SJU"})

    flights = frame(ingest.flights(file, airports_file, *JANUARY))

    assert flights["delay"].isna().tolist() == [True, False]
    assert flights["to_lat"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("reading", "sky"),
    [
        ({}, "fair"),
        ({"wind_speed": 20.0}, "wind"),
        ({"wind_speed": 1048.4}, "fair"),
        ({"wind_speed": 30.0, "visib": 2.9}, "fog"),
        ({"visib": 3.0}, "fair"),
        ({"visib": 0.5, "precip": 0.01}, "rain"),
        ({"temp": 34.0, "precip": 0.01}, "snow"),
        ({"temp": 10.0}, "fair"),
        ({"wind_speed": None}, "fair"),
    ],
)
def test_a_sky_is_the_first_kind_that_applies(
    ingest: ModuleType, frame: Frame, tmp_path: Path, reading: dict[str, float | None], sky: str
) -> None:
    file = tmp_path / "weather.parquet"
    hour = {"origin": "JFK", "time_hour": FLIGHT["time_hour"]}
    readings = pd.DataFrame([hour | CALM | reading])
    readings.astype(dict.fromkeys(CALM, float)).to_parquet(file)

    weather = frame(ingest.weather(file, 100.0, LIMITS))

    assert weather.to_dict("records") == [hour | {"sky": sky}]


def test_an_airport_has_one_sky_an_hour(ingest: ModuleType, frame: Frame, tmp_path: Path) -> None:
    file = tmp_path / "weather.parquet"
    hour = {"time_hour": pd.Timestamp("2013-11-03 06:00", tz="UTC")} | CALM
    pd.DataFrame([{"origin": origin} | hour for origin in ("EWR", "EWR", "JFK")]).to_parquet(file)

    weather = frame(ingest.weather(file, 100.0, LIMITS))

    assert weather["origin"].tolist() == ["EWR", "JFK"]


def test_planes_of_unknown_year_are_left_out(ingest: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "planes.csv"
    file.write_text("tailnum,year,seats\nN10156,2004,55\nN14558,NA,55\n")

    planes = ingest.planes(file)

    assert planes.to_dict() == {"N10156": 2004}
    assert planes.dtype == "int16"
