"""polars, with a lazy frame."""

from __future__ import annotations

import polars as pl
from flight_delays.checkpointing import step


@step
def by_polars(lines: pl.LazyFrame) -> pl.LazyFrame:
    return (
        lines.filter(pl.col("delay") > 0)
        .group_by("carrier")
        .agg(
            flights=pl.len().cast(pl.Int64),
            distance=pl.col("distance").sum(),
            delay=pl.col("delay").max(),
            departure=pl.col("departure").max(),
        )
        .sort("carrier")
    )
