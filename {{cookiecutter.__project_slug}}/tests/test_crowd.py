"""Segment 4, crowd: how many planes are near each flight on its way."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest

SHAPE = (2, 3, 4)


def traffic(**planes: float) -> np.ndarray:
    """The planes in cells that are named by quarter, row and column, as in `c012`."""
    counts = np.zeros(SHAPE, "float32")
    for name, count in planes.items():
        counts[int(name[1]), int(name[2]), int(name[3])] = count
    return counts


@pytest.mark.parametrize("which", ["planned", "flown"])
def test_the_planes_around_are_those_of_nine_cells_in_the_same_quarter(
    crowd: ModuleType, which: str
) -> None:
    around = getattr(crowd, f"{which}_around")(traffic(c000=1, c011=2, c113=4))

    assert around[0].tolist() == [[3, 3, 2, 0], [3, 3, 2, 0], [2, 2, 2, 0]]
    assert around[1].tolist() == [[0, 0, 4, 4]] * 3


@pytest.mark.parametrize("which", ["planned", "flown"])
def test_a_flight_has_the_mean_and_the_most_of_what_is_near_on_its_way(
    crowd: ModuleType, which: str
) -> None:
    places = ([0, 0, 0, 1], [0, 0, 1, 2], [0, 1, 1, 3])
    cells = pd.DataFrame({"flight": [0, 0, 2, 2], "cell": np.ravel_multi_index(places, SHAPE)})
    flights = pd.DataFrame({"due": [None] * 3})

    found = getattr(crowd, f"{which}_crowd")(cells, traffic(c000=1, c001=3, c123=8), flights)

    assert found.loc[[0, 2]].to_dict("list") == {"mean": [2.0, 4.0], "most": [3.0, 8.0]}
    assert found.loc[1].isna().all()
