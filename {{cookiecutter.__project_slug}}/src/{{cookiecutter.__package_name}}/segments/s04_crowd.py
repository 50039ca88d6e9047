"""Segment 4, crowd: how crowded the air of each flight was, in the plan and in fact."""

from typing import Annotated

import numpy as np
import pandas as pd

from .. import airspace
from ..checkpointing import Columns, step


@step
def planned_around(planned_traffic: np.ndarray) -> np.ndarray:
    """The planned traffic of each cell together with the eight around it."""
    return airspace.around(planned_traffic)


@step
def planned_crowd(
    planned_cells: pd.DataFrame,
    planned_around: np.ndarray,
    flights: Annotated[pd.DataFrame, Columns("due")],
) -> pd.DataFrame:
    """How many other flights would have been near each flight, on its way: `mean` and `most`."""
    return airspace.crowd(planned_cells, planned_around, flights.index)


@step
def flown_around(flown_traffic: np.ndarray) -> np.ndarray:
    """The traffic of each cell together with the eight around it."""
    return airspace.around(flown_traffic)


@step
def flown_crowd(
    flown_cells: pd.DataFrame,
    flown_around: np.ndarray,
    flights: Annotated[pd.DataFrame, Columns("due")],
) -> pd.DataFrame:
    """How many other flights were near each flight, on its way: `mean` and `most`."""
    return airspace.crowd(flown_cells, flown_around, flights.index)
