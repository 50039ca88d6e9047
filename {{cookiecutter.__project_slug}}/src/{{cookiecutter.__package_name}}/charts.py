"""The charts of the sample's picture: where planes were, and how many at a time in a cell."""

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

QUARTERS = 96  # of an hour, in a day


def draw(
    planned: np.ndarray, flown: np.ndarray, grid: dict[str, float], title: str, file: Path
) -> None:
    """Draw both charts, one below the other, to a file."""
    charts = traffic_map(flown, grid) & peaks(planned, flown)
    with alt.data_transformers.enable(max_rows=None):
        charts.properties(title=title).save(file, scale_factor=2)


def traffic_map(traffic: np.ndarray, grid: dict[str, float]) -> alt.Chart:
    """The hours that planes spent in each cell."""
    hours = traffic.sum(axis=0) / 4
    row, column = np.nonzero(hours)
    south, west = grid["south"] + row * grid["degrees"], grid["west"] + column * grid["degrees"]
    cells = pd.DataFrame({"south": south, "west": west, "hours": hours[row, column]})
    edges = cells.assign(north=south + grid["degrees"], east=west + grid["degrees"])
    chart: alt.Chart = (
        alt.Chart(edges, width=640, height=300)
        .mark_rect()
        .encode(
            alt.X("west:Q", title="longitude").scale(zero=False),
            alt.Y("south:Q", title="latitude").scale(zero=False),
            alt.X2("east"),
            alt.Y2("north"),
            alt.Color("hours:Q", title="hours of flight").scale(type="log", scheme="viridis"),
        )
    )
    return chart


def peaks(planned: np.ndarray, flown: np.ndarray) -> alt.Chart:
    """The most planes at a time in a cell, by the time of the day, over all days."""
    clock = pd.date_range("2013-01-01", periods=QUARTERS, freq="15min")
    most = pd.DataFrame({"clock": clock, "planned": by_clock(planned), "flown": by_clock(flown)})
    chart: alt.Chart = (
        alt.Chart(most.melt("clock", var_name="traffic", value_name="planes"), width=640)
        .mark_line(interpolate="step-after")
        .encode(
            alt.X("clock:T", title="hour of the day, UTC").axis(format="%H"),
            alt.Y("planes:Q", title="planes in the fullest cell"),
            alt.Color("traffic:N"),
        )
        .properties(height=160)
    )
    return chart


def by_clock(traffic: np.ndarray) -> np.ndarray:
    """The most planes at a time in a cell, for each quarter of an hour of the day."""
    most: np.ndarray = traffic.max(axis=(1, 2)).reshape(-1, QUARTERS).max(axis=0)
    return most
