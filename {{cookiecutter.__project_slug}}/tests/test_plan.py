"""Segment 2, plan: where every flight would have been, had all left on time."""

from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

GRID = {"south": 0.0, "north": 4.0, "west": 0.0, "east": 8.0, "degrees": 1.0}
DUE = pd.Timestamp("2013-01-01 10:00", tz="UTC")


def flights(*air_times: float | None, **columns: Any) -> pd.DataFrame:
    """Flights along the equator, due at the same time, with these minutes in the air."""
    ends = {"lat": 0.0, "lon": 0.0, "to_lat": 0.0, "to_lon": 6.0}
    route = {"origin": "EWR", "dest": "IAH", "due": DUE, "delay": 0.0}
    table = pd.DataFrame({"air_time": air_times}, dtype=float)
    return table.assign(**{**route, **ends, **columns})


def test_a_flight_has_a_moment_every_so_many_seconds_from_when_it_is_due(
    plan: ModuleType,
) -> None:
    times = plan.planned_times(flights(2.0, delay=99.0), 30)

    assert times["moment"].dt.strftime("%H:%M:%S").tolist() == [
        "10:00:00",
        "10:00:30",
        "10:01:00",
        "10:01:30",
    ]
    assert times["way"].tolist() == [0.0, 0.25, 0.5, 0.75]


def test_a_flight_is_planned_to_take_as_long_as_usual_also_if_it_was_cancelled(
    plan: ModuleType,
) -> None:
    times = plan.planned_times(flights(1.0, 9.0, 2.0, None), 60)

    assert times["flight"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_flight_to_an_airport_that_is_not_listed_is_nowhere(plan: ModuleType) -> None:
    table = flights(1.0, 1.0, to_lat=[0.0, None])

    assert plan.planned_times(table, 60)["flight"].tolist() == [0]


def test_a_plane_flies_evenly_along_the_great_circle(plan: ModuleType) -> None:
    equator, north = (0.0, 6.0), (51.5, 90.0)
    lat, to_lon = zip(equator, north, strict=True)
    table = flights(2.0, 2.0, lat=lat, to_lat=lat, to_lon=to_lon)

    [places] = plan.planned_positions(iter([plan.planned_times(table, 60)]), table)

    assert places["lat"].tolist() == pytest.approx([0.0, 0.0, 51.5, 60.644], abs=1e-3)
    assert places["lon"].tolist() == pytest.approx([0.0, 3.0, 0.0, 45.0], abs=1e-3)


def positions(*places: tuple[str, float, float]) -> pd.DataFrame:
    """A flight at these (times of the day, latitudes, longitudes)."""
    clock, lat, lon = zip(*places, strict=True)
    moment = pd.to_datetime([f"2013-01-01 {time}" for time in clock], format="ISO8601")
    return pd.DataFrame({"flight": 0, "moment": moment, "lat": lat, "lon": lon})


def test_a_cell_is_a_place_on_the_grid_in_a_quarter_of_an_hour(plan: ModuleType) -> None:
    quarters, rows, columns = 96, 4, 8
    where = positions(("00:00", 0.0, 0.0), ("00:14:59", 1.2, 2.9), ("00:15", 3.9, 7.9))

    cells = plan.planned_cells(iter([where]), flights(1.0), GRID)

    places = np.unravel_index(cells["cell"], (quarters, rows, columns))
    assert np.transpose(places).tolist() == [[0, 0, 0], [0, 1, 2], [1, 3, 7]]


def test_positions_and_cells_are_the_same_in_batches(plan: ModuleType) -> None:
    table = flights(60.0, 95.0)
    times = plan.planned_times(table, 60)
    batches = (times.iloc[rows : rows + 7] for rows in range(0, len(times), 7))

    [whole] = plan.planned_positions(iter([times]), table)
    parts = list(plan.planned_positions(batches, table))

    assert len(parts) > 20
    pd.testing.assert_frame_equal(pd.concat(parts), whole, check_exact=True)
    cells = plan.planned_cells(iter(parts), table, GRID)
    pd.testing.assert_frame_equal(cells, plan.planned_cells(iter([whole]), table, GRID))


def test_what_lies_outside_of_the_grid_counts_at_its_edge(plan: ModuleType) -> None:
    where = positions(("10:00", -3.0, -5.0), ("10:00", 77.0, 99.0))

    cells = plan.planned_cells(iter([where]), flights(1.0), GRID)

    rows, columns = np.unravel_index(cells["cell"], (96, 4, 8))[1:]
    assert (rows.tolist(), columns.tolist()) == ([0, 3], [0, 7])


def test_traffic_is_the_planes_in_a_cell_at_a_time(plan: ModuleType) -> None:
    """Two planes that stay for 15 and for 5 of the 15 minutes."""
    cells = pd.DataFrame({"flight": [0] * 15 + [1] * 5, "cell": 40 * 4 * 8 + 3})

    traffic = plan.planned_traffic(cells, flights(1.0, 1.0), GRID, 60)

    assert traffic.shape == (96, 4, 8)
    assert traffic[40, 0, 3] == pytest.approx(20 / 15)
    assert traffic.sum() == pytest.approx(20 / 15)
