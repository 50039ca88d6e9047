"""Segment 1, ingest: read from each file just the columns that later steps need.

Flights and weather are lazy frames of polars: what they scan, join and filter runs while their
checkpoint is written, and is never whole in memory. Later segments take them as DataFrames.
"""

from datetime import date
from pathlib import Path

import pandas as pd
import polars as pl

from ..checkpointing import step


@step
def flights(
    flights_file: Path, airports_file: Path, first_day: date, last_day: date
) -> pl.LazyFrame:
    """The flights of the period, with the moment `due` in UTC and both ends in degrees.

    `delay` on departure, `arr_delay` on arrival and `air_time` are in minutes; a cancelled flight
    has none of them. `hour` is what the airport's clock shows. The list of airports lacks some
    destinations, such as San Juan.
    """
    places = pl.scan_csv(airports_file).select("faa", "lat", "lon")
    ends = places.rename({"faa": "dest", "lat": "to_lat", "lon": "to_lon"})
    due = pl.col("time_hour") + pl.duration(minutes="minute")
    return (
        pl.scan_parquet(flights_file)
        .with_columns(day=pl.datetime("year", "month", "day"), due=due, delay="dep_delay")
        .filter(pl.col("day").dt.date().is_between(first_day, last_day))
        .select("day", "hour", "time_hour", "carrier", "tailnum", "origin", "dest", "arr_delay",
                "air_time", "due", "delay")
        .join(places, left_on="origin", right_on="faa", how="left", maintain_order="left")
        .join(ends, on="dest", how="left", maintain_order="left")
    )  # fmt: skip


@step
def weather(weather_file: Path, max_wind_mph: float, sky_limits: dict[str, float]) -> pl.LazyFrame:
    """What the weather meant to a pilot, by airport and hour: the first sky that applies.

    A wind above `max_wind_mph` is a broken sensor's.
    """
    wet = pl.col("precip") > 0
    freezing = pl.col("temp") <= sky_limits["freezing_f"]
    sky = (
        pl.when(wet & freezing)
        .then(pl.lit("snow"))
        .when(wet)
        .then(pl.lit("rain"))
        .when(pl.col("visib") < sky_limits["fog_miles"])
        .then(pl.lit("fog"))
        .when(pl.col("wind_speed").is_between(sky_limits["wind_mph"], max_wind_mph))
        .then(pl.lit("wind"))
        .otherwise(pl.lit("fair"))
    )
    hourly = pl.scan_parquet(weather_file).unique(
        ["origin", "time_hour"], keep="first", maintain_order=True
    )
    return hourly.select("origin", "time_hour", sky=sky)


@step
def planes(planes_file: Path) -> pd.Series:
    """The year in which each plane was built, by tail number, where the registry knows it."""
    known = pd.read_csv(planes_file, usecols=["tailnum", "year"]).dropna()
    return known.drop_duplicates("tailnum").set_index("tailnum")["year"].astype("int16")
