"""Segment 1, ingest: each file gives the columns that later steps need, and no others."""

from pathlib import Path
from types import ModuleType

import pandas as pd

FLIGHT = {
    "year": 2013,
    "month": 1,
    "day": 1,
    "hour": 5,
    "minute": 15,
    "time_hour": pd.Timestamp("2013-01-01 10:00", tz="UTC"),
    "carrier": "UA",
    "tailnum": "N14228",
    "origin": "EWR",
    "dest": "IAH",
    "dep_delay": 2.0,
}


def test_flights_leave_out_the_columns_that_no_step_needs(
    ingest: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "flights.parquet"
    pd.DataFrame([FLIGHT | {"air_time": 227.0}]).to_parquet(file)

    pd.testing.assert_frame_equal(ingest.flights(file), pd.DataFrame([FLIGHT]))


def test_a_cancelled_flight_has_no_delay(ingest: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "flights.parquet"
    pd.DataFrame([FLIGHT, FLIGHT | {"dep_delay": None}]).to_parquet(file)

    assert ingest.flights(file)["dep_delay"].isna().tolist() == [False, True]


def test_weather_keeps_the_readings_that_make_a_sky(ingest: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "weather.parquet"
    reading = {"origin": "JFK", "time_hour": FLIGHT["time_hour"], "temp": 39.0}
    reading |= {"wind_speed": 10.4, "precip": 0.0, "visib": 10.0}
    pd.DataFrame([reading | {"humid": 59.4}]).to_parquet(file)

    pd.testing.assert_frame_equal(ingest.weather(file), pd.DataFrame([reading]))


def test_a_plane_of_unknown_year_has_none(ingest: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "planes.csv"
    file.write_text("tailnum,year,seats\nN10156,2004,55\nN14558,NA,55\n")

    planes = ingest.planes(file)

    assert planes["tailnum"].tolist() == ["N10156", "N14558"]
    assert planes["year"].isna().tolist() == [False, True]


def test_airports_are_codes_and_names(ingest: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "airports.csv"
    file.write_text("faa,name,lat\nORD,Chicago Ohare Intl,42.0\n")

    assert ingest.airports(file).to_dict("records") == [
        {"faa": "ORD", "name": "Chicago Ohare Intl"}
    ]


def test_airlines_are_codes_and_names(ingest: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "airlines.csv"
    file.write_text("carrier,name\nUA,United Air Lines Inc.\n")

    named = [{"carrier": "UA", "name": "United Air Lines Inc."}]
    assert ingest.airlines(file).to_dict("records") == named
