"""Segment 4, report: the tables count right, and the page shows them."""

from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

LATE = 15
FINDINGS = (
    *("flights", "mean_delay", "late", "cancelled", "late_after_late", "late_after_on_time"),
    *("gap_weather", "gap_hour", "gap_carrier", "gap_age", "gap_route"),
)


def test_shares_are_of_all_flights_and_the_mean_of_those_that_left(report: ModuleType) -> None:
    delays = pd.DataFrame({"sky": "rain", "delay": [None, 14.0, 15.0, 1.0]})

    [rain] = report.by_weather(delays, LATE).to_dict("records")

    assert rain == {
        "sky": "rain",
        "flights": 4,
        "mean_delay": 10.0,
        "late": 0.25,
        "cancelled": 0.25,
    }


def test_the_worst_weather_comes_first(report: ModuleType) -> None:
    delays = pd.DataFrame({"sky": ["fair", "snow", "wind"], "delay": [1.0, 30.0, 10.0]})

    assert report.by_weather(delays, LATE)["sky"].tolist() == ["snow", "wind", "fair"]


def test_hours_come_in_order_with_the_share_of_planes_late_before(report: ModuleType) -> None:
    delays = pd.DataFrame(
        {
            "hour": [20, 6, 20],
            "delay": [40.0, 0.0, None],
            "earlier_delay": [15.0, None, 14.0],
        }
    )

    table = report.by_hour(delays, LATE)

    assert table[["hour", "flights", "late_before"]].to_numpy().tolist() == [
        [6, 1, 0.0],
        [20, 2, 0.5],
    ]


def test_carriers_go_by_their_names_and_none_is_lost_for_lack_of_one(report: ModuleType) -> None:
    delays = pd.DataFrame({"carrier": ["UA", "ZZ"], "delay": [10.0, 5.0]})
    airlines = pd.DataFrame({"carrier": ["DL", "UA"], "name": ["Delta", "United"]})

    table = report.by_carrier(delays, airlines, LATE)

    assert table["carrier"].tolist() == ["UA", "ZZ"]
    assert table["name"].fillna("-").tolist() == ["United", "-"]


def test_a_band_of_ages_begins_with_its_first_year_and_unknown_comes_last(
    report: ModuleType,
) -> None:
    delays = pd.DataFrame({"plane_age": [None, 0.0, 4.0, 5.0, 10.0, 57.0], "delay": 1.0})

    table = report.by_age(delays, [0, 5, 10], LATE)

    flights = dict(zip(table["age"], table["flights"], strict=True))
    assert flights == {"0-4": 2, "5-9": 1, "10+": 2, "unknown": 1}


def test_routes_with_few_flights_are_left_out(report: ModuleType) -> None:
    delays = pd.DataFrame({"origin": "EWR", "dest": ["ORD", "ORD", "TYS"], "delay": 1.0})
    airports = pd.DataFrame({"faa": ["ORD", "TYS"], "name": ["Ohare", "Mc Ghee Tyson"]})

    table = report.by_route(delays, airports, LATE, 2)

    assert table[["origin", "dest", "name"]].to_numpy().tolist() == [["EWR", "ORD", "Ohare"]]


def test_a_destination_that_is_not_listed_goes_by_its_code(report: ModuleType) -> None:
    delays = pd.DataFrame({"origin": "JFK", "dest": ["SJU"], "delay": 1.0})
    airports = pd.DataFrame({"faa": ["ORD"], "name": ["Ohare"]})

    assert report.by_route(delays, airports, LATE, 1)["name"].tolist() == ["SJU"]


def groups(*means: float, flights: int = 100) -> pd.DataFrame:
    """A table of groups with these mean delays."""
    return pd.DataFrame({"flights": flights, "mean_delay": means})


def test_the_headline_compares_what_follows_a_late_plane_with_what_follows_a_punctual_one(
    report: ModuleType,
) -> None:
    delays = pd.DataFrame(
        {
            "delay": [20.0, 0.0, 30.0, None, 0.0, 0.0],
            "earlier_delay": [15.0, 99.0, 14.0, None, 0.0, -2.0],
        }
    )

    found = report.headline(delays, *[groups(1.0)] * 5, LATE, 100)

    assert tuple(found) == FINDINGS
    assert found["flights"] == 6.0
    assert found["mean_delay"] == 10.0
    assert found["late"] == pytest.approx(2 / 6)
    assert found["cancelled"] == pytest.approx(1 / 6)
    assert found["late_after_late"] == 0.5
    assert found["late_after_on_time"] == pytest.approx(1 / 3)


def test_the_gap_of_a_cause_is_between_its_worst_and_its_best_large_group(
    report: ModuleType,
) -> None:
    delays = pd.DataFrame({"delay": [1.0], "earlier_delay": [0.0]})
    by_carrier = pd.concat([groups(3.0, 12.5), groups(67.0, flights=99)])
    by_route = groups(40.0, 2.0, flights=99)

    found = report.headline(
        delays, groups(1.0, 2.0), groups(0.0), by_carrier, groups(5.0, 1.0), by_route, LATE, 100
    )

    gaps = {name: number for name, number in found.items() if name.startswith("gap_")}
    assert gaps == {
        "gap_weather": 1.0,
        "gap_hour": 0.0,
        "gap_carrier": 9.5,
        "gap_age": 4.0,
        "gap_route": 0.0,
    }


def test_the_page_shows_the_findings_and_every_table(report: ModuleType, tmp_path: Path) -> None:
    headline = dict.fromkeys(FINDINGS, 0.0)
    headline |= {"flights": 27004.0, "late": 0.2, "cancelled": 0.01, "gap_weather": 19.55}
    table = pd.DataFrame({"sky": ["snow"], "mean_delay": [27.94], "late": [0.364]})
    hours = pd.DataFrame({"hour": [1], "mean_delay": [None], "late_before": [0.0]}).astype(
        {"mean_delay": float}
    )

    page = report.report(headline, table, hours, table, table, table, 100, "New York", tmp_path)

    text = page.read_text(encoding="utf-8")
    assert page.parent == tmp_path
    assert text.startswith("# New York\n")
    assert "27,004 flights were due: 20.0% left late and 1.0% never." in text
    assert "## By weather: 19.6 minutes" in text
    assert text.count("| snow | 27.9 | 36.4% |") == 4
    assert "| 1 | - | 0.0% |" in text


def test_the_page_lists_the_ten_worst_routes_only(report: ModuleType, tmp_path: Path) -> None:
    none = groups()
    routes = pd.DataFrame({"dest": [f"R{n:02}" for n in range(12)], "mean_delay": 1.0})

    page = report.report(
        dict.fromkeys(FINDINGS, 0.0), none, none, none, none, routes, 1, "T", tmp_path
    )

    text = page.read_text(encoding="utf-8")
    assert "R09" in text
    assert "R10" not in text
