"""Segment 2, clean: keep what can be trusted, in types that say what it is."""

from datetime import date

import pandas as pd

from ..checkpointing import step


@step
def scheduled(flights: pd.DataFrame, first_day: date, last_day: date) -> pd.DataFrame:
    """The flights of the period, with the local `day` and the exact moment `due` in UTC.

    `hour` stays as the airport's clock showed it; `due` is what to sort by, since clocks change.
    """
    day = pd.to_datetime(flights[["year", "month", "day"]])
    due = flights["time_hour"] + pd.to_timedelta(flights["minute"], unit="min")
    in_period = day.between(pd.Timestamp(first_day), pd.Timestamp(last_day))
    planned = flights.assign(day=day, due=due).drop(columns=["year", "month", "minute"])
    return planned.rename(columns={"dep_delay": "delay"})[in_period].reset_index(drop=True)


@step
def departed(scheduled: pd.DataFrame) -> pd.DataFrame:
    """The flights that left, under the row labels they have in `scheduled`."""
    return scheduled.dropna(subset=["delay"])


@step
def readings(weather: pd.DataFrame, max_wind_mph: float) -> pd.DataFrame:
    """One reading per airport and hour; a wind above `max_wind_mph` is a broken sensor's."""
    believable = weather["wind_speed"].where(weather["wind_speed"] <= max_wind_mph)
    hourly = weather.assign(wind_speed=believable).drop_duplicates(["origin", "time_hour"])
    return hourly.reset_index(drop=True)


@step
def built(planes: pd.DataFrame) -> pd.Series:
    """The year each plane was built, by tail number, for the planes where it is known."""
    known = planes.dropna(subset=["tailnum", "year"]).drop_duplicates("tailnum")
    return known.set_index("tailnum")["year"].astype("int16")
