"""Segment 3, flown: the same as the plan, of the flights that left, when they left."""

from types import ModuleType

import pandas as pd
import pytest

GRID = {"south": 0.0, "north": 4.0, "west": 0.0, "east": 8.0, "degrees": 1.0}


@pytest.fixture
def flights() -> pd.DataFrame:
    """Three flights along the equator: one left 7 minutes late, one was cancelled, one diverted."""
    ends = {"lat": 0.0, "lon": 0.0, "to_lat": 0.0, "to_lon": 6.6}
    due = pd.Timestamp("2013-01-01 10:00", tz="UTC")
    what = {"delay": [7.0, None, 0.0], "air_time": [3.0, None, None]}
    return pd.DataFrame(what).assign(due=due, **ends)


def test_a_flight_is_in_the_air_from_when_it_left(flown: ModuleType, flights: pd.DataFrame) -> None:
    times = flown.flown_times(flights, 60)

    assert times["flight"].tolist() == [0, 0, 0]
    assert times["moment"].dt.strftime("%H:%M").tolist() == ["10:07", "10:08", "10:09"]


def test_a_flight_is_counted_in_the_cells_on_its_way(
    flown: ModuleType, flights: pd.DataFrame
) -> None:
    positions = flown.flown_positions(iter([flown.flown_times(flights, 60)]), flights)
    cells = flown.flown_cells(positions, flights, GRID)

    traffic = flown.flown_traffic(cells, flights, GRID, 60)

    assert traffic[40, 0, [0, 2, 4]].tolist() == pytest.approx([1 / 15] * 3)
    assert traffic.sum() == pytest.approx(3 / 15)
