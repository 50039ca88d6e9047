"""Segment 1, ingest: read from each file just the columns that later steps need."""

from pathlib import Path

import pandas as pd

from ..checkpointing import step


@step
def flights(flights_file: Path) -> pd.DataFrame:
    """Every planned departure; `dep_delay` is in minutes, missing if the flight was cancelled."""
    when = ["year", "month", "day", "hour", "minute", "time_hour"]
    what = ["carrier", "tailnum", "origin", "dest", "dep_delay"]
    return pd.read_parquet(flights_file, columns=when + what)


@step
def weather(weather_file: Path) -> pd.DataFrame:
    """Hourly readings at the three airports: degrees Fahrenheit, mph, inches and miles."""
    readings = ["temp", "wind_speed", "precip", "visib"]
    return pd.read_parquet(weather_file, columns=["origin", "time_hour", *readings])


@step
def planes(planes_file: Path) -> pd.DataFrame:
    """The year each plane was built, where the registry knows it, by tail number."""
    return pd.read_csv(planes_file, usecols=["tailnum", "year"])


@step
def airports(airports_file: Path) -> pd.DataFrame:
    """The name behind each airport's code."""
    return pd.read_csv(airports_file, usecols=["faa", "name"])


@step
def airlines(airlines_file: Path) -> pd.DataFrame:
    """The name behind each carrier's code."""
    return pd.read_csv(airlines_file)
