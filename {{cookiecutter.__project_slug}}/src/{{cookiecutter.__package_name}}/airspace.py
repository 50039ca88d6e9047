"""Where planes are: moments and places along great circles, cells of a grid, traffic in them.

The plan and the facts both go through these functions. A flight goes by its row number in the
table of flights. Whatever works through millions of rows does so a block at a time: then only its
result is large, not what it needs on the way.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

QUARTER = pd.Timedelta(minutes=15)


def times(start: pd.Series, minutes: pd.Series, seconds: int) -> pd.DataFrame:
    """Every `seconds` of each flight a row: the `moment` in UTC, and the `way`, from 0 to 1.

    `start` and the `minutes` in the air are those of the flights. Flights for which one of the
    two is unknown have no rows.
    """
    known = start.notna() & minutes.notna()
    count = (minutes * 60 // seconds).where(known, 0).to_numpy("int32")
    first = np.cumsum(count) - count
    begin = start.to_numpy("datetime64[s]")
    flight = np.repeat(np.arange(len(count), dtype="int32"), count)
    moment, way = np.empty(len(flight), "datetime64[s]"), np.empty(len(flight), "float32")
    for rows in blocks(len(flight)):
        of = flight[rows]
        done = np.arange(rows.start, rows.stop) - first[of]
        moment[rows] = begin[of] + done * np.timedelta64(seconds, "s")
        way[rows] = done / count[of]
    return pd.DataFrame({"flight": flight, "moment": moment, "way": way}, copy=False)


def positions(times: pd.DataFrame, flights: pd.DataFrame) -> pd.DataFrame:
    """The place of each flight at each of its `times`: `lat` and `lon` in degrees.

    A plane follows the great circle to its destination at an even speed, as in
    https://en.wikipedia.org/wiki/Slerp.
    """
    here = unit_vectors(flights["lat"], flights["lon"])
    there = unit_vectors(flights["to_lat"], flights["to_lon"])
    angle = np.arccos((here * there).sum(axis=0)).astype("float32")
    here, there = here.astype("float32"), there.astype("float32")
    lat, lon = (np.empty(len(times), "float32") for _ in range(2))
    for rows in blocks(len(times)):
        flight, way = (times[name].iloc[rows].to_numpy() for name in ("flight", "way"))
        behind, ahead = np.sin((1 - way) * angle[flight]), np.sin(way * angle[flight])
        x, y, z = here[:, flight] * behind + there[:, flight] * ahead
        lat[rows] = np.degrees(np.arctan2(z, np.hypot(x, y)))
        lon[rows] = np.degrees(np.arctan2(y, x))
    columns = {"flight": times["flight"], "moment": times["moment"], "lat": lat, "lon": lon}
    return pd.DataFrame(columns, copy=False)


def unit_vectors(lat: pd.Series, lon: pd.Series) -> np.ndarray:
    """Points on a globe of radius 1, as three rows: x, y and z."""
    phi, lam = np.radians(lat.to_numpy()), np.radians(lon.to_numpy())
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


@dataclass(frozen=True)
class Space:
    """The cells in which flights are counted, by quarter of an hour, row and column.

    Quarters begin at `start` in UTC, rows at `south` and columns at `west`; a cell has `degrees`
    on each side.
    """

    start: np.datetime64
    shape: tuple[int, int, int]
    south: float
    west: float
    degrees: float


def space_of(due: pd.Series, grid: dict[str, float]) -> Space:
    """The cells of the `grid` on the days of the flights, in UTC."""
    start, end = due.min().floor("D"), due.max().ceil("D")
    rows = round((grid["north"] - grid["south"]) / grid["degrees"])
    columns = round((grid["east"] - grid["west"]) / grid["degrees"])
    shape = ((end - start) // QUARTER, rows, columns)
    first = start.tz_localize(None).to_datetime64()
    return Space(first, shape, grid["south"], grid["west"], grid["degrees"])


def cells(positions: pd.DataFrame, space: Space) -> pd.DataFrame:
    """The `cell` in which each flight is at each of its positions, as one number.

    What lies outside of the grid or its days counts in the cell at the edge.
    """
    cell = np.empty(len(positions), "int32")
    for rows in blocks(len(positions)):
        part = positions.iloc[rows]
        quarter = (part["moment"].to_numpy() - space.start) // QUARTER.to_timedelta64()
        row = (part["lat"].to_numpy() - space.south) // space.degrees
        column = (part["lon"].to_numpy() - space.west) // space.degrees
        place = (quarter, row.astype(int), column.astype(int))
        cell[rows] = np.ravel_multi_index(place, space.shape, mode="clip")
    return pd.DataFrame({"flight": positions["flight"], "cell": cell}, copy=False)


def traffic(cells: pd.DataFrame, seconds: int, space: Space) -> np.ndarray:
    """How many planes are in each cell at a time, on average over each quarter of an hour.

    `seconds` pass between two positions of a flight.
    """
    planes = np.zeros(space.shape, "float32")
    np.add.at(planes.reshape(-1), cells["cell"].to_numpy(), np.float32(seconds / 900))
    return planes


def around(traffic: np.ndarray) -> np.ndarray:
    """The planes in each cell and in the eight cells around it."""
    total = np.empty_like(traffic)
    for quarters in blocks(len(traffic), 96):
        padded = np.pad(traffic[quarters], ((0, 0), (1, 1), (1, 1)))
        three = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
        total[quarters] = three[:, :, :-2] + three[:, :, 1:-1] + three[:, :, 2:]
    return total


def crowd(cells: pd.DataFrame, around: np.ndarray, flights: pd.Index) -> pd.DataFrame:
    """How many planes are near each flight on its way, itself included: the `mean`, the `most`.

    Flights without positions have neither.
    """
    flight, cell = cells["flight"].to_numpy(), cells["cell"].to_numpy()
    near = np.empty(len(cell), "float32")
    for rows in blocks(len(cell)):
        near[rows] = around.reshape(-1)[cell[rows]]
    first = np.append(0, np.flatnonzero(flight[1:] != flight[:-1]) + 1)
    mean = np.add.reduceat(near, first) / np.diff(first, append=len(flight))
    columns = {"mean": mean, "most": np.maximum.reduceat(near, first)}
    return pd.DataFrame(columns, index=flight[first]).reindex(flights)


def blocks(rows: int, size: int = 100_000) -> Iterator[slice]:
    """The rows of a table or an array, `size` at a time."""
    return (slice(first, min(first + size, rows)) for first in range(0, rows, size))
