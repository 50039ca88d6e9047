"""What every engine computes: of the late flights of each carrier, figures that add up exactly."""

from __future__ import annotations

import pandas as pd


def late(lines: pd.DataFrame) -> pd.DataFrame:
    """Flights and their distance, the largest delay and the last departure, by carrier."""
    return (
        lines[lines["delay"] > 0]
        .groupby("carrier", as_index=False)
        .agg(
            flights=("flight", "size"),
            distance=("distance", "sum"),
            delay=("delay", "max"),
            departure=("departure", "max"),
        )
    )


def together(parts: pd.DataFrame) -> pd.DataFrame:
    """The same of the whole table, from the rows that `late` gives for parts of it."""
    return parts.groupby("carrier", as_index=False).agg(
        {"flights": "sum", "distance": "sum", "delay": "max", "departure": "max"}
    )
