"""Segment 2, plan: where every flight would have been, had all left on time.

Cancelled flights are part of the plan too. Only where each flight is, and the traffic that results,
is needed later; the millions of moments and positions in between go with this segment.
"""

from typing import Annotated

import numpy as np
import pandas as pd

from .. import airspace
from ..checkpointing import Columns, step


@step
def planned_times(flights: pd.DataFrame, every_seconds: int) -> pd.DataFrame:
    """The moments of each flight in the air, if it leaves when due and takes as long as usual."""
    usual = flights.groupby(["origin", "dest"])["air_time"].transform("median")
    return airspace.times(flights["due"], usual.where(flights["to_lat"].notna()), every_seconds)


@step
def planned_positions(planned_times: pd.DataFrame, flights: pd.DataFrame) -> pd.DataFrame:
    """Latitude and longitude of each flight at these moments."""
    return airspace.positions(planned_times, flights)


@step
def planned_cells(
    planned_positions: pd.DataFrame,
    flights: Annotated[pd.DataFrame, Columns("due")],
    grid: dict[str, float],
) -> pd.DataFrame:
    """The cell and the quarter of an hour, as one number, of each position."""
    return airspace.cells(planned_positions, airspace.space_of(flights["due"], grid))


@step
def planned_traffic(
    planned_cells: pd.DataFrame,
    flights: Annotated[pd.DataFrame, Columns("due")],
    grid: dict[str, float],
    every_seconds: int,
) -> np.ndarray:
    """How many planes would be in each cell at a time, by quarter of an hour, row and column."""
    return airspace.traffic(planned_cells, every_seconds, airspace.space_of(flights["due"], grid))
