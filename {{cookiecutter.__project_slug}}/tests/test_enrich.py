"""Segment 3, enrich: each flight is given what may have delayed it, and nothing of another's."""

from types import ModuleType

import pandas as pd
import pytest

LIMITS = {"freezing_f": 34.0, "fog_miles": 3.0, "wind_mph": 20.0}
HOUR = pd.Timestamp("2013-01-01 10:00", tz="UTC")


@pytest.mark.parametrize(
    ("reading", "sky"),
    [
        ({}, "fair"),
        ({"wind_speed": 20.0}, "wind"),
        ({"wind_speed": 30.0, "visib": 2.9}, "fog"),
        ({"visib": 3.0}, "fair"),
        ({"visib": 0.5, "precip": 0.01}, "rain"),
        ({"temp": 34.0, "precip": 0.01}, "snow"),
        ({"temp": 10.0}, "fair"),
        ({"wind_speed": None}, "fair"),
    ],
)
def test_a_sky_is_the_first_kind_that_applies(
    enrich: ModuleType, reading: dict[str, float | None], sky: str
) -> None:
    calm = {"temp": 50.0, "wind_speed": 5.0, "precip": 0.0, "visib": 10.0}

    skies = enrich.sky(pd.DataFrame([calm | reading], dtype=float), LIMITS)

    assert skies.tolist() == [sky]


def test_a_plane_is_as_old_as_the_years_since_it_was_built(enrich: ModuleType) -> None:
    day = pd.Timestamp("2013-01-01")
    scheduled = pd.DataFrame({"day": day, "tailnum": ["N10156", "N3ALAA", None]})
    built = pd.Series([2004], index=pd.Index(["N10156"], name="tailnum"), dtype="int16")

    age = enrich.plane_age(scheduled, built)

    assert age[0] == 9.0
    assert age.isna().tolist() == [False, True, True]


def departures(*rows: tuple[str, str, float]) -> pd.DataFrame:
    """Flights as (plane, moment due, delay)."""
    table = pd.DataFrame(rows, columns=["tailnum", "due", "delay"])
    due = pd.to_datetime(table["due"])
    return table.assign(due=due, day=due.dt.normalize())


def test_the_earlier_delay_is_that_of_the_same_plane_earlier_that_day(enrich: ModuleType) -> None:
    departed = departures(
        ("N2", "2013-01-01 18:00", 30.0),
        ("N1", "2013-01-01 06:00", 45.0),
        ("N2", "2013-01-01 07:00", 5.0),
        ("N1", "2013-01-01 20:00", 60.0),
        ("N1", "2013-01-02 06:00", 0.0),
    )

    earlier = enrich.earlier_delay(departed)

    assert earlier.dropna().to_dict() == {0: 5.0, 3: 45.0}
    assert earlier.index.tolist() == departed.index.tolist()


def test_every_scheduled_flight_gets_its_causes_by_label_and_its_airport_s_sky(
    enrich: ModuleType,
) -> None:
    scheduled = pd.DataFrame(
        {"origin": ["EWR", "JFK", "EWR"], "time_hour": HOUR, "delay": [None, 20.0, 5.0]}
    )
    readings = pd.DataFrame({"origin": ["JFK"], "time_hour": HOUR})
    sky = pd.Series(["snow"], dtype=enrich.SKIES)
    plane_age = pd.Series([4.0, None, 9.0])
    earlier_delay = pd.Series([17.0], index=[2])

    delays = enrich.delays(scheduled, readings, sky, plane_age, earlier_delay)

    assert delays["sky"].tolist() == ["unknown", "snow", "unknown"]
    assert delays["sky"].dtype == enrich.SKIES
    assert delays["plane_age"].dropna().to_dict() == {0: 4.0, 2: 9.0}
    assert delays["earlier_delay"].dropna().to_dict() == {2: 17.0}
    assert delays["delay"].dropna().to_dict() == {1: 20.0, 2: 5.0}
