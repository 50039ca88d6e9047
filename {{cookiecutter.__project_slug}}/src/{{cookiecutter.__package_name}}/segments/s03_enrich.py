"""Segment 3, enrich: give each flight what may have delayed it."""

import pandas as pd

from ..checkpointing import step

SKIES = pd.CategoricalDtype(["snow", "rain", "fog", "wind", "fair", "unknown"])


@step
def sky(readings: pd.DataFrame, sky_limits: dict[str, float]) -> pd.Series:
    """What each reading of the weather means to a pilot: the first of these skies that applies."""
    wet = readings["precip"] > 0
    freezing = readings["temp"] <= sky_limits["freezing_f"]
    foggy = readings["visib"] < sky_limits["fog_miles"]
    windy = readings["wind_speed"] >= sky_limits["wind_mph"]
    fair = pd.Series("fair", index=readings.index)
    cases = [(wet & freezing, "snow"), (wet, "rain"), (foggy, "fog"), (windy, "wind")]
    return fair.case_when(cases).astype(SKIES)


@step
def plane_age(scheduled: pd.DataFrame, built: pd.Series) -> pd.Series:
    """The age of each flight's plane in years; missing for planes that the registry lacks."""
    age: pd.Series = scheduled["day"].dt.year - scheduled["tailnum"].map(built)
    return age


@step
def earlier_delay(departed: pd.DataFrame) -> pd.Series:
    """How late the same plane was when it last left New York that day; missing if it had not."""
    in_order = departed.sort_values("due", kind="stable")
    return in_order.groupby(["tailnum", "day"])["delay"].shift().sort_index()


@step
def delays(
    scheduled: pd.DataFrame,
    readings: pd.DataFrame,
    sky: pd.Series,
    plane_age: pd.Series,
    earlier_delay: pd.Series,
) -> pd.DataFrame:
    """One row per scheduled flight: its delay, and what may have caused it.

    The Series find their rows by label, so a cancelled flight simply has no `earlier_delay`.
    """
    skies = readings[["origin", "time_hour"]].assign(sky=sky)
    flights = scheduled.assign(plane_age=plane_age, earlier_delay=earlier_delay)
    known = flights.merge(skies, on=["origin", "time_hour"], how="left", validate="many_to_one")
    return known.assign(sky=known["sky"].fillna("unknown")).drop(columns="time_hour")
