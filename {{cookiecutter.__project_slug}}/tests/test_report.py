"""Segment 5, report: the tables count right, and the page shows them."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

LATE = 15
HOUR = pd.Timestamp("2013-01-01 12:00", tz="UTC")
GRID = {"south": 40.0, "north": 41.0, "west": -75.0, "east": -73.0, "degrees": 0.5}


def flights(*rows: tuple[str, str, float | None]) -> pd.DataFrame:
    """Flights from New York as (plane, time of the day in UTC, delay)."""
    table = pd.DataFrame(rows, columns=["tailnum", "clock", "delay"]).astype({"delay": float})
    due = pd.to_datetime("2013-01-01 " + table["clock"], utc=True)
    place: dict[str, Any] = {"carrier": "UA", "origin": "JFK", "dest": "IAH", "arr_delay": np.nan}
    day, hour = pd.Timestamp("2013-01-01"), due.dt.floor("h")
    what = table.assign(day=day, due=due, time_hour=hour, hour=due.dt.hour - 5, **place)
    return what.drop(columns="clock")


@pytest.fixture
def day(report: ModuleType) -> pd.DataFrame:
    """The delays of a day: two planes, one of them twice, and a cancelled flight."""
    table = flights(("N1", "11:30", 45.0), ("N2", "12:00", 5.0), ("N1", "12:30", 60.0))
    table = pd.concat([table, flights(("N3", "13:00", None))], ignore_index=True)
    weather = pd.DataFrame({"origin": "JFK", "time_hour": [HOUR], "sky": ["snow"]})
    planes = pd.Series([2004], index=["N1"], dtype="int16")
    crowd = pd.DataFrame({"mean": [1.5, 2.5, 3.5, np.nan], "most": 9.0})
    delays: pd.DataFrame = report.delays(table, weather, planes, crowd, crowd[["mean"]] + 1)
    return delays


def test_a_flight_has_the_sky_of_its_hour_and_the_age_of_its_plane(day: pd.DataFrame) -> None:
    assert day["sky"].tolist() == ["unknown", "snow", "snow", "unknown"]
    assert day["plane_age"].fillna(-1).tolist() == [9, -1, 9, -1]


def test_an_earlier_delay_is_of_the_same_plane_or_of_the_hour_before(day: pd.DataFrame) -> None:
    assert day["plane_before"].fillna(-1).tolist() == [-1, -1, 45, -1]
    assert day["airport_before"].fillna(-1).tolist() == [-1, 45, 45, 32.5]


def test_a_flight_has_the_crowd_of_the_plan_and_that_of_the_facts(day: pd.DataFrame) -> None:
    assert day["crowd"].tolist()[:3] == [1.5, 2.5, 3.5]
    assert day["crowd_most"].tolist()[:3] == [9.0, 9.0, 9.0]
    assert day["flown_crowd"].tolist()[:3] == [2.5, 3.5, 4.5]


@pytest.fixture
def causes(report: ModuleType, day: pd.DataFrame, tmp_path: Path) -> pd.DataFrame:
    """The table of all causes for that day."""
    airlines = tmp_path / "airlines.csv"
    airlines.write_text("carrier,name\nUA,United\n")
    named = day.assign(carrier=["UA", "UA", "ZZ", "ZZ"])
    table: pd.DataFrame = report.by_cause(named, airlines, [0, 10], [0, 2], [0, 30], LATE)
    return table


def groups(table: pd.DataFrame, cause: str) -> dict[str, int]:
    """The flights in each group of a cause."""
    rows = table[table["cause"] == cause]
    return dict(zip(rows["group"], rows["flights"], strict=True))


def test_shares_are_of_all_flights_and_the_mean_of_those_that_left(causes: pd.DataFrame) -> None:
    [row] = causes[causes["group"] == "ZZ"].to_dict("records")

    assert row == {
        "cause": "carrier",
        "group": "ZZ",
        "flights": 2,
        "mean_delay": 60.0,
        "late": 0.5,
        "cancelled": 0.5,
    }


def test_a_band_begins_with_its_first_value_and_unknown_comes_last(causes: pd.DataFrame) -> None:
    assert groups(causes, "age") == {"0 to 10": 2, "unknown": 2}
    assert groups(causes, "crowd") == {"0 to 2": 1, "2 or more": 2, "unknown": 1}
    assert groups(causes, "plane before") == {"30 or more": 1, "unknown": 3}


def test_carriers_go_by_their_names_the_worst_first_and_hours_in_order(
    causes: pd.DataFrame,
) -> None:
    assert list(groups(causes, "carrier")) == ["ZZ", "United"]
    assert list(groups(causes, "hour")) == ["6", "7", "8"]


def test_a_cause_explains_what_follows_from_it_and_nothing_else(report: ModuleType) -> None:
    """Delays that are those of the plane before, and a bit that nothing explains."""
    before = np.tile([0.0, 10.0, 20.0, np.nan], 100)
    noise = np.repeat([-1.0, 1.0], 200)
    delays = pd.DataFrame({"delay": np.nan_to_num(before, nan=50.0) + noise})
    same: dict[str, Any] = {
        "hour": 6,
        "carrier": "UA",
        "sky": "fair",
        "plane_age": 1.0,
        "airport_before": 0.0,
    }
    same |= {"crowd": 1.0, "crowd_most": 2.0, "flown_crowd": 1.0}

    found = report.headline(delays.assign(plane_before=before, **same), LATE)

    share = 1 - np.var(noise) / np.var(delays["delay"])
    for name in ("explained", "alone_plane_before", "beyond_plane_before"):
        assert found[name] == pytest.approx(share, abs=1e-6)
    assert found["alone_crowd"] == found["beyond_weather"] == 0.0


def test_the_headline_compares_what_follows_a_late_plane_with_what_follows_a_punctual_one(
    report: ModuleType, day: pd.DataFrame
) -> None:
    again = day.assign(plane_before=[15.0, 99.0, 14.0, np.nan])
    delays = pd.concat([again, day], ignore_index=True)

    found = report.headline(delays, LATE)

    assert (found["flights"], found["late"], found["cancelled"]) == (8.0, 0.5, 0.25)
    assert found["late_after_late"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["late_after_on_time"] == 1.0
    assert (found["planned_crowd"], found["flown_crowd"]) == (2.5, 3.5)


def test_the_picture_is_a_file_with_the_same_bytes_each_time(
    report: ModuleType, tmp_path: Path
) -> None:
    traffic = np.zeros((96, 2, 4), "float32")
    traffic[40, 0, 1:3] = [3, 1]
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()

    files = [report.picture(traffic, traffic, GRID, "New York", folder) for folder in folders]

    assert [file.parent for file in files] == folders
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes().startswith(b"\x89PNG")


def test_the_page_shows_the_findings_the_picture_and_every_table(
    report: ModuleType, day: pd.DataFrame, causes: pd.DataFrame, tmp_path: Path
) -> None:
    headline = report.headline(day, LATE) | {"alone_crowd": 0.125}

    page = report.report(headline, causes, Path("traffic.png"), "New York", tmp_path)

    text = page.read_text(encoding="utf-8")
    assert page.parent == tmp_path
    assert text.startswith("# New York\n")
    assert "4 flights were due: 50.0% left late and 25.0% never." in text
    assert "(traffic.png)" in text
    assert "| crowd | 12.5% |" in text
    assert "| United | 2 | 25.0 | 50.0% | 0.0% |" in text
    assert [text.count(f"\n## By {cause}\n") for cause in report.CAUSES] == [1] * 7
