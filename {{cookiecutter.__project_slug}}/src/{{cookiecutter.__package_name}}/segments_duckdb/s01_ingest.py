"""Segment 1, ingest: read from each file just the columns that later steps need.

Flights and weather are queries of DuckDB, which run while their checkpoint is written, in the
memory that the budget leaves. Later segments take them as DataFrames.
"""

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from ..checkpointing import step


@step
def flights(
    flights_file: Path, airports_file: Path, first_day: date, last_day: date
) -> duckdb.DuckDBPyRelation:
    """The flights of the period, with the moment `due` in UTC and both ends in degrees.

    `delay` on departure, `arr_delay` on arrival and `air_time` are in minutes; a cancelled flight
    has none of them. `hour` is what the airport's clock shows. The list of airports lacks some
    destinations, such as San Juan.
    """
    flights = duckdb.read_parquet(str(flights_file), file_row_number=True)
    airports = duckdb.read_csv(str(airports_file))
    here = airports.project("faa AS origin, lat, lon")
    there = airports.project("faa AS dest, lat AS to_lat, lon AS to_lon")
    return (
        flights.filter(f"make_date(year, month, day) BETWEEN '{first_day}' AND '{last_day}'")
        .join(here, "origin", how="left")
        .join(there, "dest", how="left")
        .order("file_row_number")
        .project("""
            make_date(year, month, day)::TIMESTAMP AS day, hour, time_hour, carrier, tailnum,
            origin, dest, arr_delay, air_time, time_hour + to_minutes(minute) AS due,
            dep_delay AS delay, lat, lon, to_lat, to_lon
        """)
    )


@step
def weather(
    weather_file: Path, max_wind_mph: float, sky_limits: dict[str, float]
) -> duckdb.DuckDBPyRelation:
    """What the weather meant to a pilot, by airport and hour: the first sky that applies.

    A wind above `max_wind_mph` is a broken sensor's.
    """
    limits = {**sky_limits, "broken_mph": max_wind_mph}
    sky = """
        CASE
            WHEN precip > 0 AND temp <= {freezing_f} THEN 'snow'
            WHEN precip > 0 THEN 'rain'
            WHEN visib < {fog_miles} THEN 'fog'
            WHEN wind_speed BETWEEN {wind_mph} AND {broken_mph} THEN 'wind'
            ELSE 'fair'
        END
    """.format_map(limits)
    nth = "row_number() OVER (PARTITION BY origin, time_hour ORDER BY file_row_number)"
    return (
        duckdb.read_parquet(str(weather_file), file_row_number=True)
        .project(f"*, {sky} AS sky, {nth} AS nth")
        .filter("nth = 1")
        .order("file_row_number")
        .project("origin, time_hour, sky")
    )


@step
def planes(planes_file: Path) -> pd.Series:
    """The year in which each plane was built, by tail number, where the registry knows it."""
    known = pd.read_csv(planes_file, usecols=["tailnum", "year"]).dropna()
    return known.drop_duplicates("tailnum").set_index("tailnum")["year"].astype("int16")
