"""What the steps of seed20 do: make a frame of 60 MB, sum frames up. Copied into its project."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

ROW_BYTES = 54  # two ints, two floats, a timestamp, a text of 6 bytes with its offset
CARRIERS = pd.array([f"line{number:02}" for number in range(20)], dtype="str")


def frame(number: int, rows: int) -> pd.DataFrame:
    """Frame `number`, always the same for the same number, of `rows` × ROW_BYTES bytes."""
    random = np.random.default_rng(number)
    minutes = random.integers(0, 365 * 24 * 60, rows)
    return pd.DataFrame(
        {
            "flight": random.integers(0, 5000, rows),
            "distance": random.integers(100, 3000, rows),
            "delay": random.standard_normal(rows),
            "air_time": random.standard_normal(rows),
            "departure": np.datetime64("2013-01-01", "us") + minutes.astype("m8[m]"),
            "carrier": CARRIERS.take(random.integers(0, len(CARRIERS), rows)),
        },
        copy=False,  # else making a frame takes the room of two
    )


def summary(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Delays by frame and carrier: a small table."""
    tables = [
        one.groupby("carrier", as_index=False).agg(
            flights=("flight", "size"),
            distance=("distance", "sum"),
            delay=("delay", "mean"),
            air_time=("air_time", "mean"),
            last=("departure", "max"),
        )
        for one in frames
    ]
    return pd.concat(tables, keys=range(len(tables)), names=["frame", None]).reset_index(level=0)
