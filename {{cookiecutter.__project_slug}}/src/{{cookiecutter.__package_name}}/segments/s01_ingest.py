"""Segment 1, ingest: read from each file just the columns that later steps need."""

from datetime import date
from pathlib import Path

import pandas as pd

from ..checkpointing import step


@step
def flights(
    flights_file: Path, airports_file: Path, first_day: date, last_day: date
) -> pd.DataFrame:
    """The flights of the period, with the moment `due` in UTC and both ends in degrees.

    `delay` on departure, `arr_delay` on arrival and `air_time` are in minutes; a cancelled flight
    has none of them. `hour` is what the airport's clock shows. The list of airports lacks some
    destinations, such as San Juan.
    """
    when = ["year", "month", "day", "hour", "minute", "time_hour"]
    what = ["carrier", "tailnum", "origin", "dest", "dep_delay", "arr_delay", "air_time"]
    flights = pd.read_parquet(flights_file, columns=when + what)
    day = pd.to_datetime(flights[["year", "month", "day"]])
    due = flights["time_hour"] + pd.to_timedelta(flights["minute"], unit="min")
    in_period = day.between(pd.Timestamp(first_day), pd.Timestamp(last_day))
    planned = flights.assign(day=day, due=due, delay=flights["dep_delay"])[in_period]
    places = pd.read_csv(airports_file, usecols=["faa", "lat", "lon"]).set_index("faa")
    located = planned.join(places, on="origin").join(places.add_prefix("to_"), on="dest")
    unused = ["year", "month", "minute", "dep_delay"]
    return located.drop(columns=unused).reset_index(drop=True)


@step
def weather(weather_file: Path, max_wind_mph: float, sky_limits: dict[str, float]) -> pd.DataFrame:
    """What the weather meant to a pilot, by airport and hour: the first sky that applies.

    A wind above `max_wind_mph` is a broken sensor's.
    """
    readings = ["temp", "wind_speed", "precip", "visib"]
    hourly = pd.read_parquet(weather_file, columns=["origin", "time_hour", *readings])
    hourly = hourly.drop_duplicates(["origin", "time_hour"], ignore_index=True)
    wet = hourly["precip"] > 0
    freezing = hourly["temp"] <= sky_limits["freezing_f"]
    foggy = hourly["visib"] < sky_limits["fog_miles"]
    windy = hourly["wind_speed"].between(sky_limits["wind_mph"], max_wind_mph)
    fair = pd.Series("fair", index=hourly.index)
    cases = [(wet & freezing, "snow"), (wet, "rain"), (foggy, "fog"), (windy, "wind")]
    return hourly[["origin", "time_hour"]].assign(sky=fair.case_when(cases))


@step
def planes(planes_file: Path) -> pd.Series:
    """The year in which each plane was built, by tail number, where the registry knows it."""
    known = pd.read_csv(planes_file, usecols=["tailnum", "year"]).dropna()
    return known.drop_duplicates("tailnum").set_index("tailnum")["year"].astype("int16")
