"""Segment 2, plan: where every flight would have been, had all left on time.

Cancelled flights are part of the plan too. Only where each flight is, and the traffic that results,
is needed later; the millions of moments and positions in between go with this segment.
"""

from collections.abc import Iterator
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
def planned_positions(
    planned_times: Iterator[pd.DataFrame], flights: pd.DataFrame
) -> Iterator[pd.DataFrame]:
    """Latitude and longitude of each flight at these moments.

    They are never in memory as a whole: this step takes the moments in batches and yields their
    positions, which are on disk before it takes more, and the next step takes these in batches.
    Each row depends on its own moment alone, so the batches do not change the result.
    """
    for times in planned_times:
        yield airspace.positions(times, flights)


@step
def planned_cells(
    planned_positions: Iterator[pd.DataFrame],
    flights: Annotated[pd.DataFrame, Columns("due")],
    grid: dict[str, float],
) -> pd.DataFrame:
    """The cell and the quarter of an hour, as one number, of each position."""
    space = airspace.space_of(flights["due"], grid)
    batches = [airspace.cells(positions, space) for positions in planned_positions]
    return pd.concat(batches, ignore_index=True)


@step
def planned_traffic(
    planned_cells: pd.DataFrame,
    flights: Annotated[pd.DataFrame, Columns("due")],
    grid: dict[str, float],
    every_seconds: int,
) -> np.ndarray:
    """How many planes would be in each cell at a time, by quarter of an hour, row and column."""
    return airspace.traffic(planned_cells, every_seconds, airspace.space_of(flights["due"], grid))
