"""Segment 3, flown: where every flight was in fact.

The same questions as of the plan, asked of the flights that left, at the times when they left.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import pandas as pd

from .. import airspace
from ..checkpointing import Columns, step


@step
def flown_times(flights: pd.DataFrame, every_seconds: int) -> pd.DataFrame:
    """The moments of each flight in the air, from its departure on."""
    left = flights["due"] + pd.to_timedelta(flights["delay"], unit="min")
    return airspace.times(left, flights["air_time"].where(flights["to_lat"].notna()), every_seconds)


@step
def flown_positions(
    flown_times: Iterator[pd.DataFrame], flights: pd.DataFrame
) -> Iterator[pd.DataFrame]:
    """Latitude and longitude of each flight at these moments, in batches too."""
    for times in flown_times:
        yield airspace.positions(times, flights)


@step
def flown_cells(
    flown_positions: Iterator[pd.DataFrame],
    flights: Annotated[pd.DataFrame, Columns("due")],
    grid: dict[str, float],
) -> pd.DataFrame:
    """The cell and the quarter of an hour, as one number, of each position."""
    space = airspace.space_of(flights["due"], grid)
    batches = [airspace.cells(positions, space) for positions in flown_positions]
    return pd.concat(batches, ignore_index=True)


@step
def flown_traffic(
    flown_cells: pd.DataFrame,
    flights: Annotated[pd.DataFrame, Columns("due")],
    grid: dict[str, float],
    every_seconds: int,
) -> np.ndarray:
    """How many planes were in each cell at a time, by quarter of an hour, row and column."""
    return airspace.traffic(flown_cells, every_seconds, airspace.space_of(flights["due"], grid))
